//! A running child process: started, heard of, and ended with us.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to accept its first connection.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks whether it does.
const START_PAUSE: Duration = Duration::from_millis(10);

/// A child process that serves at an address. Ends when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Held open: the children that are this program end when it closes, even if we are killed.
    _stdin: Option<ChildStdin>,
    pub(super) address: SocketAddr,
}

impl Process {
    /// Starts this program itself with `arguments`, which make it announce its address.
    pub(super) fn this_program(arguments: &[String]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut line = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim().parse().map_err(|_| {
            let _ = child.kill();
            io::Error::other(format!("{} did not say where it serves", arguments.join(" ")))
        })?;
        Ok(Self { child, _stdin: stdin, address })
    }

    /// Starts a program that was told to serve at `address`, and waits until it does. Its output goes to the file `log`.
    pub(super) fn program(command: &mut Command, address: SocketAddr, log: &Path) -> io::Result<Self> {
        let output = File::create(log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        let mut process = Self { child, _stdin: None, address };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = process.child.try_wait()?;
            if ended.is_some() || begun.elapsed() > START_LIMIT {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(io::Error::other(format!("{name} does not serve at {address}: {said}")));
            }
            thread::sleep(START_PAUSE);
        }
        Ok(process)
    }

    /// The CPU time of all its threads so far; `None` where the system does not tell.
    pub(super) fn cpu(&self) -> Option<Duration> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()?;
        // The first number is the time on a CPU in nanoseconds (Linux, proc_pid_schedstat).
        let nanoseconds = tasks.map(|task| -> Option<u64> {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse().ok()
        });
        nanoseconds.sum::<Option<u64>>().map(Duration::from_nanos)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells the parent where this process serves.
pub(super) fn announce(address: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{address}")?;
    stdout.flush()
}

/// Ends this process when its parent closes our stdin, which it does even when it is killed.
pub(super) fn end_with_stdin() {
    thread::spawn(|| {
        let mut rest = Vec::new();
        let _ = io::stdin().read_to_end(&mut rest);
        std::process::exit(0);
    });
}

/// An address nobody serves at, for programs that cannot be asked which port they got.
pub(super) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}
