//! What a client is told when we end its login or its session: an ERROR token it can act on, then DONE.

use bytes::BytesMut;
use tds::login_response::{LoginTokenKind, LoginTokens};
use tds::packet::{self, Framing, PACKET_BYTES_LOGIN, PacketKind};
use tds::token::{Done, DoneKind, DoneStatus, Message};
use tokio::time::{Instant, timeout_at};

use super::error::{CLASS_LOGIN, Phase, SessionError, UNTRUSTED};
use crate::net::{Stream, messages};

/// The server name our errors carry, so that nobody looks for them in a replica's log.
const SERVER_NAME: &str = "tds-proxy";

/// The tokens that end a response with `error`; `None` where the client is not to be told.
pub(super) fn tokens(error: &SessionError, session_id: u64) -> Option<BytesMut> {
    let answer = error.answer()?;
    let text = format!("tds-proxy: {error}; {}. (session {session_id})", answer.advice);
    let mut tokens = BytesMut::new();
    Message::error(answer.number, 1, answer.class, &text, SERVER_NAME).encode(&mut tokens);
    Done { kind: DoneKind::Done, status: DoneStatus::ERROR, command: 0, rows: 0 }.encode(&mut tokens);
    Some(tokens)
}

/// What a relay of Windows logins cannot do. The server's refusal does not name these.
const LIMITS_OF_RELAY: &str = "a Windows login passes through the proxy only if the replica does not require extended \
    protection (channel binding), if the ticket is for the replica's own service principal name (ServerSPN in the \
    connection string), and for one replica per connection; otherwise use a SQL or Microsoft Entra login";

/// A refusal of a Windows login with an error of ours behind the server's own.
pub(super) fn with_limits_of_relay(refused: &[u8], session_id: u64) -> BytesMut {
    let text = format!("tds-proxy: {LIMITS_OF_RELAY}. (session {session_id})");
    let mut answer = BytesMut::with_capacity(refused.len() + 4 * text.len());
    let mut said = false;
    for token in LoginTokens::new(refused).map_while(Result::ok) {
        if token.kind == LoginTokenKind::Done && !said {
            Message::error(UNTRUSTED, 1, CLASS_LOGIN, &text, SERVER_NAME).encode(&mut answer);
            said = true;
        }
        answer.extend_from_slice(token.raw);
    }
    answer
}

/// Sends the answer to LOGIN7, under the backend's session id (0 without one). Its packets have the size of the login,
/// whatever was negotiated for later.
pub(super) async fn send(stream: &mut Stream, tokens: &[u8], spid: u16, deadline: Instant) -> Result<(), SessionError> {
    let mut framed = BytesMut::new();
    let framing = Framing { spid, ..Framing::new(PacketKind::TabularResult, PACKET_BYTES_LOGIN) };
    packet::put_message(&mut framed, framing, tokens);
    match timeout_at(deadline, messages::write_packets(stream, &framed)).await {
        Ok(sent) => sent.map_err(|error| SessionError::ClientIo(Phase::Login, error)),
        Err(_) => Err(SessionError::ClientTooSlow(Phase::Login)),
    }
}
