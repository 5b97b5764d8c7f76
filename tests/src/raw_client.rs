//! A TDS client that sends what it is told, right or wrong, and shows what came back.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use tds::login7::{Login7, Password, TypeFlags};
use tds::packet::{self, Framing, Header, PACKET_BYTES_LOGIN, PACKET_BYTES_MAX, PacketKind, Status};
use tds::prelogin::{Encryption, Prelogin, Version};
use tds::token::{Message, MessageKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fake_server::PATIENCE;

/// A client's connection in clear.
pub struct RawClient {
    /// The socket, for tests that do to it what no driver does.
    pub tcp: TcpStream,
    inbound: BytesMut,
}

/// A whole message.
#[derive(Debug)]
pub struct Received {
    /// Header of its last packet.
    pub last: Header,
    /// Its tokens.
    pub body: BytesMut,
}

/// A login as drivers send it, for the user of the fake servers.
pub fn login(database: &str, read_only: bool) -> Login7 {
    let mut login = Login7::new("app", Password::from("secret"));
    login.database = database.to_owned();
    login.application_name = "raw client".to_owned();
    login.packet_bytes = 8000;
    if read_only {
        login.type_flags = TypeFlags::READ_ONLY_INTENT;
    }
    login
}

/// ALL_HEADERS with a transaction descriptor ([MS-TDS] 2.2.5.3), then `text` as UTF-16.
pub fn batch(text: &str) -> Vec<u8> {
    let mut body = vec![22, 0, 0, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
    body.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    body
}

impl RawClient {
    /// Connects and says nothing.
    pub async fn connect(address: SocketAddr) -> Self {
        Self { tcp: TcpStream::connect(address).await.unwrap(), inbound: BytesMut::new() }
    }

    /// Connects, and logs in with `login` in clear.
    pub async fn log_in(address: SocketAddr, login: &Login7) -> (Self, Received) {
        let mut client = Self::connect(address).await;
        client.prelogin(Encryption::NotSupported).await;
        client.send(PacketKind::Login7, &login.encode().unwrap()).await;
        let answer = client.receive().await.unwrap();
        (client, answer)
    }

    /// Sends PRELOGIN with this offer and gives the answer.
    pub async fn prelogin(&mut self, encryption: Encryption) -> Prelogin {
        let asked = Prelogin {
            version: Version { major: 16, ..Version::default() },
            encryption: Some(encryption),
            mars: Some(false),
            ..Prelogin::default()
        };
        self.send(PacketKind::Prelogin, &asked.encode()).await;
        Prelogin::decode(&self.receive().await.unwrap().body).unwrap()
    }

    /// Sends one message in packets of the login's size.
    pub async fn send(&mut self, kind: PacketKind, body: &[u8]) {
        let mut framed = BytesMut::new();
        packet::put_message(&mut framed, Framing::new(kind, PACKET_BYTES_LOGIN), body);
        self.tcp.write_all(&framed).await.unwrap();
    }

    /// Sends one packet that does not end its message.
    pub async fn send_part(&mut self, kind: PacketKind, body: &[u8]) {
        let length = u16::try_from(body.len() + packet::HEADER_BYTES).unwrap();
        let header = Header { kind, status: Status::NORMAL, length, spid: 0, packet_id: 1 };
        self.tcp.write_all(&header.encode()).await.unwrap();
        self.tcp.write_all(body).await.unwrap();
    }

    /// The next message; `None` when the connection ended instead.
    pub async fn receive(&mut self) -> Option<Received> {
        let mut body = BytesMut::new();
        loop {
            let (header, part) = self.packet().await?;
            body.extend_from_slice(&part);
            if header.status.is_end_of_message() {
                return Some(Received { last: header, body });
            }
        }
    }

    /// The next packet; `None` when the connection ended instead.
    pub async fn packet(&mut self) -> Option<(Header, Bytes)> {
        loop {
            if let Some((header, body)) = packet::take(&mut self.inbound, PACKET_BYTES_MAX).unwrap() {
                return Some((header, body.freeze()));
            }
            let read = timeout(PATIENCE, self.tcp.read_buf(&mut self.inbound)).await;
            match read.expect("the proxy says nothing and does not hang up") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Sends a batch and gives the whole response.
    pub async fn query(&mut self, text: &str) -> Option<Received> {
        self.send(PacketKind::SqlBatch, &batch(text)).await;
        self.receive().await
    }
}

impl Received {
    /// Whether this text stands anywhere in its tokens.
    pub fn says(&self, text: &str) -> bool {
        let wanted: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.body.windows(wanted.len()).any(|window| window == wanted)
    }

    /// The server that let a client in, as it says in front of LOGINACK.
    pub fn server(&self) -> Option<String> {
        let mut rest: &[u8] = &self.body;
        loop {
            let (kind, body) = rest.split_first()?;
            if *kind == MessageKind::Info as u8 {
                return Some(Message::decode(MessageKind::Info, &mut tds::read::Reader::new(body)).unwrap().server);
            }
            let [low, high, ..] = body else { return None };
            rest = body.get(2 + usize::from(u16::from_le_bytes([*low, *high]))..)?;
        }
    }

    /// The first error in the message.
    pub fn error(&self) -> Option<Message> {
        let body: &[u8] = &self.body;
        let (first, rest) = body.split_first()?;
        if *first != MessageKind::Error as u8 {
            return None;
        }
        Some(Message::decode(MessageKind::Error, &mut tds::read::Reader::new(rest)).unwrap())
    }
}
