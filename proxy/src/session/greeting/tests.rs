//! Clients of every kind against services of every kind, over loopback, with our own client side of TLS.

use std::time::Duration;

use tds::login7::Password;
use tds::prelogin::{Encryption as Offer, Version};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsStream;

use super::*;
use crate::config::{SecondaryMissing, Timeouts};
use crate::net::testing::{identity, localhost, pair};
use crate::net::tls::ClientTls;

const PASSWORD: &str = "pässwörd";

/// What a client does after PRELOGIN was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Sends LOGIN7 in clear.
    Clear,
    /// TLS for the first packet of LOGIN7.
    FirstPacket,
    /// TLS for everything.
    Everything,
}

fn service(encryption: Encryption) -> Service {
    Service {
        name: "main".into(),
        listen: ([127, 0, 0, 1], 0).into(),
        link: "sales".into(),
        proxy_protocol_from: Vec::new(),
        encryption,
        certificate: None,
        secondary_missing: SecondaryMissing::Primary,
        packet_bytes_max: 8000,
        limits: crate::config::ServiceLimits::default(),
        application_name_suffix: String::new(),
    }
}

fn timeouts() -> Timeouts {
    let long = Duration::from_secs(20);
    Timeouts {
        prelogin: long,
        tls_handshake: long,
        login: long,
        backend_connect: long,
        backend_login: long,
        idle: None,
        request: None,
        stall: None,
        keepalive: None,
        drain: long,
        probe_interval: long,
        watch_interval: None,
    }
}

/// A login that needs several packets, so that "only the first" means something.
fn login() -> Login7 {
    let mut login = Login7::new("app", Password::from(PASSWORD));
    login.features =
        Some(vec![tds::login7::Feature { id: tds::login7::FeatureId::UserAgent, data: vec![7; 9000].into() }]);
    login
}

/// Greets one client that `acts`, in a service that wants `encryption` and has a certificate or not.
async fn greeted<F>(
    encryption: Encryption,
    certificate: bool,
    acts: impl FnOnce(TcpStream, ClientTls) -> F,
) -> Result<Greeting, SessionError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (server, client) = identity();
    let (near, far) = pair().await;
    let client = tokio::spawn(acts(near, client));
    let (service, timeouts) = (service(encryption), timeouts());
    let advertised = Advertised { version: Version::default(), fed_auth_required: false };
    let tls = certificate.then_some(&server);
    let host = Host { service: &service, tls, advertised, login_bytes_max: 128 * 1024, timeouts: &timeouts };
    let first = first_byte(&far).await?;
    let greeting = host.greet(far, first).await;
    client.abort();
    greeting
}

async fn prelogin(stream: &mut Stream, offer: Offer, behind: &[u8]) -> Offer {
    let asked = Prelogin {
        version: Version { major: 16, ..Version::default() },
        encryption: Some(offer),
        ..Prelogin::default()
    };
    let mut framed = BytesMut::new();
    let framing = tds::packet::Framing::new(PacketKind::Prelogin, PACKET_BYTES_LOGIN);
    tds::packet::put_message(&mut framed, framing, &asked.encode());
    framed.extend_from_slice(behind);
    stream.write_all(&framed).await.unwrap();
    stream.flush().await.unwrap();
    let answer = messages::read_message(stream, &mut BytesMut::new(), 4096, 4096).await.unwrap();
    Prelogin::decode(&answer.body).unwrap().encryption.unwrap()
}

async fn send_login(mut stream: Stream) {
    messages::write_message(&mut stream, PacketKind::Login7, PACKET_BYTES_LOGIN, &login().encode().unwrap())
        .await
        .unwrap();
    // Stays connected until the test is done with it.
    std::future::pending::<()>().await;
}

async fn in_packets(tcp: TcpStream, tls: ClientTls, offer: Offer, then: Then, behind: &'static [u8]) {
    let mut stream = Stream::Plain(tcp);
    prelogin(&mut stream, offer, behind).await;
    let Stream::Plain(tcp) = stream else { return };
    let name = localhost();
    match then {
        Then::Clear => send_login(Stream::Plain(tcp)).await,
        Then::Everything => send_login(Stream::Tls(Box::new(tls.connect_wrapped(tcp, name).await.unwrap()))).await,
        Then::FirstPacket => {
            let mut tls = tls.connect_wrapped(tcp, name).await.unwrap();
            let mut framed = BytesMut::new();
            let framing = tds::packet::Framing::new(PacketKind::Login7, PACKET_BYTES_LOGIN);
            tds::packet::put_message(&mut framed, framing, &login().encode().unwrap());
            let rest = framed.split_off(PACKET_BYTES_LOGIN);
            tls.write_all(&framed).await.unwrap();
            tls.flush().await.unwrap();
            let TlsStream::Client(tls) = tls else { return };
            let (mut tcp, _) = tls.into_inner().0.into_parts();
            tcp.write_all(&rest).await.unwrap();
            std::future::pending::<()>().await;
        }
    }
}

