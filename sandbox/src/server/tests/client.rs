//! A client without a driver: it sends bytes as told and checks the form of everything that comes back.

use crate::{DATABASE, LOGIN, PASSWORD};
use bytes::{Bytes, BytesMut};
use std::net::SocketAddr;
use std::time::Duration;
use tds::login7::{Login7, OptionFlags2};
use tds::packet::{self, Framing, Header, PACKET_BYTES_LOGIN, PacketKind, Status};
use tds::prelogin::{Encryption, Prelogin};
use tds::request::AllHeaders;
use tds::token::{Agreed, Done, DoneStatus, EnvChange, Message, Response, Token};
use tds::value::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct RawClient {
    socket: TcpStream,
    unread: BytesMut,
    pub(super) packet_bytes: usize,
    pub(super) spid: Option<u16>,
}

/// One response message.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) tokens: Vec<Token>,
    pub(super) packets: Vec<Header>,
}

impl RawClient {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        Self { socket, unread: BytesMut::new(), packet_bytes: PACKET_BYTES_LOGIN, spid: None }
    }

    /// A client logged in without encryption.
    pub(super) async fn logged_in(address: SocketAddr) -> Self {
        Self::logged_in_with(address, login()).await.0
    }

    pub(super) async fn logged_in_with(address: SocketAddr, login: Login7) -> (Self, Answer) {
        let mut client = Self::connect(address).await;
        client.greet(Encryption::NotSupported).await;
        let answer = client.log_in(&login).await;
        let granted = answer.changes().find_map(|change| match change {
            EnvChange::PacketSize(new, _) => usize::try_from(*new).ok(),
            _ => None,
        });
        client.packet_bytes = granted.expect("a login response always tells the packet size");
        (client, answer)
    }

    pub(super) async fn greet(&mut self, encryption: Encryption) -> Prelogin {
        let prelogin = Prelogin { encryption: Some(encryption), mars: Some(false), ..Prelogin::default() };
        self.send(PacketKind::Prelogin, &prelogin.encode()).await;
        let (_, body) = self.bodies().await.expect("an answer to PRELOGIN");
        Prelogin::decode(&body).unwrap()
    }

    pub(super) async fn log_in(&mut self, login: &Login7) -> Answer {
        self.send(PacketKind::Login7, &login.encode().unwrap()).await;
        self.answer().await
    }

    /// Sends a whole message.
    pub(super) async fn send(&mut self, kind: PacketKind, body: &[u8]) {
        self.send_with(kind, Status::NORMAL, body).await;
    }

    pub(super) async fn send_with(&mut self, kind: PacketKind, status: Status, body: &[u8]) {
        let mut packets = BytesMut::new();
        let framing = Framing { status, ..Framing::new(kind, self.packet_bytes) };
        packet::put_message(&mut packets, framing, body);
        self.socket.write_all(&packets).await.unwrap();
    }

    /// Sends one packet that need not be a whole message.
    pub(super) async fn send_packet(&mut self, kind: PacketKind, status: Status, body: &[u8]) {
        let length = u16::try_from(body.len() + packet::HEADER_BYTES).unwrap();
        let header = Header { kind, status, length, spid: 0, packet_id: 1 };
        self.socket.write_all(&[&header.encode(), body].concat()).await.unwrap();
    }

    pub(super) async fn send_raw(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    pub(super) async fn batch(&mut self, sql: &str) -> Answer {
        self.send(PacketKind::SqlBatch, &batch(0, sql)).await;
        self.answer().await
    }

    /// The next response message.
    #[track_caller]
    pub(super) fn answer(&mut self) -> impl Future<Output = Answer> {
        let at = std::panic::Location::caller();
        async move {
            let (packets, body) = self.bodies().await.unwrap_or_else(|| panic!("no answer, asked at {at}"));
            self.check_packets(&packets);
            let tokens: Vec<_> = Response::new(&body, Agreed::default()).map(Result::unwrap).collect();
            check_dones(&tokens);
            Answer { tokens, packets }
        }
    }

    /// Whether the server closed the connection, nothing else having come first.
    pub(super) async fn is_closed(&mut self) -> bool {
        tokio::time::timeout(PATIENCE, self.bodies()).await.expect("the server neither answers nor closes").is_none()
    }

    /// The packets of the next message and their bodies in one piece; `None` when the server has closed.
    pub(super) async fn bodies(&mut self) -> Option<(Vec<Header>, BytesMut)> {
        let (mut packets, mut message) = (Vec::new(), BytesMut::new());
        loop {
            if let Some((header, body)) = packet::take(&mut self.unread, packet::PACKET_BYTES_MAX).unwrap() {
                packets.push(header);
                message.extend_from_slice(&body);
                if header.status.is_end_of_message() {
                    return Some((packets, message));
                }
                continue;
            }
            let read = self.socket.read_buf(&mut self.unread);
            match tokio::time::timeout(PATIENCE, read).await.expect("an answer in time") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    fn check_packets(&mut self, packets: &[Header]) {
        self.spid = packets.first().map(|header| header.spid);
        for (number, header) in packets.iter().enumerate() {
            assert_eq!(header.kind, PacketKind::TabularResult);
            assert!(header.status.0 <= 1, "go-mssqldb takes any status bit for the end of the message");
            assert!(usize::from(header.length) <= self.packet_bytes, "{} bytes", header.length);
            assert_eq!(header.packet_id, ((number + 1) % 256) as u8);
            assert_eq!(self.spid, Some(header.spid));
        }
    }
}

/// Only the last DONE of a message says that nothing follows, and it is the last token.
fn check_dones(tokens: &[Token]) {
    let dones: Vec<_> = tokens.iter().filter_map(done).collect();
    let (last, others) = dones.split_last().expect("a message without a DONE");
    assert!(!last.status.contains(DoneStatus::MORE), "{dones:?}");
    assert!(others.iter().all(|done| done.status.contains(DoneStatus::MORE)), "{dones:?}");
    assert_eq!(tokens.last().and_then(done), Some(*last));
}

fn done(token: &Token) -> Option<Done> {
    match token {
        Token::Done(done) => Some(*done),
        _ => None,
    }
}

impl Answer {
    pub(super) fn dones(&self) -> Vec<Done> {
        self.tokens.iter().filter_map(done).collect()
    }

    pub(super) fn changes(&self) -> impl Iterator<Item = &EnvChange> {
        self.tokens.iter().filter_map(|token| match token {
            Token::EnvChange(change) => Some(change),
            _ => None,
        })
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.tokens.iter().filter_map(|token| match token {
            Token::Message(message) => Some(message),
            _ => None,
        })
    }

    pub(super) fn rows(&self) -> Vec<&[Value]> {
        let rows = self.tokens.iter().filter_map(|token| match token {
            Token::Row(row) => Some(row.as_slice()),
            _ => None,
        });
        rows.collect()
    }

    /// The numbers of errors and messages, in their order.
    pub(super) fn numbers(&self) -> Vec<i32> {
        self.messages().map(|message| message.number).collect()
    }

    /// The message is the acknowledgement of an attention and nothing else.
    pub(super) fn is_acknowledgement(&self) -> bool {
        self.tokens == [Token::Done(Done::ATTENTION)]
    }
}

/// A batch in a transaction, 0 for none.
pub(super) fn batch(descriptor: u64, sql: &str) -> Bytes {
    let mut body = BytesMut::new();
    AllHeaders::in_transaction(descriptor).put(&mut body);
    tds::text::put(&mut body, sql);
    body.freeze()
}

/// The sandbox's login as most drivers send it.
pub(super) fn login() -> Login7 {
    Login7 { option_flags2: OptionFlags2::ODBC, database: DATABASE.to_owned(), ..Login7::new(LOGIN, PASSWORD.into()) }
}
