//! The further legs of a login: what a replica asks of the client before it decides, and the client's answers.
//!
//! An SSPI exchange (Windows) and the token of a federated login (Microsoft Entra) travel in messages between LOGIN7 and
//! the login response ([MS-TDS] 3.2.5.2, 3.2.5.3). They are passed on as they are: an SSPI token is good for one exchange
//! with one server, so it is never used again.

use bytes::{Bytes, BytesMut};
use tds::DecodeError;
use tds::packet::{PACKET_BYTES_LOGIN, PacketKind};

use super::response::Asked;
use crate::net::Stream;
use crate::net::messages::{self, ReadError};
use crate::session::error::{Phase, SessionError};

/// More legs than any SSPI package needs.
const LEGS_MAX: usize = 8;

/// The client's side of a login that is still going on.
pub(crate) struct Dialogue<'a> {
    client: &'a mut Stream,
    early: &'a mut BytesMut,
    /// Bytes of one answer of the client.
    bytes_max: usize,
    legs: usize,
    /// The client's federated token, for a login that is sent on: the token is for the service, not for one server.
    token: Option<Bytes>,
    /// An SSPI leg went to the client.
    bound: bool,
}

impl<'a> Dialogue<'a> {
    /// Nothing was said yet. `early` is what was read behind LOGIN7.
    pub(crate) fn new(client: &'a mut Stream, early: &'a mut BytesMut, bytes_max: usize) -> Self {
        Self { client, early, bytes_max, legs: 0, token: None, bound: false }
    }

    /// Whether the client has proven itself to one server in a way no other server accepts.
    pub(crate) fn is_bound(&self) -> bool {
        self.bound
    }

    /// Whether everything the client sends is encrypted.
    pub(crate) fn is_protected(&self) -> bool {
        matches!(self.client, Stream::Tls(_))
    }

    /// Whether the client was told anything, so that its login cannot begin anew.
    pub(crate) fn has_spoken(&self) -> bool {
        self.legs > 0
    }

    /// Passes a replica's question to the client and gives its answer, with the type it travels in.
    ///
    /// # Errors
    /// The client left, answers something else, or the replica asks without end.
    pub(crate) async fn ask(&mut self, asked: Asked, question: &[u8]) -> Result<(PacketKind, Bytes), SessionError> {
        let kind = match asked {
            Asked::Sspi => PacketKind::Sspi,
            Asked::FederatedToken => PacketKind::FedAuthToken,
        };
        if let (Asked::FederatedToken, Some(token)) = (asked, &self.token) {
            return Ok((kind, token.clone()));
        }
        self.legs += 1;
        self.bound |= asked == Asked::Sspi;
        if self.legs > LEGS_MAX {
            return Err(client(DecodeError::TooLarge { what: "the exchange of a login", limit: LEGS_MAX }));
        }
        messages::write_message(self.client, PacketKind::TabularResult, PACKET_BYTES_LOGIN, question)
            .await
            .map_err(|error| SessionError::ClientIo(Phase::Login, error))?;
        let answer = messages::read_message(self.client, self.early, PACKET_BYTES_LOGIN, self.bytes_max).await;
        let answer = answer.map_err(|error| match error {
            ReadError::Closed => SessionError::ClientLeft(Phase::Login),
            ReadError::Io(error) => SessionError::ClientIo(Phase::Login, error),
            ReadError::Decode(error) => client(error),
        })?;
        if answer.first.kind != kind {
            return Err(client(DecodeError::Misplaced("the client did not go on with its login")));
        }
        let answer = answer.body.freeze();
        if asked == Asked::FederatedToken {
            self.token = Some(answer.clone());
        }
        Ok((kind, answer))
    }
}

fn client(error: DecodeError) -> SessionError {
    SessionError::Client(Phase::Login, error)
}
