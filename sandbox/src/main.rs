//! The sandbox as a program: starts the simulated servers, says how to connect, and stops on Ctrl-C or SIGTERM.

mod instructions;

use clap::{Args, Parser, Subcommand};
use proxy::metrics::Recorder;
use rustix::process::{Resource, getrlimit, setrlimit};
use sandbox::Options;
use sandbox::proxied::ProxyOptions;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Requests that may run at one time, each on a thread of its own; as many may wait for a lock or in WAITFOR.
const RUNNING_REQUESTS_MAX: usize = 4096;

/// Two simulated SQL Servers and the proxy in front of them, on this machine. A simulation for trying the proxy out, not a
/// database.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
enum Command {
    /// Run the two servers without the proxy.
    Servers,
}

#[derive(Debug, Args)]
struct Flags {
    /// Port of the proxy; 0 for any.
    #[arg(long, global = true, default_value_t = 11433)]
    proxy_port: u16,
    /// Port of `onprem`, which takes writes; 0 for any.
    #[arg(long, global = true, default_value_t = 11434)]
    onprem_port: u16,
    /// Port of `mi`, its read-only copy; 0 for any.
    #[arg(long, global = true, default_value_t = 11435)]
    mi_port: u16,
    /// Port of the proxy's admin interface; 0 for any.
    #[arg(long, global = true, default_value_t = 11480)]
    admin_port: u16,
    /// How many milliseconds `mi` lags behind `onprem`.
    #[arg(long, global = true, default_value_t = 0)]
    lag_ms: u64,
    /// Take this made-up Microsoft Entra token in place of the password, over encrypted connections. It need not be secret.
    #[arg(long, global = true, value_name = "TOKEN")]
    entra_token: Option<String>,
    /// Print one line of JSON with the addresses instead of instructions.
    #[arg(long, global = true)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,sandbox=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut chain = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                chain.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            tracing::error!("{chain}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    raise_open_files();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(RUNNING_REQUESTS_MAX).build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let flags = &arguments.flags;
        let proxy = match arguments.command {
            Some(Command::Servers) => None,
            None => {
                let recorder = Some(Recorder::install()?);
                Some(ProxyOptions { port: flags.proxy_port, admin_port: flags.admin_port, recorder })
            }
        };
        let options = Options {
            onprem_port: flags.onprem_port,
            mi_port: flags.mi_port,
            proxy,
            lag: Duration::from_millis(flags.lag_ms),
            entra_token: flags.entra_token.clone(),
            ..Options::default()
        };
        let running = sandbox::start(options).await?;
        let text = if flags.json { instructions::json(&running) } else { instructions::text(&running) };
        writeln!(std::io::stdout(), "{text}")?;
        tokio::select! {
            _ = terminate.recv() => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
        running.shut_down().await;
        Ok(())
    })
}

/// A session through the proxy takes four sockets here, so the system's usual 1,024 files end at a few hundred of them.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit on open files cannot be raised");
    }
}
