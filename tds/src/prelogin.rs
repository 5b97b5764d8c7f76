//! PRELOGIN: its option list ([MS-TDS] 2.2.6.5) and, in [`encryption`], how both sides agree on encryption.

pub mod encryption;
#[cfg(test)]
mod tests;

pub use encryption::{Agreement, Encryption, Protection, Refusal, agree, offer, settle};

use crate::{DecodeError, read::Reader};
use bytes::{BufMut, Bytes, BytesMut};

/// Longest option list with its data. Both sides must send PRELOGIN in one packet of at most 4,096 bytes.
pub const PRELOGIN_BYTES_MAX: usize = 4096 - crate::packet::HEADER_BYTES;

const VERSION: u8 = 0x00;
const ENCRYPTION: u8 = 0x01;
const INSTANCE: u8 = 0x02;
const THREAD_ID: u8 = 0x03;
const MARS: u8 = 0x04;
const TRACE_ID: u8 = 0x05;
const FED_AUTH_REQUIRED: u8 = 0x06;
const NONCE: u8 = 0x07;
const TERMINATOR: u8 = 0xFF;
const OPTION_BYTES: usize = 5;

/// The version a side announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version {
    /// Major version; 16 is SQL Server 2022.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// Build number.
    pub build: u16,
    /// Build below the build, 0 from servers.
    pub sub_build: u16,
}

/// What a client sends so that its connection can be found in traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId {
    /// The connection; SqlClient shows it to its users as `ClientConnectionId`.
    pub connection_id: [u8; 16],
    /// The activity that opened the connection.
    pub activity_id: [u8; 16],
    /// Sequence number within the activity.
    pub activity_sequence: u32,
}

/// A PRELOGIN message, the client's or the server's. `None` is an option that was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prelogin {
    /// The sender's version; always sent, always first.
    pub version: Version,
    /// What the sender wants or decides about encryption.
    pub encryption: Option<Encryption>,
    /// Whether the sender asked for authentication by client certificate (bit 0x80 of ENCRYPTION).
    pub client_certificate: bool,
    /// From a client the instance's name with a closing NUL; from a server one byte, 0 for "that is me".
    pub instance: Option<Bytes>,
    /// From a client its thread (4 bytes); from a server nothing.
    pub thread_id: Option<Bytes>,
    /// Whether several requests at a time (MARS) are wanted, or granted.
    pub mars: Option<bool>,
    /// The client's trace ids. Never answered.
    pub trace_id: Option<TraceId>,
    /// From a client: it can authenticate with a federated token. From a server: it expects the echo in LOGIN7.
    pub fed_auth_required: Option<bool>,
    /// The nonce of the Live-ID library.
    pub nonce: Option<[u8; 32]>,
    /// Options [MS-TDS] does not define, by token, in the order they came.
    pub unknown: Vec<(u8, Bytes)>,
}

