//! One client of the load test: logs in, then sends the same request again and again and checks each answer's size.

use std::io;
use std::net::SocketAddr;

use bytes::BytesMut;
use tds::login7::{Login7, Password};
use tds::packet::{self, Framing, HEADER_BYTES, Header, PACKET_BYTES_LOGIN, PacketKind};
use tds::prelogin::{Encryption, Prelogin, Version};
use tds::token::id;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::answers::{Answer, PACKET_BYTES};
use super::leg::{self, Leg};
use super::server;

/// The database that the proxy's configuration knows.
pub(super) const DATABASE: &str = "load";
/// Bytes of one read: enough that the load generator is never what a large result waits for.
const READ_BYTES: usize = 128 * 1024;

/// A logged-in client.
pub(super) struct Client {
    leg: Leg,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects and logs in.
    pub(super) async fn log_in(address: SocketAddr, tls: Option<&TlsConnector>) -> io::Result<Self> {
        let mut leg = leg::connect(address, tls).await?;
        let asked = Prelogin {
            version: Version { major: 16, ..Version::default() },
            encryption: Some(if tls.is_some() { Encryption::Strict } else { Encryption::NotSupported }),
            mars: Some(false),
            ..Prelogin::default()
        };
        send(&mut leg, PacketKind::Prelogin, &asked.encode()).await?;
        server::message(&mut leg, PacketKind::TabularResult).await?;
        let mut login = Login7::new("load", Password::from("load"));
        login.database = DATABASE.to_owned();
        login.application_name = "load test".to_owned();
        login.packet_bytes = u32::try_from(PACKET_BYTES).unwrap_or(u32::MAX);
        send(&mut leg, PacketKind::Login7, &login.encode().map_err(io::Error::other)?).await?;
        let answer = server::message(&mut leg, PacketKind::TabularResult).await?;
        if answer.first() == Some(&id::ERROR) {
            return Err(io::Error::other("the login was refused"));
        }
        Ok(Self { leg, buffer: vec![0; READ_BYTES] })
    }

    /// Sends the request and takes the whole answer; gives the bytes that came.
    pub(super) async fn ask(&mut self, answer: &Answer) -> io::Result<u64> {
        self.leg.write_all(&answer.request).await?;
        self.leg.flush().await?;
        let mut response = Response::default();
        let mut bytes = 0;
        loop {
            let count = self.leg.read(&mut self.buffer).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes += count as u64;
            if response.feed(self.buffer.get(..count).unwrap_or_default())? {
                break;
            }
        }
        if response.body_bytes == answer.token_bytes {
            return Ok(bytes);
        }
        let (have, want) = (response.body_bytes, answer.token_bytes);
        Err(io::Error::other(format!("an answer of {have} bytes instead of {want}")))
    }
}

async fn send(leg: &mut Leg, kind: PacketKind, body: &[u8]) -> io::Result<()> {
    let mut framed = BytesMut::new();
    packet::put_message(&mut framed, Framing::new(kind, PACKET_BYTES_LOGIN), body);
    leg.write_all(&framed).await?;
    leg.flush().await
}

/// Finds the end of a response without keeping it.
#[derive(Debug, Default)]
struct Response {
    head: [u8; HEADER_BYTES],
    head_filled: usize,
    /// Bytes of the current packet that have not come yet.
    body_left: usize,
    is_last: bool,
    body_bytes: u64,
}

impl Response {
    /// Takes the next bytes; true when the response is complete.
    fn feed(&mut self, mut bytes: &[u8]) -> io::Result<bool> {
        loop {
            let (body, rest) = bytes.split_at(self.body_left.min(bytes.len()));
            self.body_left -= body.len();
            self.body_bytes += body.len() as u64;
            if self.is_last && self.body_left == 0 {
                return if rest.is_empty() { Ok(true) } else { Err(io::Error::other("bytes behind the answer")) };
            }
            if rest.is_empty() {
                return Ok(false);
            }
            bytes = self.feed_head(rest)?;
        }
    }

    fn feed_head<'b>(&mut self, bytes: &'b [u8]) -> io::Result<&'b [u8]> {
        let place = self.head.get_mut(self.head_filled..).unwrap_or_default();
        let (head, rest) = bytes.split_at(place.len().min(bytes.len()));
        place.iter_mut().zip(head).for_each(|(place, byte)| *place = *byte);
        self.head_filled += head.len();
        if self.head_filled == HEADER_BYTES {
            let header = Header::parse(self.head).map_err(io::Error::other)?;
            self.head_filled = 0;
            self.body_left = header.body_bytes();
            self.is_last = header.status.is_end_of_message();
        }
        Ok(rest)
    }
}
