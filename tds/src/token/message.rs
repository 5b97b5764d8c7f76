//! ERROR and INFO ([MS-TDS] 2.2.7.10, 2.2.7.13).

use super::{expect_end, id, put_counted};
use crate::read::Reader;
use crate::{DecodeError, text};
use bytes::{BufMut, BytesMut};

/// Longest text we write, in UTF-16 code units: leaves room for the names in a token of 64 KiB.
const TEXT_UNITS: usize = 30_000;

/// Error or information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageKind {
    /// ERROR: class 11 and above.
    Error = id::ERROR,
    /// INFO: class 10 and below.
    Info = id::INFO,
}

/// An error or a message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Error or information.
    pub kind: MessageKind,
    /// The message number.
    pub number: i32,
    /// Its state.
    pub state: u8,
    /// Its class, also called severity.
    pub class: u8,
    /// Its text. May quote the statement's data.
    pub text: String,
    /// The server's name.
    pub server: String,
    /// The procedure it arose in, empty for none.
    pub procedure: String,
    /// The line it arose in.
    pub line: u32,
}

impl Message {
    /// An error without procedure, on line 1.
    pub fn error(number: i32, state: u8, class: u8, text: &str, server: &str) -> Self {
        Self {
            kind: MessageKind::Error,
            number,
            state,
            class,
            text: text.to_owned(),
            server: server.to_owned(),
            procedure: String::new(),
            line: 1,
        }
    }

    /// Information without procedure, class 0.
    pub fn info(number: i32, state: u8, text: &str, server: &str) -> Self {
        Self { kind: MessageKind::Info, ..Self::error(number, state, 0, text, server) }
    }

    /// Reads what follows the token byte. Text that is not valid UTF-16 is kept readable, since it is only shown.
    ///
    /// # Errors
    /// A length that does not fit the fields.
    pub fn decode(kind: MessageKind, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut body = Reader::new(reader.us_varbyte("ERROR or INFO")?);
        let (number, state, class) = (body.i32("message number")?, body.u8("state")?, body.u8("class")?);
        let units = usize::from(body.u16("message length")?);
        let text = text::decode_lossy(body.take(units.saturating_mul(2), "message text")?);
        let server = body.b_varchar("server name")?;
        let procedure = body.b_varchar("procedure name")?;
        let line = body.u32("line number")?;
        expect_end(&body, "the length of an ERROR or INFO")?;
        Ok(Self { kind, number, state, class, text, server, procedure, line })
    }

    /// Appends the token.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(self.kind as u8);
        put_counted(out, |out| {
            out.put_i32_le(self.number);
            out.put_u8(self.state);
            out.put_u8(self.class);
            text::put_us_varchar(out, text::cut(&self.text, TEXT_UNITS));
            text::put_b_varchar(out, &self.server);
            text::put_b_varchar(out, &self.procedure);
            out.put_u32_le(self.line);
        });
    }
}
