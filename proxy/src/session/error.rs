//! Why a session ended before it wanted to: whose fault it is, whether trying again is safe, what the client is told.

use std::io;
use std::sync::Arc;

use link_control::topology::{LinkName, ReplicaName};
use tds::DecodeError;
use tds::prelogin::Refusal;

use crate::identity::IdentityError;
use crate::limits::Limit;
use crate::proxy_protocol::HeaderError;

/// Where in its life a session was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Prelogin,
    Tls,
    Login,
    Request,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Prelogin => "PRELOGIN",
            Self::Tls => "the TLS handshake",
            Self::Login => "the login",
            Self::Request => "a request",
        })
    }
}

/// Who has to do something about an error. A metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// The application, its driver, or the network towards it.
    Client,
    /// A replica, or the network towards it.
    Backend,
    /// A limit of this process, or its shutdown.
    Proxy,
}

impl Fault {
    /// The fault as metrics and logs write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Backend => "backend",
            Self::Proxy => "proxy",
        }
    }
}

/// What went wrong in a session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("the client left during {0}")]
    ClientLeft(Phase),
    #[error("the client's connection failed during {0}")]
    ClientIo(Phase, #[source] io::Error),
    #[error("the client took too long for {0}")]
    ClientTooSlow(Phase),
    #[error("the client broke the protocol during {0}")]
    Client(Phase, #[source] DecodeError),
    #[error("the peer is not in proxy_protocol_from of this service, so it must not say who its client is")]
    UntrustedPeer,
    #[error("the peer did not say who its client is, as this service demands (proxy_protocol_from)")]
    ProxyProtocol(#[source] HeaderError),
    #[error("the client's TLS handshake failed")]
    ClientTls(#[source] io::Error),
    #[error("no encryption could be agreed on with the client")]
    ClientEncryption(#[source] Refusal),
    #[error("the client speaks TDS 7.x but this service takes only TDS 8.0 (Encrypt=Strict)")]
    StrictOnly,
    #[error("the client began with TLS (Encrypt=Strict) but this service has no certificate")]
    StrictWithoutCertificate,
    #[error("the client speaks a TDS version before 7.2 (0x{0:08x})")]
    TdsVersion(u32),
    #[error("a Microsoft Entra token would cross {0} in clear text")]
    TokenInClear(&'static str),
    #[error("replica {0} sends the login on to another server, which cannot be followed with Windows authentication")]
    BoundLogin(ReplicaName),
    #[error("rule {rule} rejects this login: {message}")]
    Rejected { rule: Arc<str>, message: String },
    #[error("the client did not prove itself before replica {0}")]
    Unproven(ReplicaName),
    #[error("the proxy has no credential for replica {replica} now")]
    Identity {
        replica: ReplicaName,
        #[source]
        source: IdentityError,
    },
    #[error("replica {replica} refused the proxy's own login with error {number}")]
    IdentityRefused { replica: ReplicaName, number: i32 },
    #[error("the limit of {max} {} is reached", .limit.of_what())]
    Limit { limit: Limit, max: u64 },
    #[error("the login took longer than its limit")]
    LoginTooSlow,
    #[error("link {link} has no {role} that can be reached")]
    NoReplica { link: LinkName, role: &'static str },
    #[error("replica {replica} cannot be reached")]
    Connect {
        replica: ReplicaName,
        #[source]
        source: io::Error,
    },
    #[error("replica {replica} took too long for {phase}")]
    BackendTooSlow { replica: ReplicaName, phase: Phase },
    #[error("the TLS handshake with replica {replica} failed")]
    BackendTls {
        replica: ReplicaName,
        #[source]
        source: io::Error,
    },
    #[error("no encryption could be agreed on with replica {replica}")]
    BackendEncryption {
        replica: ReplicaName,
        #[source]
        source: Refusal,
    },
    #[error("the connection to replica {replica} failed during {phase}")]
    BackendIo {
        replica: ReplicaName,
        phase: Phase,
        #[source]
        source: io::Error,
    },
    #[error("replica {replica} broke the protocol during {phase}")]
    Backend {
        replica: ReplicaName,
        phase: Phase,
        #[source]
        source: DecodeError,
    },
    #[error("replica {replica} sent the login on more than {hops} times")]
    TooManyHops { replica: ReplicaName, hops: usize },
    #[error("replica {replica} closed the connection while a request was running")]
    BackendLeft { replica: ReplicaName },
    #[error("the {0} took none of the bytes that wait for it")]
    Stalled(&'static str),
    #[error("the request ran longer than the limit of {0} ms")]
    RequestTooLong(u128),
    #[error("the proxy is shutting down")]
    Draining,
}

/// What a client is told: an ERROR token ([MS-TDS] 2.2.7.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) number: i32,
    pub(crate) class: u8,
    pub(crate) advice: &'static str,
}

/// SQL Server's "not currently available, retry later", which every driver's list of transient errors holds.
const NOT_AVAILABLE: i32 = 40613;
/// SQL Server's "resource limit reached", retried by every driver too.
const LIMIT_REACHED: i32 = 10928;
/// What drivers report for a connection that broke.
const CONNECTION_LOST: i32 = 10054;
/// SQL Server's number for a request that an attention ended. No driver retries it: it would only take as long again.
const REQUEST_ENDED: i32 = 3617;
/// SQL Server's "cannot be used with Windows authentication"; no driver retries it.
pub(super) const UNTRUSTED: i32 = 18452;
/// SQL Server's "logon failed due to trigger execution", its own way for operators to refuse a login; no driver retries it.
const REFUSED_BY_RULE: i32 = 17892;
/// SQL Server's "the login packet is structurally invalid"; no driver retries it.
const INVALID_LOGIN: i32 = 17832;
/// A resource error: the session ends, the client's pool need not.
const CLASS_RESOURCE: u8 = 17;
/// A login error.
pub(super) const CLASS_LOGIN: u8 = 14;
/// Fatal: the connection is gone with it.
const CLASS_FATAL: u8 = 20;

impl SessionError {
    /// Whose fault it is.
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::ClientLeft(_)
            | Self::ClientIo(..)
            | Self::ClientTooSlow(_)
            | Self::Client(..)
            | Self::UntrustedPeer
            | Self::ProxyProtocol(_)
            | Self::ClientTls(_)
            | Self::ClientEncryption(_)
            | Self::StrictOnly
            | Self::StrictWithoutCertificate
            | Self::TdsVersion(_)
            | Self::TokenInClear(_)
            | Self::Rejected { .. }
            | Self::Stalled("client") => Fault::Client,
            Self::Limit { .. } | Self::LoginTooSlow | Self::RequestTooLong(_) | Self::Draining => Fault::Proxy,
            Self::Unproven(_) | Self::Identity { .. } | Self::IdentityRefused { .. } => Fault::Proxy,
            _ => Fault::Backend,
        }
    }

    /// Whether the same login may be tried on another replica: this one never became a backend.
    pub(crate) fn may_try_elsewhere(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. }
                | Self::BackendTooSlow { .. }
                | Self::BackendTls { .. }
                | Self::BackendEncryption { .. }
                | Self::BackendIo { phase: Phase::Prelogin | Phase::Tls | Phase::Login, .. }
                | Self::Backend { phase: Phase::Prelogin | Phase::Tls | Phase::Login, .. }
                | Self::TooManyHops { .. }
                | Self::Identity { .. }
        )
    }

    /// What the client is told; `None` where nobody listens or what was sent cannot be followed by an error.
    pub(crate) fn answer(&self) -> Option<Answer> {
        let answer = |number, class, advice| Some(Answer { number, class, advice });
        match self {
            Self::ClientLeft(_) | Self::ClientIo(..) | Self::ClientTooSlow(_) | Self::ClientTls(_) => None,
            Self::ClientEncryption(_) | Self::StrictOnly | Self::StrictWithoutCertificate | Self::Stalled(_) => None,
            Self::Client(..) | Self::UntrustedPeer | Self::ProxyProtocol(_) => None,
            Self::TdsVersion(_) => answer(INVALID_LOGIN, CLASS_FATAL, "use a driver that speaks TDS 7.2 or later"),
            Self::TokenInClear(_) => {
                answer(UNTRUSTED, CLASS_LOGIN, "encrypt it as a whole (Encrypt=Mandatory or Strict)")
            }
            Self::BoundLogin(_) => {
                answer(UNTRUSTED, CLASS_LOGIN, "use a SQL login, or name that server as the replica")
            }
            Self::Rejected { .. } => answer(REFUSED_BY_RULE, CLASS_LOGIN, "retrying does not help"),
            Self::Limit { .. } => answer(LIMIT_REACHED, CLASS_RESOURCE, "retry later, or raise the limit"),
            Self::BackendLeft { .. }
            | Self::BackendIo { phase: Phase::Request, .. }
            | Self::Backend { phase: Phase::Request, .. } => answer(
                CONNECTION_LOST,
                CLASS_FATAL,
                "whether the request took effect is not known: check before repeating a write",
            ),
            Self::RequestTooLong(_) => answer(
                REQUEST_ENDED,
                CLASS_FATAL,
                "the session ends and what it had open is rolled back; check before repeating a write",
            ),
            Self::Draining => answer(NOT_AVAILABLE, CLASS_FATAL, "retry the connection"),
            _ => answer(NOT_AVAILABLE, CLASS_RESOURCE, "retry the connection later"),
        }
    }
}

/// The error with all its causes, for a log line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
