//! The login response, token by token ([MS-TDS] 2.2.6.2 and 3.2.5.3): small, whole, and never with rows in it.

use crate::DecodeError;
use crate::read::Reader;

/// Largest login response taken, in bytes. Real ones have a few hundred; FEDAUTHINFO and SSPI blobs some thousands.
pub const LOGIN_RESPONSE_BYTES_MAX: usize = 128 * 1024;

/// The tokens a login response may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LoginTokenKind {
    /// The login or the database failed.
    Error = 0xAA,
    /// A message for the user.
    Info = 0xAB,
    /// The login succeeded.
    LoginAck = 0xAD,
    /// Which features the server agreed to.
    FeatureExtAck = 0xAE,
    /// A setting of the session.
    EnvChange = 0xE3,
    /// The session's initial state, for session recovery.
    SessionState = 0xE4,
    /// A further leg of an SSPI exchange.
    Sspi = 0xED,
    /// Where to get a federated authentication token.
    FedAuthInfo = 0xEE,
    /// The end.
    Done = 0xFD,
}

/// One token of a login response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginToken<'a> {
    /// Which token.
    pub kind: LoginTokenKind,
    /// The whole token, identifier byte included: what is sent on if it is.
    pub raw: &'a [u8],
    /// What follows the identifier byte: what the decoders of [`token`](crate::token) take.
    pub body: &'a [u8],
}

/// Goes through the tokens of a whole login response. Ends after the last token or at the first error.
#[derive(Debug, Clone)]
pub struct LoginTokens<'a> {
    response: &'a [u8],
    reader: Reader<'a>,
    broken: bool,
}

impl<'a> LoginTokens<'a> {
    /// Starts at the first token of `response`, the payload of the whole message.
    pub fn new(response: &'a [u8]) -> Self {
        Self { response, reader: Reader::new(response), broken: false }
    }

    fn token(&mut self) -> Result<LoginToken<'a>, DecodeError> {
        let start = self.reader.position();
        let kind = LoginTokenKind::try_from(self.reader.u8("token")?)?;
        match kind {
            LoginTokenKind::Done => {
                self.reader.take(12, "DONE")?;
            }
            LoginTokenKind::SessionState | LoginTokenKind::FedAuthInfo => self.skip_counted("token")?,
            LoginTokenKind::FeatureExtAck => {
                while self.reader.u8("feature id")? != 0xFF {
                    self.skip_counted("feature")?;
                }
            }
            _ => {
                self.reader.us_varbyte("token")?;
            }
        }
        let raw = self.response.get(start..self.reader.position()).unwrap_or_default();
        let body = raw.get(1..).unwrap_or_default();
        Ok(LoginToken { kind, raw, body })
    }

    fn skip_counted(&mut self, what: &'static str) -> Result<(), DecodeError> {
        let length = self.reader.u32(what)?;
        self.reader.take(usize::try_from(length).unwrap_or(usize::MAX), what)?;
        Ok(())
    }
}

impl<'a> Iterator for LoginTokens<'a> {
    type Item = Result<LoginToken<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken || self.reader.is_empty() {
            return None;
        }
        let token = self.token();
        self.broken = token.is_err();
        Some(token)
    }
}

impl TryFrom<u8> for LoginTokenKind {
    type Error = DecodeError;

    fn try_from(byte: u8) -> Result<Self, DecodeError> {
        Ok(match byte {
            0xAA => Self::Error,
            0xAB => Self::Info,
            0xAD => Self::LoginAck,
            0xAE => Self::FeatureExtAck,
            0xE3 => Self::EnvChange,
            0xE4 => Self::SessionState,
            0xED => Self::Sspi,
            0xEE => Self::FedAuthInfo,
            0xFD => Self::Done,
            other => return Err(DecodeError::UnknownToken(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    //! Any bytes are tokens or an error; tokens that are whole are found whole.

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_are_found_one_by_one() {
        let response =
            [&[0xAB, 2, 0, 1, 2][..], &[0xEE, 1, 0, 0, 0, 9], &[0xAE, 1, 1, 0, 0, 0, 7, 0xFF], &[0xFD; 13]].concat();
        let kinds: Vec<_> = LoginTokens::new(&response).map(|token| token.unwrap().kind).collect();
        use LoginTokenKind::{Done, FeatureExtAck, FedAuthInfo, Info};
        assert_eq!(kinds, [Info, FedAuthInfo, FeatureExtAck, Done]);
    }

    #[test]
    fn a_length_beyond_the_response_is_an_error_and_the_end() {
        for lie in
            [&[0xEE, 0xFF, 0xFF, 0xFF, 0xFF][..], &[0xE3, 0xFF, 0xFF], &[0xAE, 1, 0xFF, 0xFF, 0xFF, 0x7F], &[0xD1]]
        {
            let mut tokens = LoginTokens::new(lie);
            assert!(tokens.next().unwrap().is_err(), "{lie:?}");
            assert_eq!(tokens.next(), None);
        }
    }

    proptest! {
        #[test]
        fn the_raw_tokens_are_the_response_and_nothing_panics(response in proptest::collection::vec(any::<u8>(), 0..200)) {
            let whole: Vec<u8> = LoginTokens::new(&response).map_while(Result::ok).flat_map(|token| token.raw.to_vec()).collect();
            prop_assert!(response.starts_with(&whole));
        }
    }
}
