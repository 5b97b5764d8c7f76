//! The configuration: a TOML file as written becomes a [`Config`] as checked. Whoever holds a `Config` may use it.
//!
//! Reading never stops at the first mistake: [`ConfigErrors`] carries all of them, each with its line, the key, what is
//! wrong and what would be right. Every key, its default and its meaning is in `config.example.toml`; a test holds the two
//! against each other.

mod address;
mod browser;
mod files;
mod identity;
mod links;
mod network;
mod pattern;
mod problems;
mod replicas;
mod rules;
mod section;
mod seen;
mod services;
mod settings;
mod summary;
#[cfg(test)]
mod tests;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use link_control::topology::{LinkName, ReplicaName, StaticLink};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use toml::de::DeTable;

pub use address::{Address, AddressError};
pub use browser::Browser;
pub use files::ServerCertificate;
pub use identity::{Credential, Identity, SecretSource, SqlLogin, TokenSource};
pub use network::{Network, NetworkError};
pub use pattern::{Folded, Pattern, PatternError};
pub use problems::{ConfigError, ConfigErrors};
pub use rules::{Action, Rule};
pub use seen::SeenFile;

use files::Files;
use problems::Problems;
use section::Section;

/// Everything an operator decides, checked. Never changes; a reload is another one.
#[derive(Debug, Clone)]
pub struct Config {
    /// How the process reports what it does.
    pub log: Log,
    /// Where metrics and health are served; `None` where nobody asked for them.
    pub admin: Option<Admin>,
    /// How the process uses the machine.
    pub runtime: Runtime,
    /// What the process takes on at most.
    pub limits: Limits,
    /// How long each wait may last.
    pub timeouts: Timeouts,
    /// The SQL Server instances, sorted by name. At least one.
    pub replicas: Vec<Replica>,
    /// The links and their roles, sorted by name. At least one; each names known replicas only.
    pub links: Vec<StaticLink>,
    /// The services, sorted by name. At least one; no two listen on one address.
    pub services: Vec<Service>,
    /// Answers for instance names; `None` where nobody asked for them.
    pub browser: Option<Browser>,
    /// Exceptions from what sessions' intent says, in the order they are tried. Each names known services only.
    pub rules: Vec<Rule>,
    /// The files it was read from, as they looked then.
    pub files: Vec<SeenFile>,
}

/// `[log]`: how the process reports what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// What is reported, in the syntax of `tracing_subscriber::EnvFilter`. It parses.
    pub level: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for machines.
    Json,
}

/// `[admin]`: the operators' HTTP interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens. It has no login, so it belongs on a private address.
    pub address: SocketAddr,
}

/// `[runtime]`: how the process uses the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// Threads that serve sessions; `None` means one per core.
    pub worker_threads: Option<usize>,
}

/// `[limits]`: what the process takes on at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Client sessions at one time, from accept to close. More are refused with an error.
    pub sessions_max: usize,
    /// Logins in progress at one time.
    pub handshakes_max: usize,
    /// Accepted clients that wait for one of those; more are refused with an error.
    pub login_queue_max: usize,
    /// Bytes of a client's whole LOGIN7 message.
    pub login_bytes_max: usize,
    /// Bytes of the buffer a busy session uses in each direction. Idle sessions hold none.
    pub relay_buffer_bytes: usize,
    /// Resident bytes of the process from which on new sessions are refused; `None` means that nobody counts.
    pub memory_bytes_max: Option<u64>,
}

/// `[timeouts]`: how long each wait may last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// From accept until the client's PRELOGIN (or its TLS handshake) has arrived whole.
    pub prelogin: Duration,
    /// A TLS handshake, on either leg.
    pub tls_handshake: Duration,
    /// A whole login, from accept until the client has its answer; waiting in the queue and the backend's login count.
    pub login: Duration,
    /// A TCP connection to a replica.
    pub backend_connect: Duration,
    /// A login to a replica, once connected.
    pub backend_login: Duration,
    /// A logged-in session without a request; `None` means for ever.
    pub idle: Option<Duration>,
    /// A request, from its first packet until its response has ended; `None` means for ever.
    pub request: Option<Duration>,
    /// A peer that takes no byte while we have bytes for it; `None` means for ever.
    pub stall: Option<Duration>,
    /// Silence on a connection before TCP asks whether the peer is still there; `None` means never.
    pub keepalive: Option<Duration>,
    /// What running sessions get to finish when the process is asked to stop.
    pub drain: Duration,
    /// Between two probes of a replica.
    pub probe_interval: Duration,
    /// Between two looks at the configuration's files; `None` means that nobody looks.
    pub watch_interval: Option<Duration>,
}

/// `[replicas.NAME]`: one SQL Server instance.
#[derive(Debug, Clone)]
pub struct Replica {
    /// Its name in links, logs and metrics.
    pub name: ReplicaName,
    /// Where it listens.
    pub address: Address,
    /// Each connection to it begins with a header of the PROXY protocol, version 2.
    pub send_proxy_protocol: bool,
    /// How a connection to it is encrypted: exactly so, never less.
    pub encryption: Encryption,
    /// Which certificate it may show.
    pub trust: Trust,
    /// The name its certificate must carry, where that is not the host of its address. Without it that host is a name (or
    /// an IP address) a certificate can carry, unless certificates are not looked at.
    pub host_name: Option<ServerName<'static>>,
    /// The proxy's own identity there, where clients do not log in with theirs.
    pub identity: Option<Identity>,
    /// The login of probes, where they should see more than what a server tells anybody.
    pub probe: Option<SqlLogin>,
}

