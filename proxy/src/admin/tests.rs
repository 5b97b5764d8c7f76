//! The interface as an HTTP client sees it.

use link_control::topology::{LinkView, Phase, TopologyWriter, store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::limited::{CONNECTION_LIFE, CONNECTIONS_MAX};
use super::*;

struct Running {
    address: SocketAddr,
    health: Health,
    writer: TopologyWriter,
    _task: JoinHandle<io::Result<()>>,
}

fn link() -> LinkView {
    LinkView {
        name: "sales".into(),
        databases: vec!["SalesDB".to_owned()],
        phase: Phase::Serving,
        primary: Some("onprem".into()),
        secondaries: vec!["mi".into()],
        position: None,
        lag: None,
        updated: Instant::now(),
    }
}

fn run() -> Running {
    let (writer, topology) = store(vec![link()]).unwrap();
    let health = Health::new(["main"]);
    let session =
        SessionView { id: 7, client: "10.0.0.9:5000".to_owned(), service: "main".to_owned(), age_ms: 12, login: None };
    let sessions = Arc::new(move || vec![session.clone()]);
    let replicas = Arc::new(ReplicasView::default);
    let sources = Sources { health: health.clone(), topology, sessions, replicas, recorder: None };
    let admin = Admin::bind("127.0.0.1:0".parse().unwrap(), sources).unwrap();
    let address = admin.address().unwrap();
    Running { address, health, writer, _task: tokio::spawn(admin.run(std::future::pending())) }
}

/// Status and body of a GET.
async fn get(running: &Running, path: &str) -> (u16, String) {
    let mut tcp = TcpStream::connect(running.address).await.unwrap();
    tcp.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[tokio::test]
async fn a_process_is_alive_before_it_is_ready() {
    let running = run();
    assert_eq!(get(&running, "/healthz").await, (200, "alive\n".to_owned()));
    let want = "service main is not listening yet\nreplica onprem, the primary of link sales, was not probed yet\n";
    assert_eq!(get(&running, "/readyz").await, (503, want.to_owned()));
    running.health.listening("main");
    running.health.replica_answered(&"onprem".into(), Ok(()));
    assert_eq!(get(&running, "/readyz").await, (200, "ready\n".to_owned()));
    running.health.draining();
    assert_eq!(get(&running, "/readyz").await, (503, "the process is draining\n".to_owned()));
}

#[tokio::test]
async fn the_topology_shows_the_picture_that_was_published_last() {
    let mut running = run();
    let now = Instant::now();
    let phase = Phase::Holding { since: now, deadline: now + CONNECTION_LIFE, what: "a planned failover".into() };
    let position = Some(link_control::topology::Position(39_000_000_012_300_001));
    running.writer.publish(vec![LinkView { phase, position, ..link() }]).unwrap();
    let (status, body) = get(&running, "/topology").await;
    let picture: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &picture["epoch"]), (200, &2.into()));
    let link = &picture["links"][0];
    assert_eq!((&link["phase"], &link["primary"]), (&"holding".into(), &"onprem".into()));
    assert_eq!((&link["secondaries"][0], &link["position"]), (&"mi".into(), &"39000000012300001".into()));
    assert_eq!(link["holding"]["what"], "a planned failover");
}

#[tokio::test]
async fn sessions_are_listed_with_their_ids() {
    let (status, body) = get(&run(), "/sessions").await;
    let list: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &list[0]["id"], &list[0]["login"]), (200, &7.into(), &serde_json::Value::Null));
}

#[tokio::test]
async fn what_there_is_not_is_not_found() {
    let running = run();
    assert_eq!(get(&running, "/metrics").await, (404, "this process keeps no metrics\n".to_owned()));
    assert_eq!(get(&running, "/nothing").await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn connections_that_say_nothing_make_room_by_and_by() {
    let running = run();
    let started = tokio::time::Instant::now();
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        silent.push(TcpStream::connect(running.address).await.unwrap());
    }
    // Waits for room: time is virtual, and moves only when nothing else can.
    assert_eq!(get(&running, "/healthz").await.0, 200);
    assert!(started.elapsed() >= CONNECTION_LIFE, "there was room for one more than {CONNECTIONS_MAX}");
    for tcp in &mut silent {
        let mut answer = Vec::new();
        // Closed or reset: either is the end.
        let _ = tcp.read_to_end(&mut answer).await;
        assert!(answer.is_empty());
    }
}
