//! Reads passwords and tokens where the operator put them, and never shows one.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::{BufMut, Bytes, BytesMut};
use tds::login7::Password;

use crate::config::SecretSource;

/// More than any password or token has; a LOGIN7 has room for about twice as much.
const SECRET_BYTES_MAX: usize = 32 * 1024;

/// Why a secret is not there. Says where it should be, never what was there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("{} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is empty", .0.display())]
    Empty(PathBuf),
    #[error("{} has more than {SECRET_BYTES_MAX} bytes", .0.display())]
    TooLong(PathBuf),
    #[error("{} is no UTF-8 text of one line", .0.display())]
    NotText(PathBuf),
    #[error("the environment variable {0} is not set, or empty")]
    Unset(String),
}

/// A Microsoft Entra access token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl Token {
    /// A token as its provider gave it; `None` if it could not be one.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let plain =
            !text.is_empty() && text.len() <= SECRET_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        plain.then(|| Self(text.to_owned()))
    }

    /// The data of FEDAUTH with library 1, "security token" ([MS-TDS] 2.2.6.4). The echo bit is set once the server's
    /// PRELOGIN is known.
    pub(crate) fn feature_data(&self) -> Bytes {
        const SECURITY_TOKEN: u8 = 0x01 << 1;
        let mut data = BytesMut::with_capacity(5 + 2 * self.0.len());
        data.put_u8(SECURITY_TOKEN);
        data.put_u32_le(u32::try_from(2 * self.0.len()).unwrap_or(u32::MAX));
        self.0.encode_utf16().for_each(|unit| data.put_u16_le(unit));
        data.freeze()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// The password at `source`, as it is now.
///
/// # Errors
/// There is none.
pub(crate) fn password(source: &SecretSource) -> Result<Password, SecretError> {
    match source {
        SecretSource::File(path) => text(path).map(Password::from),
        SecretSource::Environment(name) => match std::env::var(name) {
            Ok(text) if !text.is_empty() => Ok(Password::from(text)),
            _ => Err(SecretError::Unset(name.clone())),
        },
    }
}

/// The token in the file at `path`, as it is now.
///
/// # Errors
/// There is none, or it is none.
pub(crate) fn token(path: &Path) -> Result<Token, SecretError> {
    Token::new(&text(path)?).ok_or_else(|| SecretError::NotText(path.to_owned()))
}

/// The text of a file without the line end after it.
pub(crate) fn text(path: &Path) -> Result<String, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let most = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX);
    File::open(path).map_err(unreadable)?.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(SecretError::TooLong(path.to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretError::NotText(path.to_owned()))?;
    let line = text.trim_end_matches(['\r', '\n']);
    match line {
        "" => Err(SecretError::Empty(path.to_owned())),
        line if line.contains(['\r', '\n']) => Err(SecretError::NotText(path.to_owned())),
        line => Ok(line.to_owned()),
    }
}
