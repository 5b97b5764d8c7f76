//! The server of the load test: logs everybody in and answers two requests with what it encoded beforehand.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use tds::login7::Login7;
use tds::packet::{self, Framing, HEADER_BYTES, PACKET_BYTES_LOGIN, PACKET_BYTES_MAX, PacketKind};
use tds::prelogin::{Encryption, Prelogin, Version};
use tds::token::{EnvChange, LoginAck};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::answers::{self, Answer, PACKET_BYTES, Request};
use super::leg::{self, CertificateFiles, Leg};
use super::process;

/// SQL Server 2022.
const VERSION: Version = Version { major: 16, minor: 0, build: 4135, sub_build: 0 };

/// Serves until the process ends; tells its parent where.
pub(super) async fn run(tls_dir: Option<&Path>) -> io::Result<()> {
    let tls = tls_dir.map(|folder| CertificateFiles::of(folder).acceptor()).transpose()?;
    let answers = Arc::new([Answer::to(Request::Small)?, Answer::to(Request::Large)?]);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    process::announce(listener.local_addr()?)?;
    loop {
        let (tcp, _) = listener.accept().await?;
        let (tls, answers) = (tls.clone(), Arc::clone(&answers));
        tokio::spawn(async move {
            // A client that is done, or a probe, just leaves.
            if let Ok(mut stream) = leg::accept(tcp, tls.as_ref()).await {
                let _ = serve(&mut stream, &*answers).await;
            }
        });
    }
}

async fn serve(stream: &mut Leg, answers: &[Answer]) -> io::Result<()> {
    log_in(stream).await?;
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    let mut filled = 0;
    loop {
        let count = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
        if count == 0 {
            return Ok(());
        }
        filled += count;
        // Clients here wait for the answer before they ask again, so a read never holds two requests.
        let whole = buffer.get(..filled).unwrap_or_default();
        if packet::peek(whole, PACKET_BYTES_MAX).map_err(io::Error::other)?.is_none() {
            continue;
        }
        let known = answers.iter().find(|answer| answer.request == whole);
        let known = known.ok_or_else(|| io::Error::other("a request that is none of ours"))?;
        stream.write_all(&known.packets).await?;
        stream.flush().await?;
        filled = 0;
    }
}

async fn log_in(stream: &mut Leg) -> io::Result<()> {
    let asked = Prelogin::decode(&message(stream, PacketKind::Prelogin).await?).map_err(io::Error::other)?;
    send(stream, &asked.answer(VERSION, Encryption::NotSupported).encode()).await?;
    let login = message(stream, PacketKind::Login7).await?;
    let login = Login7::decode(&login).map_err(io::Error::other)?;
    let mut tokens = BytesMut::new();
    let granted = u32::try_from(PACKET_BYTES).unwrap_or(u32::MAX);
    EnvChange::Database(login.database, "master".to_owned()).encode(&mut tokens);
    EnvChange::PacketSize(granted, 4096).encode(&mut tokens);
    LoginAck {
        interface: 1,
        tds_version: 0x7400_0004,
        program: "Microsoft SQL Server".to_owned(),
        version: [VERSION.major, VERSION.minor, 0x10, 0x27],
    }
    .encode(&mut tokens);
    answers::put_done(&mut tokens);
    send(stream, &tokens).await
}

async fn send(stream: &mut Leg, tokens: &[u8]) -> io::Result<()> {
    let mut framed = BytesMut::new();
    packet::put_message(&mut framed, Framing::new(PacketKind::TabularResult, PACKET_BYTES_LOGIN), tokens);
    stream.write_all(&framed).await?;
    stream.flush().await
}

/// A whole message of this kind; there are no other bytes behind it.
pub(super) async fn message(stream: &mut Leg, kind: PacketKind) -> io::Result<BytesMut> {
    let (mut inbound, mut body) = (BytesMut::new(), BytesMut::new());
    loop {
        while let Some((header, part)) = packet::take(&mut inbound, PACKET_BYTES_MAX).map_err(io::Error::other)? {
            if header.kind != kind {
                return Err(io::Error::other(format!("{:?} instead of {kind:?}", header.kind)));
            }
            body.extend_from_slice(&part);
            if header.status.is_end_of_message() {
                return Ok(body);
            }
        }
        inbound.reserve(HEADER_BYTES + PACKET_BYTES);
        if stream.read_buf(&mut inbound).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
