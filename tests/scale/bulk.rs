//! Messages far larger than the memory a session may use.

use std::time::Instant;

use tds::packet::{HEADER_BYTES, Header, PacketKind, Status};
use tds::token::EnvChange;
use tests::fake_server::{self, FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tokio::io::AsyncWriteExt;

use crate::start;

/// The largest packet a TLS record can hold, and so the largest that is granted by default.
const PACKET_BYTES: usize = 16_383;
/// One GiB in packets of that size.
const PACKETS: usize = (1 << 30) / PACKET_BYTES + 1;
/// What the whole transfer may add to the most memory the process ever held: the two directions' buffers, and change.
const GROWTH_BYTES_MAX: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_load_of_one_gibibyte_passes_in_constant_memory() {
    let granted = vec![EnvChange::PacketSize(u32::try_from(PACKET_BYTES).unwrap(), 4096)];
    let mut server = FakeServer::start("onprem", OnLogin::Accept(granted), OnRequest::Swallow).await;
    let program = start(&server, "").await;
    let mut login = raw_client::login("SalesDB", false);
    login.packet_bytes = u32::try_from(PACKET_BYTES).unwrap();
    let (mut client, answer) = RawClient::log_in(program.address, &login).await;
    assert!(answer.error().is_none());
    // A first load shows how much a session needs that is busy at all.
    bulk_load(&mut client, &mut server, 1_000).await;
    let (before, begun) = (program.peak_bytes(), Instant::now());
    bulk_load(&mut client, &mut server, PACKETS).await;
    let grown = program.peak_bytes().saturating_sub(before);
    println!("1 GiB in {:.1} s, {grown} bytes more than a small load", begun.elapsed().as_secs_f64());
    assert!(grown <= GROWTH_BYTES_MAX, "the process grew by {grown} bytes");
}

/// Sends a bulk load of so many packets, and sees each of them arrive.
async fn bulk_load(client: &mut RawClient, server: &mut FakeServer, packets: usize) {
    let length = u16::try_from(PACKET_BYTES).unwrap();
    let packet = |status, packet_id| {
        let header = Header { kind: PacketKind::BulkLoad, status, length, spid: 0, packet_id };
        [&header.encode()[..], &[0x5A; PACKET_BYTES - HEADER_BYTES]].concat()
    };
    let (part, last) = (packet(Status::NORMAL, 1), packet(Status::END_OF_MESSAGE, 2));
    let send = async {
        for _ in 1..packets {
            client.tcp.write_all(&part).await.unwrap();
        }
        client.tcp.write_all(&last).await.unwrap();
        assert_eq!(client.receive().await.unwrap().body, fake_server::done());
    };
    let arrive = async {
        for number in 1..=packets {
            assert_eq!(server.packet().await, (PacketKind::BulkLoad, u8::from(number == packets)));
        }
    };
    tokio::join!(send, arrive);
}