/// What comes of a client that offers and does this: `Some(encrypted)` if it was heard out.
#[track_caller]
fn check(policy: Encryption, certificate: bool, offer: Offer, then: Then, encrypted: Option<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let greeting =
        runtime.block_on(greeted(policy, certificate, move |tcp, tls| in_packets(tcp, tls, offer, then, b"")));
    let case = format!("{policy:?} certificate={certificate} {offer:?} {then:?}");
    match (greeting, encrypted) {
        (Ok(greeting), Some(encrypted)) => {
            assert_eq!(greeting.login.password.expose(), PASSWORD, "{case}");
            assert_eq!(greeting.login, login(), "{case}");
            assert_eq!(matches!(greeting.stream, Stream::Tls(_)), encrypted, "{case}");
        }
        (Err(_), None) => {}
        (Ok(_), None) => panic!("{case}: was let in"),
        (Err(error), Some(_)) => panic!("{case}: {}", super::super::error::chain(&error)),
    }
}

#[test]
fn a_service_that_wants_everything_encrypted_gets_it_or_no_login() {
    check(Encryption::Full, true, Offer::Off, Then::Everything, Some(true));
    check(Encryption::Full, true, Offer::On, Then::Everything, Some(true));
    check(Encryption::Full, true, Offer::Required, Then::Everything, Some(true));
    check(Encryption::Full, true, Offer::NotSupported, Then::Everything, Some(true));
    check(Encryption::Full, true, Offer::NotSupported, Then::Clear, None);
    check(Encryption::Full, true, Offer::Off, Then::Clear, None);
}

#[test]
fn a_service_that_wants_the_login_encrypted_lets_the_client_choose_the_rest() {
    check(Encryption::LoginOnly, true, Offer::Off, Then::FirstPacket, Some(false));
    check(Encryption::LoginOnly, true, Offer::On, Then::Everything, Some(true));
    check(Encryption::LoginOnly, true, Offer::Off, Then::Clear, None);
    check(Encryption::LoginOnly, true, Offer::NotSupported, Then::Clear, None);
}

#[test]
fn a_service_that_wants_nothing_gives_what_the_client_wants() {
    check(Encryption::Off, true, Offer::NotSupported, Then::Clear, Some(false));
    check(Encryption::Off, true, Offer::Off, Then::FirstPacket, Some(false));
    check(Encryption::Off, true, Offer::On, Then::Everything, Some(true));
    check(Encryption::Off, false, Offer::Off, Then::Clear, Some(false));
    check(Encryption::Off, false, Offer::NotSupported, Then::Clear, Some(false));
}

#[test]
fn a_client_that_insists_on_tls_is_never_answered_not_supported() {
    // tedious would go on in clear text.
    check(Encryption::Off, false, Offer::On, Then::Clear, None);
    check(Encryption::Off, false, Offer::Required, Then::Clear, None);
}

#[test]
fn a_service_of_tds_8_takes_nothing_else() {
    check(Encryption::Strict, true, Offer::On, Then::Everything, None);
}

#[tokio::test]
async fn tds_8_begins_with_tls_whatever_the_service_wants_at_least() {
    for policy in [Encryption::Off, Encryption::LoginOnly, Encryption::Full, Encryption::Strict] {
        let greeting = greeted(policy, true, |tcp, tls| async move {
            let tls = tls.connect_strict(tcp, localhost()).await.unwrap();
            let mut stream = Stream::Tls(Box::new(tls));
            assert_eq!(prelogin(&mut stream, Offer::On, b"").await, Offer::NotSupported);
            send_login(stream).await;
        })
        .await
        .unwrap();
        assert!(greeting.strict);
        assert_eq!(greeting.login, login());
    }
}

#[tokio::test]
async fn bytes_that_came_before_a_handshake_are_dropped_after_it() {
    // A login of somebody in the middle, in front of the handshake of the client whose certificate check protects it.
    let injected = b"\x10\x01\x00\x0c\x00\x00\x01\x00evil";
    for (offer, then) in [(Offer::On, Then::Everything), (Offer::Off, Then::FirstPacket)] {
        let acts = move |tcp, tls| in_packets(tcp, tls, offer, then, injected);
        let greeting = greeted(Encryption::LoginOnly, true, acts).await.unwrap();
        assert_eq!(greeting.login, login());
        assert!(greeting.early.is_empty());
    }
}
