//! LOGINACK, FEDAUTHINFO and SESSIONSTATE ([MS-TDS] 2.2.7.14, 2.2.7.12, 2.2.7.21).

use super::{expect_end, id, put_counted};
use crate::read::Reader;
use crate::{DecodeError, text};
use bytes::{BufMut, Bytes, BytesMut};

/// The login succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginAck {
    /// 1 is SQL_TSQL, the only one current servers send.
    pub interface: u8,
    /// The TDS version as it reads in hexadecimal, such as 0x74000004 for 7.4.
    pub tds_version: u32,
    /// The server's product name.
    pub program: String,
    /// Major, minor, and the two bytes of the build.
    pub version: [u8; 4],
}

impl LoginAck {
    /// Reads what follows the token byte.
    ///
    /// # Errors
    /// A length that does not fit the fields.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut body = Reader::new(reader.us_varbyte("LOGINACK")?);
        let ack = Self {
            interface: body.u8("interface")?,
            tds_version: body.u32_be("TDS version")?,
            program: body.b_varchar("program name")?,
            version: body.array("program version")?,
        };
        expect_end(&body, "the length of a LOGINACK")?;
        Ok(ack)
    }

    /// Appends the token.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(id::LOGIN_ACK);
        put_counted(out, |out| {
            out.put_u8(self.interface);
            out.put_u32(self.tds_version);
            text::put_b_varchar(out, &self.program);
            out.put_slice(&self.version);
        });
    }
}

/// Where a client gets a token for federated authentication. Options that are not known are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FedAuthInfo {
    /// URL of the token service.
    pub sts_url: String,
    /// The resource the token must be for.
    pub spn: String,
}

impl FedAuthInfo {
    const STS_URL: u8 = 1;
    const SPN: u8 = 2;
    /// Bytes of an option: its number, length and offset.
    const OPTION_BYTES: u32 = 9;

    /// Reads what follows the token byte.
    ///
    /// # Errors
    /// Offsets or lengths that point outside the token.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const WHAT: &str = "FEDAUTHINFO";
        let size = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let body = reader.u32("FEDAUTHINFO length").and_then(|count| reader.take(size(count), WHAT))?;
        let mut options = Reader::new(body);
        let mut info = Self::default();
        for _ in 0..options.u32("FEDAUTHINFO option count")? {
            let option = options.u8("FEDAUTHINFO option")?;
            let (count, offset) = (options.u32("FEDAUTHINFO data length")?, options.u32("FEDAUTHINFO data offset")?);
            let mut data = Reader::new(body);
            data.take(size(offset), WHAT)?;
            let value = text::decode(data.take(size(count), WHAT)?, WHAT)?;
            match option {
                Self::STS_URL => info.sts_url = value,
                Self::SPN => info.spn = value,
                _ => {}
            }
        }
        Ok(info)
    }

    /// Appends the token.
    pub fn encode(&self, out: &mut BytesMut) {
        let mut data = BytesMut::new();
        text::put(&mut data, text::cut(&self.sts_url, usize::from(u16::MAX)));
        let url_bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
        text::put(&mut data, text::cut(&self.spn, usize::from(u16::MAX)));
        let spn_bytes = u32::try_from(data.len()).unwrap_or(u32::MAX).saturating_sub(url_bytes);
        // Offsets count from the option count, which 4 bytes and two options follow.
        let start = Self::OPTION_BYTES.saturating_mul(2).saturating_add(4);
        out.put_u8(id::FED_AUTH_INFO);
        out.put_u32_le(start.saturating_add(url_bytes).saturating_add(spn_bytes));
        out.put_u32_le(2);
        for (option, count, offset) in
            [(Self::STS_URL, url_bytes, start), (Self::SPN, spn_bytes, start.saturating_add(url_bytes))]
        {
            out.put_u8(option);
            out.put_u32_le(count);
            out.put_u32_le(offset);
        }
        out.put_slice(&data);
    }
}

/// The session's state changed, for session recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionState {
    /// Counts the tokens of a session, from 0.
    pub sequence: u32,
    /// Whether the session can be recovered now (`fRecoverable`).
    pub recoverable: bool,
    /// Numbers and values of the states that changed.
    pub states: Vec<(u8, Bytes)>,
}

impl SessionState {
    /// The length that says a length of four bytes follows.
    const LONG: u8 = 0xFF;

    /// Reads what follows the token byte.
    ///
    /// # Errors
    /// A length that does not fit the fields.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let size = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let count = reader.u32("SESSIONSTATE length")?;
        let mut body = Reader::new(reader.take(size(count), "SESSIONSTATE")?);
        let sequence = body.u32("SESSIONSTATE sequence number")?;
        let recoverable = body.u8("SESSIONSTATE status")? & 1 != 0;
        let mut states = Vec::new();
        while !body.is_empty() {
            let state = body.u8("session state")?;
            let count = match body.u8("session state length")? {
                Self::LONG => size(body.u32("session state length")?),
                short => usize::from(short),
            };
            states.push((state, Bytes::copy_from_slice(body.take(count, "session state value")?)));
        }
        Ok(Self { sequence, recoverable, states })
    }

    /// Appends the token.
    pub fn encode(&self, out: &mut BytesMut) {
        let mut body = BytesMut::new();
        body.put_u32_le(self.sequence);
        body.put_u8(u8::from(self.recoverable));
        for (state, value) in &self.states {
            body.put_u8(*state);
            match u8::try_from(value.len()) {
                Ok(count) if count < Self::LONG => body.put_u8(count),
                _ => {
                    body.put_u8(Self::LONG);
                    body.put_u32_le(u32::try_from(value.len()).unwrap_or(u32::MAX));
                }
            }
            body.put_slice(value);
        }
        out.put_u8(id::SESSION_STATE);
        out.put_u32_le(u32::try_from(body.len()).unwrap_or(u32::MAX));
        out.put_slice(&body);
    }
}
