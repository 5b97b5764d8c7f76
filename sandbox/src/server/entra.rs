//! Simulated Microsoft Entra logins: one made-up token, taken in LOGIN7 (library 1) or asked for (library 2)
//! ([MS-TDS] 2.2.6.4 FEDAUTH, 2.2.7.12, 2.2.6.3).

use super::Error;
use super::packets::{read_one, write_packets};
use super::stream::Stream;
use bytes::BytesMut;
use tds::DecodeError;
use tds::login7::Feature;
use tds::packet::{self, PACKET_BYTES_LOGIN, PacketKind};
use tds::read::Reader;
use tds::token::FedAuthInfo;

/// The token is in LOGIN7.
const SECURITY_TOKEN: u8 = 1;
/// The server says where to get a token, and the client sends it in a message of its own.
const ADAL: u8 = 2;
/// More than any token has.
const TOKEN_BYTES_MAX: usize = 128 * 1024;

/// What the login of a client is judged by.
pub(super) struct Entra<'a> {
    /// The token that is right; `None` where the server takes none.
    pub(super) token: Option<&'a str>,
    /// What PRELOGIN said of FEDAUTHREQUIRED, which the client must repeat.
    pub(super) required: bool,
    pub(super) framing: packet::Framing,
}

impl Entra<'_> {
    /// Hears the client's token, asking for it if need be. Gives why it does not prove anything, if it does not.
    pub(super) async fn prove(&self, stream: &mut Stream, feature: &Feature) -> Result<Option<&'static str>, Error> {
        let Some(right) = self.token else { return Ok(Some("the simulated server takes no Microsoft Entra logins")) };
        if !stream.is_encrypted() {
            return Ok(Some("a token must not travel in clear text"));
        }
        let mut data = Reader::new(&feature.data);
        let options = data.u8("FEDAUTH options")?;
        if (options & 1 == 1) != self.required {
            return Ok(Some("the FEDAUTH echo is not what PRELOGIN said of FEDAUTHREQUIRED"));
        }
        let token = match options >> 1 {
            SECURITY_TOKEN => token(&mut data)?,
            ADAL => self.ask(stream).await?,
            _ => return Ok(Some("this federation library is unknown")),
        };
        Ok((token != right).then_some("the token is not the sandbox's"))
    }

    async fn ask(&self, stream: &mut Stream) -> Result<String, Error> {
        let mut question = BytesMut::new();
        let sts_url = "https://login.microsoftonline.invalid/sandbox".to_owned();
        FedAuthInfo { sts_url, spn: "https://database.windows.invalid/".to_owned() }.encode(&mut question);
        let mut packets = BytesMut::new();
        packet::put_message(&mut packets, self.framing, &question);
        write_packets(stream, &packets, true).await?;
        let mut message = Vec::new();
        loop {
            let (header, body) = read_one(stream, PACKET_BYTES_LOGIN).await?;
            if header.kind != PacketKind::FedAuthToken {
                return Err(Error::Unexpected(header.kind));
            }
            if message.len() + body.len() > TOKEN_BYTES_MAX {
                return Err(DecodeError::TooLarge { what: "a token", limit: TOKEN_BYTES_MAX }.into());
            }
            message.extend_from_slice(&body);
            if header.status.is_end_of_message() {
                break;
            }
        }
        let mut message = Reader::new(&message);
        message.u32("the length of a FEDAUTH message")?;
        Ok(token(&mut message)?)
    }
}

fn token(data: &mut Reader<'_>) -> Result<String, DecodeError> {
    let bytes = usize::try_from(data.u32("the length of a token")?).unwrap_or(usize::MAX);
    tds::text::decode(data.take(bytes, "a token")?, "a token")
}
