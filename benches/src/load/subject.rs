//! What is measured: the way straight to the server, and each middleman.

use std::env;
use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use tempfile::TempDir;
use tokio_rustls::TlsConnector;

use super::client::DATABASE;
use super::leg::{CertificateFiles, HOST};
use super::options::Options;
use super::process::{self, Process};

/// A way from the client to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Kind {
    /// Nothing between.
    Direct,
    /// Our own copy loop.
    Relay,
    /// HAProxy in TCP mode.
    Haproxy,
    /// `tds-proxy`.
    Us,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Direct => "direct",
            Self::Relay => "TCP relay",
            Self::Haproxy => "HAProxy",
            Self::Us => "us",
        })
    }
}

/// A way with its process.
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    /// The process in the middle, if there is one.
    pub(super) process: Option<Process>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

/// Everything that runs: the server and the subjects.
pub(super) struct Field {
    subjects: Vec<Subject>,
    pub(super) tls: Option<TlsConnector>,
    /// Which HAProxy it is, or why there is none.
    pub(super) haproxy: String,
    _server: Process,
    _folder: TempDir,
}

impl Field {
    /// Starts the server and every subject that was asked for.
    pub(super) fn start(options: &Options) -> io::Result<Self> {
        let folder = TempDir::new()?;
        let files = CertificateFiles::of(folder.path());
        if options.tls {
            files.write()?;
        }
        let mut arguments = vec!["--role=server".to_owned(), format!("--end-threads={}", options.end_threads)];
        if options.tls {
            arguments.push(format!("--tls-dir={}", folder.path().display()));
        }
        let server = Process::this_program(&arguments)?;
        let starter = Starter { options, server: server.address, folder: folder.path(), files: &files };
        let haproxy = haproxy_version();
        let mut subjects = Vec::new();
        for kind in &options.only {
            if *kind != Kind::Haproxy || haproxy.is_some() {
                subjects.push(starter.start(*kind)?);
            }
        }
        let tls = options.tls.then(|| files.connector()).transpose()?;
        let haproxy = haproxy.unwrap_or_else(|| "HAProxy is not installed (Debian package haproxy)".to_owned());
        Ok(Self { subjects, tls, haproxy, _server: server, _folder: folder })
    }

    /// In the order of a round.
    pub(super) fn subjects(&self) -> &[Subject] {
        &self.subjects
    }
}

struct Starter<'a> {
    options: &'a Options,
    server: SocketAddr,
    folder: &'a Path,
    files: &'a CertificateFiles,
}

impl Starter<'_> {
    fn start(&self, kind: Kind) -> io::Result<Subject> {
        let process = match kind {
            Kind::Direct => None,
            Kind::Relay => Some(Process::this_program(&[
                "--role=relay".to_owned(),
                format!("--upstream={}", self.server),
                format!("--threads={}", self.options.threads),
            ])?),
            Kind::Haproxy => Some(self.haproxy()?),
            Kind::Us => Some(self.us()?),
        };
        let address = process.as_ref().map_or(self.server, |process| process.address);
        Ok(Subject { kind, address, process })
    }

    /// HAProxy as its manual sets up a TCP proxy: plain relaying, keeping its own buffer size and polling.
    fn haproxy(&self) -> io::Result<Process> {
        let address = process::free_address()?;
        let (threads, server) = (self.options.threads, self.server);
        let (mut bind_tls, mut server_tls) = (String::new(), String::new());
        if self.options.tls {
            let (both, ca) = (self.files.both.display(), self.files.certificate.display());
            write!(bind_tls, " ssl crt {both} alpn tds/8.0").map_err(io::Error::other)?;
            write!(server_tls, " ssl verify required ca-file {ca} sni str({HOST}) alpn tds/8.0")
                .map_err(io::Error::other)?;
        }
        let text = format!(
            "global\n  nbthread {threads}\n  maxconn 4096\n\
             defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 5m\n  timeout server 5m\n\
             frontend load\n  bind {address}{bind_tls}\n  default_backend servers\n\
             backend servers\n  server one {server}{server_tls}\n"
        );
        let file = self.folder.join("haproxy.cfg");
        fs::write(&file, text)?;
        // -db keeps it one process in the foreground.
        let mut command = Command::new("haproxy");
        Process::program(command.arg("-db").arg("-f").arg(file), address, &self.folder.join("haproxy.log"))
    }

    /// The program itself, with everything on that is on by default, metrics included.
    fn us(&self) -> io::Result<Process> {
        let program = match &self.options.proxy {
            Some(program) => program.clone(),
            None => build()?,
        };
        let (address, admin) = (process::free_address()?, process::free_address()?);
        let (threads, server) = (self.options.threads, self.server);
        let (client_leg, server_leg) = if self.options.tls {
            let CertificateFiles { certificate, key, .. } = self.files;
            (
                format!("encryption = \"strict\"\ncertificate_file = {certificate:?}\nkey_file = {key:?}\n"),
                format!("encryption = \"strict\"\nca_file = {certificate:?}\nhost_name = \"{HOST}\"\n"),
            )
        } else {
            ("encryption = \"off\"\n".to_owned(), "encryption = \"off\"\n".to_owned())
        };
        let text = format!(
            "[admin]\naddress = \"{admin}\"\n[runtime]\nworker_threads = {threads}\n\
             [replicas.server]\naddress = \"{server}\"\n{server_leg}\
             [links.load]\ndatabases = [\"{DATABASE}\"]\nprimary = \"server\"\n\
             [services.main]\nlisten = \"{address}\"\nlink = \"load\"\n{client_leg}"
        );
        let file = self.folder.join("tds-proxy.toml");
        fs::write(&file, text)?;
        let mut command = Command::new(program);
        let log = self.folder.join("tds-proxy.log");
        Process::program(command.arg("run").arg("--config").arg(file), address, &log)
    }
}

/// Builds `tds-proxy` into the folder this program is in, with the optimisation it has. Nothing stale is ever measured.
fn build() -> io::Result<PathBuf> {
    let this = env::current_exe()?;
    // TARGET/PROFILE/deps/load-HASH
    let (Some(profile), Some(target)) = (this.ancestors().nth(2), this.ancestors().nth(3)) else {
        return Err(io::Error::other("not run from a target folder: say which proxy to measure with --proxy"));
    };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package=proxy", "--bin=tds-proxy"]).arg("--target-dir").arg(target);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if !cargo.status()?.success() {
        return Err(io::Error::other("tds-proxy does not build"));
    }
    Ok(profile.join("tds-proxy"))
}

/// What `haproxy -v` says first.
fn haproxy_version() -> Option<String> {
    let output = Command::new("haproxy").arg("-v").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    // "HAProxy version 2.6.12-1+deb12u4 2026/05/10 - https://haproxy.org/"
    Some(text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}
