//! The program `tds-proxy`: arguments, configuration, the process's globals, run, exit code.

mod cli;

use std::error::Error;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use proxy::config::Config;
use proxy::metrics::Recorder;
use proxy::telemetry::LevelSwitch;
use proxy::{Proxy, open_files, telemetry};
use rustls::crypto::aws_lc_rs;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use cli::{Cli, Command, Exit};

/// What threads that resolve names get to finish; nobody waits for their answer any more.
const THREADS_END: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let exit = match Cli::parse().command {
        Command::Check { config } => cli::check(&config),
        Command::Run { config } => run(&config),
    };
    exit.into()
}

fn run(path: &Path) -> Exit {
    match Config::load(path) {
        Ok(config) => start(path, config).unwrap_or_else(|error| cli::failed(&*error)),
        Err(errors) => cli::mistakes(&errors),
    }
}

fn start(path: &Path, config: Config) -> Result<Exit, Box<dyn Error>> {
    let level = telemetry::install(&config.log)?;
    // Without the admin interface nobody reads what a recorder keeps, and it would keep every sample.
    let recorder = config.admin.as_ref().map(|_| Recorder::install()).transpose()?;
    aws_lc_rs::default_provider().install_default().map_err(|_| "a TLS provider is installed already")?;
    open_files::raise(&config.limits);
    let runtime = runtime(&config)?;
    let exit = runtime.block_on(serve(path, config, recorder, level));
    runtime.shutdown_timeout(THREADS_END);
    exit
}

fn runtime(config: &Config) -> io::Result<Runtime> {
    // One thread needs no scheduler that shares work: what it costs shows with many small requests.
    let mut builder = match config.runtime.worker_threads {
        Some(1) => Builder::new_current_thread(),
        Some(threads) => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
        None => Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

async fn serve(
    path: &Path,
    config: Config,
    recorder: Option<Recorder>,
    level: LevelSwitch,
) -> Result<Exit, Box<dyn Error>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (mut first, mut second) = (Signals::listen()?, Signals::listen()?);
    let shutdown = async move { first.next().await };
    let twice = async move {
        second.next().await;
        second.next().await;
    };
    let mut proxy = Proxy::bind(config, recorder)?;
    let switch = proxy.follow(path.to_owned(), Some(level));
    // Ends with the runtime.
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // The log was told how it went; there is nobody else to tell.
            let _ = switch.reload().await;
        }
    });
    tokio::select! {
        () = proxy.run(shutdown) => Ok(Exit::Done),
        () = twice => Ok(Exit::Cut),
    }
}

/// The signals that ask the process to stop. Each listener hears every one.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
