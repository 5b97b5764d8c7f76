//! How a client and a server agree on encryption: the values of PRELOGIN's ENCRYPTION and both sides' decisions.
//!
//! The replies below are the only ones every driver understands the same way. For example, a server that answers
//! [`Encryption::On`] to [`Encryption::Off`] gets a password in clear text from SqlClient.

use crate::DecodeError;

const CLIENT_CERTIFICATE: u8 = 0x80;

/// The value of the ENCRYPTION option ([MS-TDS] 2.2.6.5), without its client certificate bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS is there; only the login needs it.
    Off,
    /// The whole session in TLS.
    On,
    /// No TLS at all.
    NotSupported,
    /// The sender insists on TLS for the whole session.
    Required,
    /// What go-mssqldb sends inside the TLS of TDS 8.0, where this option decides nothing.
    Strict,
}

impl Encryption {
    pub(super) fn parse(byte: u8) -> Result<(Self, bool), DecodeError> {
        let encryption = match byte & !CLIENT_CERTIFICATE {
            0x00 => Self::Off,
            0x01 => Self::On,
            0x02 => Self::NotSupported,
            0x03 => Self::Required,
            0x04 => Self::Strict,
            _ => return Err(DecodeError::BadValue { what: "PRELOGIN ENCRYPTION", value: u64::from(byte) }),
        };
        Ok((encryption, byte & CLIENT_CERTIFICATE != 0))
    }

    pub(super) fn to_byte(self, client_certificate: bool) -> u8 {
        let value = match self {
            Self::Off => 0x00,
            Self::On => 0x01,
            Self::NotSupported => 0x02,
            Self::Required => 0x03,
            Self::Strict => 0x04,
        };
        if client_certificate { value | CLIENT_CERTIFICATE } else { value }
    }
}

/// How much of a TDS 7.x session travels in TLS. The order is from less to more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// Nothing.
    Clear,
    /// The first packet of LOGIN7, which holds the password, and nothing after it.
    LoginOnly,
    /// Everything after PRELOGIN.
    Full,
}

/// What a server answers, and what happens next if the client goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// The value of ENCRYPTION in the answer.
    pub reply: Encryption,
    /// How much of the session is protected. A client that does otherwise must be disconnected.
    pub protection: Protection,
}

/// Why no encryption could be agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A client insists on TLS and this side has no certificate. Answering "not supported" is no way out: tedious and
    /// sqlx-oldapi would then send the password in clear text.
    #[error("the client wants an encrypted session and no certificate is configured")]
    NoCertificate,
    /// A client asks for strict encryption outside TLS.
    #[error("the client asks for strict encryption but did not begin with TLS")]
    StrictOutsideTls,
    /// A server encrypts less than this side asks for.
    #[error("the server offers less encryption than is configured for it")]
    ServerEncryptsLess,
    /// A server insists on TLS and this side is configured for clear text.
    #[error("the server requires encryption and clear text is configured for it")]
    ServerRequires,
    /// An answer that [MS-TDS] does not allow to what was offered.
    #[error("the server's answer does not fit the encryption it was offered")]
    BadAnswer,
}

/// A server's decision: what it answers to a client's `offer` when it must protect `at_least` so much.
///
/// `certificate` tells whether this side can do TLS at all. Without TLS, only [`Protection::Clear`] can be satisfied.
/// A client that sent no ENCRYPTION option offers [`Encryption::NotSupported`]. Clients that can do TLS but offered none
/// may follow a [`Encryption::Required`]; the others report it to their user.
///
/// # Errors
/// [`Refusal::NoCertificate`] and [`Refusal::StrictOutsideTls`]; the connection is to be closed without an answer.
pub fn agree(offer: Encryption, at_least: Protection, certificate: bool) -> Result<Agreement, Refusal> {
    let agreed = |reply, protection| Ok(Agreement { reply, protection });
    match (offer, at_least) {
        (Encryption::Strict, _) => Err(Refusal::StrictOutsideTls),
        (Encryption::Off | Encryption::NotSupported, Protection::Clear) if !certificate => {
            agreed(Encryption::NotSupported, Protection::Clear)
        }
        _ if !certificate => Err(Refusal::NoCertificate),
        (Encryption::On | Encryption::Required, _) => agreed(Encryption::On, Protection::Full),
        (Encryption::NotSupported, Protection::Clear) => agreed(Encryption::NotSupported, Protection::Clear),
        (Encryption::Off, Protection::Clear | Protection::LoginOnly) => agreed(Encryption::Off, Protection::LoginOnly),
        (Encryption::Off | Encryption::NotSupported, _) => agreed(Encryption::Required, Protection::Full),
    }
}

/// What a client offers that wants `wish`.
pub fn offer(wish: Protection) -> Encryption {
    match wish {
        Protection::Clear => Encryption::NotSupported,
        Protection::LoginOnly => Encryption::Off,
        Protection::Full => Encryption::On,
    }
}

/// A client's conclusion: how much is protected, at least `wish`, after the server answered `reply` to [`offer`].
///
/// # Errors
/// A refusal when the server would protect less than `wish`, insists on TLS against it, or answers what it must not.
pub fn settle(wish: Protection, reply: Encryption) -> Result<Protection, Refusal> {
    match (wish, reply) {
        (Protection::Clear, Encryption::NotSupported) => Ok(Protection::Clear),
        (Protection::Clear, Encryption::Required) => Err(Refusal::ServerRequires),
        (Protection::LoginOnly, Encryption::Off) => Ok(Protection::LoginOnly),
        (Protection::LoginOnly | Protection::Full, Encryption::Required) | (Protection::Full, Encryption::On) => {
            Ok(Protection::Full)
        }
        (Protection::LoginOnly, Encryption::NotSupported)
        | (Protection::Full, Encryption::NotSupported | Encryption::Off) => Err(Refusal::ServerEncryptsLess),
        (Protection::Clear, Encryption::Off | Encryption::On)
        | (Protection::LoginOnly, Encryption::On)
        | (_, Encryption::Strict) => Err(Refusal::BadAnswer),
    }
}