impl Prelogin {
    /// Reads the body of a PRELOGIN message, or of the answer to one.
    ///
    /// # Errors
    /// A list that does not begin with VERSION or does not end, an option outside the body, twice or of a wrong length,
    /// or a body above [`PRELOGIN_BYTES_MAX`].
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        if body.len() > PRELOGIN_BYTES_MAX {
            return Err(DecodeError::TooLarge { what: "a PRELOGIN message", limit: PRELOGIN_BYTES_MAX });
        }
        let mut prelogin = Self::default();
        let mut seen = [false; 256];
        let mut list = Reader::new(body);
        loop {
            let token = list.u8("PRELOGIN option")?;
            if list.position() == 1 && token != VERSION {
                return Err(DecodeError::Misplaced("the first PRELOGIN option is not VERSION"));
            }
            if token == TERMINATOR {
                return Ok(prelogin);
            }
            let offset = usize::from(list.u16_be("PRELOGIN offset")?);
            let length = usize::from(list.u16_be("PRELOGIN length")?);
            let mut data = Reader::new(body);
            if length > 0 {
                data.take(offset, "PRELOGIN data")?;
            }
            let data = data.take(length, "PRELOGIN data")?;
            if seen.get_mut(usize::from(token)).is_some_and(|seen| std::mem::replace(seen, true)) {
                return Err(DecodeError::Misplaced("a PRELOGIN option is sent twice"));
            }
            prelogin.set(token, data)?;
        }
    }

    fn set(&mut self, token: u8, data: &[u8]) -> Result<(), DecodeError> {
        match token {
            VERSION => {
                let [major, minor, build_high, build_low, sub_high, sub_low] = exactly(data, "PRELOGIN VERSION")?;
                let build = u16::from_be_bytes([build_high, build_low]);
                let sub_build = u16::from_be_bytes([sub_high, sub_low]);
                self.version = Version { major, minor, build, sub_build };
            }
            ENCRYPTION => {
                let [byte] = exactly(data, "PRELOGIN ENCRYPTION")?;
                let (encryption, client_certificate) = Encryption::parse(byte)?;
                self.encryption = Some(encryption);
                self.client_certificate = client_certificate;
            }
            INSTANCE => self.instance = Some(Bytes::copy_from_slice(data)),
            THREAD_ID => self.thread_id = Some(Bytes::copy_from_slice(data)),
            MARS => self.mars = Some(exactly::<1>(data, "PRELOGIN MARS")? != [0]),
            // Only traces need it, so a login is not refused for an unusual length.
            TRACE_ID => self.trace_id = TraceId::parse(data).ok(),
            FED_AUTH_REQUIRED => {
                self.fed_auth_required = Some(exactly::<1>(data, "PRELOGIN FEDAUTHREQUIRED")? != [0]);
            }
            NONCE => self.nonce = Some(exactly(data, "PRELOGIN NONCE")?),
            _ => self.unknown.push((token, Bytes::copy_from_slice(data))),
        }
        Ok(())
    }

    /// The body of the message: the options that are there, by token, then their data.
    pub fn encode(&self) -> Bytes {
        let options = self.options();
        let mut data_offset = options.len().saturating_mul(OPTION_BYTES).saturating_add(1);
        let mut body = BytesMut::new();
        for (token, data) in &options {
            body.put_u8(*token);
            body.put_u16(u16::try_from(data_offset).unwrap_or(u16::MAX));
            body.put_u16(u16::try_from(data.len()).unwrap_or(u16::MAX));
            data_offset = data_offset.saturating_add(data.len());
        }
        body.put_u8(TERMINATOR);
        options.iter().for_each(|(_, data)| body.put_slice(data));
        body.freeze()
    }

    fn options(&self) -> Vec<(u8, Bytes)> {
        let byte = |value: u8| Bytes::copy_from_slice(&[value]);
        let mut version = BytesMut::with_capacity(6);
        version.put_slice(&[self.version.major, self.version.minor]);
        version.put_u16(self.version.build);
        version.put_u16(self.version.sub_build);
        let mut options = vec![(VERSION, version.freeze())];
        let mut put = |token, data: Option<Bytes>| options.extend(data.map(|data| (token, data)));
        put(ENCRYPTION, self.encryption.map(|encryption| byte(encryption.to_byte(self.client_certificate))));
        put(INSTANCE, self.instance.clone());
        put(THREAD_ID, self.thread_id.clone());
        put(MARS, self.mars.map(|mars| byte(mars.into())));
        put(TRACE_ID, self.trace_id.map(TraceId::encode));
        put(FED_AUTH_REQUIRED, self.fed_auth_required.map(|required| byte(required.into())));
        put(NONCE, self.nonce.map(|nonce| Bytes::copy_from_slice(&nonce)));
        options.extend(self.unknown.iter().cloned());
        options
    }

    /// The server's answer to this message: this version, this decision, MARS declined, no federated login.
    ///
    /// Beside VERSION and ENCRYPTION it holds exactly the options the client sent: sqlx-oldapi panics on a THREADID it
    /// did not send, and FreeTDS falls back to TDS 7.1 when the MARS it sent is not answered.
    #[must_use]
    pub fn answer(&self, version: Version, encryption: Encryption) -> Self {
        Self {
            version,
            encryption: Some(encryption),
            instance: self.instance.as_ref().map(|_| Bytes::from_static(&[0])),
            thread_id: self.thread_id.as_ref().map(|_| Bytes::new()),
            mars: self.mars.map(|_| false),
            fed_auth_required: self.fed_auth_required.map(|_| false),
            ..Self::default()
        }
    }
}

impl TraceId {
    fn parse(data: &[u8]) -> Result<Self, DecodeError> {
        let mut data = Reader::new(data);
        Ok(Self {
            connection_id: data.array("PRELOGIN TRACEID")?,
            activity_id: data.array("PRELOGIN TRACEID")?,
            activity_sequence: data.u32("PRELOGIN TRACEID")?,
        })
    }

    fn encode(self) -> Bytes {
        let mut data = BytesMut::with_capacity(36);
        data.put_slice(&self.connection_id);
        data.put_slice(&self.activity_id);
        data.put_u32_le(self.activity_sequence);
        data.freeze()
    }
}

fn exactly<const N: usize>(data: &[u8], what: &'static str) -> Result<[u8; N], DecodeError> {
    data.try_into().map_err(|_| DecodeError::Truncated { what, want: N, have: data.len() })
}
