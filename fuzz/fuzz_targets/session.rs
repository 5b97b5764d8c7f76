//! Whole sessions through a running proxy: however far both sides behave before they send what the fuzzer wants, the
//! session ends once both have hung up, and nothing panics.
#![no_main]

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use proxy::{Config, Proxy};
use tds::login7::{Login7, Password};
use tds::packet::{self, Framing, PACKET_BYTES_LOGIN, PacketKind};
use tds::prelogin::{Encryption, Prelogin};
use tds::token::{Done, DoneKind, DoneStatus, LoginAck};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// What a session may take: far more than it needs, far less than libFuzzer waits.
const LIMIT: Duration = Duration::from_secs(5);

/// A proxy that lives as long as the process, and the replica it knows.
struct Stage {
    runtime: Runtime,
    proxy: std::net::SocketAddr,
    replica: TcpListener,
}

impl Stage {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (proxy, replica) = runtime.block_on(async {
            let replica = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = replica.local_addr().expect("a bound socket has an address");
            let text = format!(
                "[timeouts]\nprobe_interval_ms = 600000\nprelogin_ms = 1000\nlogin_ms = 2000\nbackend_login_ms = 1000\n\
                 [replicas.r]\naddress = \"{address}\"\nencryption = \"off\"\n[links.l]\ndatabases = [\"d\"]\nprimary = \"r\"\n\
                 [services.main]\nlisten = \"127.0.0.1:0\"\nlink = \"l\"\nencryption = \"off\"\n"
            );
            let config = Config::parse(&text, Path::new(".")).expect("a configuration");
            let bound = Proxy::bind(config, None).expect("a port");
            let proxy = *bound.addresses().get("main").expect("its only service");
            tokio::spawn(bound.run(std::future::pending()));
            // The only probe this process sees.
            drop(replica.accept().await.expect("a probe"));
            (proxy, replica)
        });
        Self { runtime, proxy, replica }
    }

    /// Plays one session. Each side behaves for so many messages first.
    fn play(&self, client: (u8, &[u8]), server: (u8, &[u8])) {
        self.runtime.block_on(async {
            let answers = async {
                while let Ok((tcp, _)) = self.replica.accept().await {
                    act(tcp, server, [answer_prelogin(), answer_login()], false).await;
                }
            };
            let asks = async {
                let tcp = TcpStream::connect(self.proxy).await.expect("the proxy listens");
                act(tcp, client, [ask_prelogin(), ask_login()], true).await;
            };
            let session = async {
                tokio::select! {
                    () = answers => {}
                    () = asks => {}
                }
            };
            tokio::time::timeout(LIMIT, session).await.expect("the session ends once its client has hung up");
        });
    }
}

/// Behaves for so many messages, then sends `bytes`, hangs up, and reads to the end. The side that `speaks` begins.
async fn act(mut tcp: TcpStream, (good, bytes): (u8, &[u8]), messages: [BytesMut; 2], speaks: bool) {
    let mut heard = vec![0; 4096];
    for message in messages.iter().take(usize::from(good % 3)) {
        if !speaks && !matches!(tcp.read(&mut heard).await, Ok(1..)) {
            return;
        }
        let sent = tcp.write_all(message).await;
        if speaks && !matches!((sent, tcp.read(&mut heard).await), (Ok(()), Ok(1..))) {
            return;
        }
    }
    // The other side may be gone by now, which is no finding.
    let _ = tcp.write_all(bytes).await;
    let _ = tcp.shutdown().await;
    while matches!(tcp.read(&mut heard).await, Ok(1..)) {}
}

fn message(kind: PacketKind, body: &[u8]) -> BytesMut {
    let mut framed = BytesMut::new();
    packet::put_message(&mut framed, Framing::new(kind, PACKET_BYTES_LOGIN), body);
    framed
}

fn prelogin() -> Prelogin {
    Prelogin { encryption: Some(Encryption::NotSupported), mars: Some(false), ..Prelogin::default() }
}

fn ask_prelogin() -> BytesMut {
    message(PacketKind::Prelogin, &prelogin().encode())
}

fn answer_prelogin() -> BytesMut {
    message(PacketKind::TabularResult, &prelogin().encode())
}

fn ask_login() -> BytesMut {
    let login = Login7::new("app", Password::from("secret")).encode().expect("a short login");
    message(PacketKind::Login7, &login)
}

fn answer_login() -> BytesMut {
    let mut tokens = BytesMut::new();
    let program = "Microsoft SQL Server".to_owned();
    LoginAck { interface: 1, tds_version: 0x7400_0004, program, version: [16, 0, 0, 0] }.encode(&mut tokens);
    Done { kind: DoneKind::Done, status: DoneStatus::default(), command: 0, rows: 0 }.encode(&mut tokens);
    message(PacketKind::TabularResult, &tokens)
}

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

fuzz_target!(|input: (u8, u8, &[u8], &[u8])| {
    let (client_good, server_good, client, server) = input;
    STAGE.with_borrow_mut(|stage| {
        stage.get_or_insert_with(Stage::new).play((client_good, client), (server_good, server));
    });
});