/// Which certificate a replica may show.
#[derive(Debug, Clone)]
pub enum Trust {
    /// One that the system's roots vouch for.
    SystemRoots,
    /// One that the roots of `ca_file` vouch for.
    Roots(Arc<RootCertStore>),
    /// Any: the connection is encrypted, but to whom is not proven. Only where the operator wrote it.
    Anything,
}

/// `[services.NAME]`: a listener and its policy.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name in logs and metrics.
    pub name: Arc<str>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The link for sessions whose database is in none, or that name none.
    pub link: LinkName,
    /// The load balancers whose connections each begin with a header of the PROXY protocol; nobody else may connect then.
    /// Empty where clients connect directly.
    pub proxy_protocol_from: Vec<Network>,
    /// The least encryption a client must accept.
    pub encryption: Encryption,
    /// What the service shows clients. Always there unless `encryption` is `Off`.
    pub certificate: Option<ServerCertificate>,
    /// What becomes of a read-only session when its link has no secondary it can reach.
    pub secondary_missing: SecondaryMissing,
    /// The largest TDS packet granted to a client, in bytes with its header: 512 to 32767 ([MS-TDS] 2.2.6.4).
    pub packet_bytes_max: usize,
    /// What it takes on at most.
    pub limits: ServiceLimits,
    /// What replicas read behind the application's own name; empty for nothing. At most 64 UTF-16 units.
    pub application_name_suffix: String,
}

/// What one service takes on at most, besides what the process does. `None` means no limit of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceLimits {
    /// Sessions at one time.
    pub sessions_max: Option<usize>,
    /// Sessions of one login name at one time.
    pub sessions_per_login_max: Option<usize>,
    /// Connections within a second; more are cut.
    pub connections_per_second_max: Option<u32>,
    /// Logins within a second; more are refused with an error.
    pub logins_per_second_max: Option<u32>,
}

/// How far a connection is encrypted, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encryption {
    /// To a replica: nothing. From a client: whatever the client wants, nothing included.
    Off,
    /// At least the login, so that no password crosses the network in clear.
    LoginOnly,
    /// The whole session, after a PRELOGIN in clear (TDS 7.x).
    Full,
    /// The whole session from its first byte: TDS 8.0.
    Strict,
}

/// What becomes of a read-only session without a secondary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondaryMissing {
    /// The primary serves it.
    Primary,
    /// It is refused with an error that drivers retry.
    Refuse,
}

impl Config {
    /// Reads and checks the file at `path`. Relative paths inside are taken from the file's own folder.
    ///
    /// # Errors
    /// The file cannot be read, or has mistakes: all of them.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let seen = SeenFile::now(path);
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        let text = fs::read_to_string(path).map_err(|error| ConfigErrors::unreadable(path, &error));
        match text.and_then(|text| Self::parse(&text, base)) {
            Ok(mut config) => {
                config.files.insert(0, seen);
                Ok(config)
            }
            Err(errors) => Err(errors.in_file(seen, path)),
        }
    }

    /// Checks a configuration given as text. Relative paths inside are taken from `base_dir`.
    ///
    /// # Errors
    /// The text has mistakes: all of them.
    pub fn parse(text: &str, base_dir: &Path) -> Result<Self, ConfigErrors> {
        let (document, syntax_errors) = DeTable::parse_recoverable(text);
        let mut problems = Problems::new(text, syntax_errors);
        let files = Files::new(base_dir);
        let mut root = Section::root(document.into_inner());
        let p = &mut problems;

        let log = settings::log(root.table("log", p), p);
        let admin = settings::admin(root.optional_table("admin", p), p);
        let runtime = settings::runtime(root.table("runtime", p), p);
        let limits = settings::limits(root.table("limits", p), p);
        let timeouts = settings::timeouts(root.table("timeouts", p), p);
        let replicas = replicas::read(root.named_tables("replicas", p), &files, p);
        let links = links::read(root.named_tables("links", p), &replicas, p);
        let sections = root.named_tables("services", p);
        let service_names: Vec<_> = sections.iter().map(|section| section.name.clone()).collect();
        let services = services::read(sections, &links, admin.as_ref(), &files, p);
        let browser = browser::read(root.optional_table("browser", p), &service_names, p);
        let rules = rules::read(root.tables("rules", p), &service_names, p);
        root.finish(p);

        let admin = admin.map(|admin| Admin { address: admin.into_inner() });
        let replicas = replicas.into_values().flatten().collect();
        let links = links.into_values().flatten().collect();
        problems.none_or_else(files.seen(), |files| Self {
            log,
            admin,
            runtime,
            limits,
            timeouts,
            replicas,
            links,
            services,
            browser,
            rules,
            files,
        })
    }

    /// The replica with this name.
    pub fn replica(&self, name: &ReplicaName) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.name == *name)
    }
}
