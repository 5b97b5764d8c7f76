//! The server in every mode of encryption.

use super::client::RawClient;
use super::fake::LONG_CHARACTERS;
use super::{Fixture, serve};
use crate::{DATABASE, LOGIN, PASSWORD};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io::Write;
use std::sync::Arc;
use tds::login7::Login7;
use tds::packet::{self, Framing, PACKET_BYTES_LOGIN, PacketKind};
use tds::prelogin::{Encryption, Prelogin, Protection};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::compat::TokioAsyncWriteCompatExt;

/// Logs in with tiberius, which verifies the certificate, and reads rows.
async fn connect(fixture: &Fixture, encryption: EncryptionLevel) -> Result<i64, tiberius::error::Error> {
    let address = fixture.server.address();
    let mut config = Config::new();
    config.host("localhost");
    config.port(address.port());
    config.database(DATABASE);
    config.authentication(AuthMethod::sql_server(LOGIN, PASSWORD));
    config.encryption(encryption);
    config.trust_cert_ca(fixture.certificates.authority_path.display().to_string());
    let socket = TcpStream::connect(address).await?;
    let mut client = Box::pin(Client::connect(config, socket.compat_write())).await?;
    let row = client.query("next", &[&41i64]).await?.into_row().await?;
    Ok(row.and_then(|row| row.get(0)).unwrap_or_default())
}

#[tokio::test]
async fn tiberius_connects_in_every_mode_the_server_allows() {
    use EncryptionLevel::{NotSupported, Off, On, Required};
    for (at_least, allowed, refused) in [
        (Protection::Clear, vec![NotSupported, Off, On, Required], vec![]),
        (Protection::LoginOnly, vec![Off, On, Required], vec![NotSupported]),
        (Protection::Full, vec![Off, On, Required], vec![NotSupported]),
    ] {
        let fixture = serve(at_least).await;
        for encryption in allowed {
            assert_eq!(
                Box::pin(connect(&fixture, encryption)).await.unwrap(),
                42,
                "{encryption:?} at least {at_least:?}"
            );
        }
        for encryption in refused {
            // tiberius follows the server's demand, so that it either encrypts or fails, but never goes on in clear text.
            let reply = RawClient::connect(fixture.server.address()).await.greet(Encryption::NotSupported).await;
            assert_eq!(reply.encryption, Some(Encryption::Required), "{encryption:?} at least {at_least:?}");
        }
    }
}

#[tokio::test]
async fn a_login_in_clear_text_is_cut_off_where_encryption_is_demanded() {
    let fixture = serve(Protection::Full).await;
    let mut client = RawClient::connect(fixture.server.address()).await;
    client.greet(Encryption::NotSupported).await;
    client.send(PacketKind::Login7, &super::client::login().encode().unwrap()).await;
    assert!(client.is_closed().await);
}

fn client_config(fixture: &Fixture) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&fixture.certificates.authority_path).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// Speaks TDS 8.0 up to the login response and gives the agreed protocol and the response's last bytes.
async fn log_in_strictly(fixture: &Fixture, protocols: &[&[u8]]) -> (Option<Vec<u8>>, Vec<u8>) {
    let socket = TcpStream::connect(fixture.server.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut config = client_config(fixture);
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let mut tls = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    let agreed = tls.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    let prelogin = Prelogin { encryption: Some(Encryption::Strict), ..Prelogin::default() };
    let mut packets = bytes::BytesMut::new();
    packet::put_message(&mut packets, Framing::new(PacketKind::Prelogin, PACKET_BYTES_LOGIN), &prelogin.encode());
    tls.write_all(&packets).await.unwrap();
    let reply = read_packet(&mut tls).await;
    assert_eq!(Prelogin::decode(&reply).unwrap().encryption, Some(Encryption::On));
    let login = super::client::login().encode().unwrap();
    packets.clear();
    packet::put_message(&mut packets, Framing::new(PacketKind::Login7, PACKET_BYTES_LOGIN), &login);
    tls.write_all(&packets).await.unwrap();
    (agreed, read_packet(&mut tls).await)
}

async fn read_packet(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut header = [0; packet::HEADER_BYTES];
    stream.read_exact(&mut header).await.unwrap();
    let mut body = vec![0; packet::Header::parse(header).unwrap().body_bytes()];
    stream.read_exact(&mut body).await.unwrap();
    body
}

/// The TLS handshake inside PRELOGIN packets, as a client without a library for it does it.
async fn shake_hands(client: &mut RawClient, tls: &mut ClientConnection) {
    while tls.is_handshaking() {
        let mut flight = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut flight).unwrap();
        }
        if !flight.is_empty() {
            client.send(PacketKind::Prelogin, &flight).await;
        }
        let (packets, body) = client.bodies().await.expect("the server's flight");
        assert!(packets.iter().all(|packet| packet.kind == PacketKind::Prelogin));
        let mut body = &body[..];
        while !body.is_empty() {
            tls.read_tls(&mut body).unwrap();
            tls.process_new_packets().unwrap();
        }
    }
}

#[tokio::test]
async fn only_the_first_packet_of_a_login_is_decrypted_even_if_the_rest_comes_with_it() {
    let fixture = serve(Protection::Clear).await;
    let mut client = RawClient::connect(fixture.server.address()).await;
    assert_eq!(client.greet(Encryption::Off).await.encryption, Some(Encryption::Off));
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(Arc::new(client_config(&fixture)), name).unwrap();
    shake_hands(&mut client, &mut tls).await;

    let application_name = "a".repeat(3 * PACKET_BYTES_LOGIN);
    let login = Login7 { application_name, ..super::client::login() }.encode().unwrap();
    let mut packets = bytes::BytesMut::new();
    packet::put_message(&mut packets, Framing::new(PacketKind::Login7, PACKET_BYTES_LOGIN), &login);
    tls.writer().write_all(&packets[..PACKET_BYTES_LOGIN]).unwrap();
    let mut sent = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut sent).unwrap();
    }
    sent.extend_from_slice(&packets[PACKET_BYTES_LOGIN..]);
    client.send_raw(&sent).await;
    assert_eq!(client.answer().await.numbers(), [5701, 5703]);
    assert_eq!(client.batch("one").await.rows().len(), 1);
}

#[tokio::test]
async fn tds_8_is_served_by_its_first_byte_with_and_without_its_protocol_name() {
    let fixture = serve(Protection::Full).await;
    for (protocols, want) in [(vec![b"tds/8.0".as_slice()], Some(b"tds/8.0".to_vec())), (vec![], None)] {
        let (agreed, response) = log_in_strictly(&fixture, &protocols).await;
        assert_eq!(agreed, want);
        let end = response.len() - 13;
        assert_eq!(response[end..], [0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}

#[tokio::test]
async fn a_large_result_survives_every_kind_of_encryption() {
    let fixture = serve(Protection::Clear).await;
    for encryption in [EncryptionLevel::NotSupported, EncryptionLevel::Off, EncryptionLevel::Required] {
        let mut config = Config::new();
        config.host("localhost");
        config.port(fixture.server.address().port());
        config.authentication(AuthMethod::sql_server(LOGIN, PASSWORD));
        config.encryption(encryption);
        config.trust_cert_ca(fixture.certificates.authority_path.display().to_string());
        let socket = TcpStream::connect(fixture.server.address()).await.unwrap();
        let mut client = Box::pin(Client::connect(config, socket.compat_write())).await.unwrap();
        let row = client.simple_query("long").await.unwrap().into_row().await.unwrap().unwrap();
        assert_eq!(row.get::<&str, _>(0).map(str::len), Some(LONG_CHARACTERS), "{encryption:?}");
    }
}
