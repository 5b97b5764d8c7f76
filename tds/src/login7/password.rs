//! A password, and the obfuscation LOGIN7 carries it in ([MS-TDS] 2.2.6.4). The obfuscation keeps nothing secret.

use crate::{DecodeError, text};
use bytes::BufMut;

/// A password. Neither `Debug` nor anything else here shows it; [`Password::expose`] is the one way to read it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Password(String);

impl Password {
    /// The password in clear text, to be compared or sent and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn decode(bytes: &[u8], what: &'static str) -> Result<Self, DecodeError> {
        let clear: Vec<u8> = bytes.iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect();
        text::decode(&clear, what).map(Self)
    }

    pub(super) fn put(&self, out: &mut impl BufMut) {
        let obfuscate = |byte: u8| byte.rotate_left(4) ^ 0xA5;
        self.0.encode_utf16().flat_map(u16::to_le_bytes).for_each(|byte| out.put_u8(obfuscate(byte)));
    }
}

impl From<String> for Password {
    fn from(clear: String) -> Self {
        Self(clear)
    }
}

impl From<&str> for Password {
    fn from(clear: &str) -> Self {
        Self(clear.to_owned())
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}
