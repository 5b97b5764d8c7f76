//! A client of TDS 7.x that encrypts, and sees each step of it: the handshake inside PRELOGIN packets, then records.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tds::packet::{self, Header, PACKET_BYTES_MAX, PacketKind};
use tds::prelogin::Encryption;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::raw_client::RawClient;
use crate::running_proxy;

/// A client whose handshake is over.
pub struct WrappedClient {
    /// Its connection, for what it sends in clear.
    pub raw: RawClient,
    tls: ClientConnection,
    /// Messages of the server that carried its flights.
    pub flights: usize,
}

impl WrappedClient {
    /// Connects to a proxy that shows the certificate of this test process, and shakes hands.
    pub async fn connect(address: SocketAddr, offer: Encryption) -> Self {
        let mut raw = RawClient::connect(address).await;
        raw.prelogin(offer).await;
        let mut client = Self { raw, tls: client_tls(), flights: 0 };
        while client.tls.is_handshaking() {
            let mut flight = Vec::new();
            while client.tls.wants_write() {
                client.tls.write_tls(&mut flight).unwrap();
            }
            if !flight.is_empty() {
                client.raw.send(PacketKind::Prelogin, &flight).await;
            }
            if client.tls.is_handshaking() {
                let answer = client.raw.receive().await.unwrap();
                client.flights += 1;
                client.tls.read_tls(&mut &answer.body[..]).unwrap();
                client.tls.process_new_packets().unwrap();
            }
        }
        client
    }

    /// Sends these bytes as records, without packets around them.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.tls.writer().write_all(bytes).unwrap();
        let mut records = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records).unwrap();
        }
        self.raw.tcp.write_all(&records).await.unwrap();
    }

    /// The next packet out of TLS.
    pub async fn packet(&mut self) -> (Header, BytesMut) {
        let mut plain = BytesMut::new();
        let mut chunk = [0; 4096];
        loop {
            if let Some(packet) = packet::take(&mut plain, PACKET_BYTES_MAX).unwrap() {
                return packet;
            }
            let count = self.raw.tcp.read(&mut chunk).await.unwrap();
            assert_ne!(count, 0, "the connection ended");
            self.tls.read_tls(&mut &chunk[..count]).unwrap();
            self.tls.process_new_packets().unwrap();
            let mut decrypted = Vec::new();
            // Nothing more to read for now is an error of its kind.
            let _ = self.tls.reader().read_to_end(&mut decrypted);
            plain.extend_from_slice(&decrypted);
        }
    }

    /// Session tickets that came so far.
    pub fn tickets(&self) -> u32 {
        self.tls.tls13_tickets_received()
    }
}

fn client_tls() -> ClientConnection {
    let (certificate, _) = running_proxy::certificate_files();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&fs::read(certificate).unwrap()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}
