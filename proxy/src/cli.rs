//! The program's commands, its exit codes, and `check`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use proxy::config::{Config, ConfigErrors};

/// Read/write-splitting proxy for Microsoft SQL Server
#[derive(Debug, Parser)]
#[command(name = "tds-proxy", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve until SIGTERM or SIGINT, then let running sessions finish; a second signal ends them at once
    #[command(after_help = EXIT_CODES)]
    Run {
        /// The configuration; config.example.toml documents every key
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Report every mistake of a configuration with its line, or say in short what it does
    #[command(after_help = EXIT_CODES)]
    Check {
        /// The configuration; config.example.toml documents every key
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked to.
    Done = 0,
    /// It could not start or go on.
    Failed = 1,
    /// The arguments or the configuration have mistakes. clap ends the program with the same code.
    Mistakes = 2,
    /// A second signal cut the sessions that were still running.
    Cut = 3,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done: every session ended, or the configuration is right
  1  the proxy could not start or go on; the last line on stderr says why
  2  the arguments or the configuration have mistakes; stderr lists them
  3  a second signal cut the sessions that were still running";

/// Checks the configuration and says what it does.
pub(crate) fn check(path: &Path) -> Exit {
    match Config::load(path) {
        Ok(config) => match write!(io::stdout(), "{config}") {
            Ok(()) => Exit::Done,
            Err(_) => Exit::Failed,
        },
        Err(errors) => mistakes(&errors),
    }
}

/// Tells the operator what is wrong with the configuration.
pub(crate) fn mistakes(errors: &ConfigErrors) -> Exit {
    eprintln!("{errors}");
    Exit::Mistakes
}

/// Tells the operator why the program ends, with every cause.
pub(crate) fn failed(error: &(dyn std::error::Error + 'static)) -> Exit {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    eprintln!("{}", causes.fold(format!("tds-proxy: {error}"), |text, cause| format!("{text}: {cause}")));
    Exit::Failed
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
