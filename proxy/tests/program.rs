//! The program from outside: its commands, its exit codes, what it does on a signal.
#![expect(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const RIGHT: &str = r#"
[admin]
address = "127.0.0.1:0"
[replicas.onprem]
address = "127.0.0.1:1"
[links.sales]
databases = ["SalesDB"]
primary = "onprem"
[services.main]
listen = "127.0.0.1:0"
link = "sales"
encryption = "off"
"#;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tds-proxy"))
}

/// Runs a command on a configuration of this text.
fn run(command: &str, text: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.toml");
    fs::write(&file, text).unwrap();
    program().arg(command).arg("--config").arg(&file).output().unwrap()
}

/// A proxy that runs; killed when dropped.
struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStderr>,
    admin: String,
    service: String,
}

impl Running {
    /// Starts and waits until the log says that it serves.
    fn start(folder: &Path) -> Self {
        let file = folder.join("proxy.toml");
        fs::write(&file, RIGHT).unwrap();
        let mut child = program().arg("run").arg("--config").arg(&file).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let mut running = Self { child, lines, admin: String::new(), service: String::new() };
        let address = |line: String| line.trim_end().rsplit_once("address=").unwrap().1.to_owned();
        running.service = address(running.until(" listening service"));
        running.admin = address(running.until("the admin interface is listening"));
        running
    }

    /// Reads the log up to the line with these words.
    fn until(&mut self, words: &str) -> String {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "the log ended without {words:?}");
        }
        line
    }

    /// The answer to a GET at the admin interface, head and body.
    fn get(&self, path: &str) -> String {
        let mut tcp = TcpStream::connect(&self.admin).unwrap();
        write!(tcp, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end, and gives the exit code with the rest of the log.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn check_says_what_a_right_configuration_does() {
    let output = run("check", RIGHT);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text.starts_with("service main listens on 127.0.0.1:0\n"), "{text}");
    assert!(output.stderr.is_empty());
}

#[test]
fn check_and_run_report_every_mistake_and_exit_with_2() {
    let wrong = RIGHT.replace("\"onprem\"", "\"onpremise\"").replace("\"off\"", "\"of\"");
    for command in ["check", "run"] {
        let output = run(command, &wrong);
        let text = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<_> =
            text.lines().filter_map(|line| line.split_once("proxy.toml:")).map(|(_, rest)| rest).collect();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert_eq!(lines.len(), text.lines().count(), "{text}");
        assert!(
            matches!(lines[..], [first, .., last] if first.starts_with("8: ") && last.starts_with("12: ")),
            "{text}"
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_missing_file_and_wrong_arguments_are_mistakes_too() {
    let output = program().args(["check", "--config", "/nonexistent/proxy.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("/nonexistent/proxy.toml: cannot be read"));
    assert_eq!(program().arg("run").output().unwrap().status.code(), Some(2));
}

#[test]
fn the_version_is_the_packages() {
    let output = program().arg("--version").output().unwrap();
    let want = format!("tds-proxy {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap()), (Some(0), want));
}

#[test]
fn an_address_that_is_taken_ends_the_program_with_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run("run", &RIGHT.replacen("127.0.0.1:0", &address, 1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.lines().last().is_some_and(|line| line.starts_with("tds-proxy: ")), "{text}");
}

#[test]
fn a_signal_ends_the_program_in_order() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let running = Running::start(folder.path());
        running.signal(signal);
        let (code, log) = running.ended();
        assert_eq!(code, Some(0), "{log}");
    }
}

#[test]
fn the_running_program_shows_its_metrics_and_why_it_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let metrics = running.get("/metrics");
    for line in ["proxy_sessions{service=\"main\"} 0", "link_topology_epoch 1"] {
        assert!(metrics.lines().any(|got| got == line), "{line:?} is not in:\n{metrics}");
    }
    assert!(running.get("/healthz").starts_with("HTTP/1.1 200 "));
    let ready = running.get("/readyz");
    assert!(
        ready.starts_with("HTTP/1.1 503 ") && ready.contains("replica onprem, the primary of link sales"),
        "{ready}"
    );
}

/// Writes the file anew and sends the signal that asks for a reload.
fn reload(running: &Running, folder: &Path, text: &str) {
    fs::write(folder.join("proxy.toml"), text).unwrap();
    running.signal("HUP");
}

#[test]
fn a_hangup_reloads_and_the_metrics_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(folder.path());
    reload(&running, folder.path(), &RIGHT.replace("SalesDB", "ReportDB"));
    running.until("the configuration was reloaded");
    let metrics = running.get("/metrics");
    for line in [
        "link_topology_epoch 2",
        "proxy_reloads_total{outcome=\"applied\"} 1",
        "proxy_reloads_total{outcome=\"refused\"} 0",
    ] {
        assert!(metrics.lines().any(|got| got == line), "{line:?} is not in:\n{metrics}");
    }
    assert!(running.get("/topology").contains("ReportDB"));
}

#[test]
fn a_hangup_with_a_bad_file_says_every_mistake_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(folder.path());
    let bad = RIGHT.replace("\"onprem\"", "\"onpremise\"").replace("\"off\"", "\"of\"");
    reload(&running, folder.path(), &bad);
    for mistake in ["WARN", "proxy.toml:8: ", "proxy.toml:12: ", "the one before stays in force"] {
        running.until(mistake);
    }
    let metrics = running.get("/metrics");
    for line in ["link_topology_epoch 1", "proxy_reloads_total{outcome=\"refused\"} 1"] {
        assert!(metrics.lines().any(|got| got == line), "{line:?} is not in:\n{metrics}");
    }
}

#[test]
fn what_needs_a_restart_is_said_and_the_rest_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(folder.path());
    let rest = RIGHT.replacen("127.0.0.1:0", "127.0.0.2:0", 1).replace("SalesDB", "ReportDB");
    reload(&running, folder.path(), &format!("[log]\nformat = \"json\"\n[runtime]\nworker_threads = 7\n{rest}"));
    for key in ["admin.address", "runtime.worker_threads", "log.format"] {
        let line = running.until("needs a restart");
        assert!(line.contains(key) && line.contains("WARN"), "{line}");
    }
    running.until("the configuration was reloaded");
    assert!(running.get("/topology").contains("ReportDB"), "the admin interface is where it was");
}

#[test]
fn the_log_level_follows_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(folder.path());
    reload(&running, folder.path(), &format!("[log]\nlevel = \"debug\"\n{RIGHT}"));
    running.until("the configuration was reloaded");
    drop(TcpStream::connect(&running.service).unwrap());
    assert!(running.until("session ended").contains("DEBUG"));
}
