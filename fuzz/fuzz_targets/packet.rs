//! Packets are cut the same wherever the bytes are cut, and nothing is lost.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use tds::packet;

fuzz_target!(|input: (u8, &[u8])| {
    let (at, bytes) = input;
    let (mut whole, mut taken) = (BytesMut::from(bytes), 0);
    let mut packets = Vec::new();
    while let Ok(Some((header, body))) = packet::take(&mut whole, 4096) {
        assert_eq!(header.body_bytes(), body.len());
        taken += usize::from(header.length);
        packets.push((header, body));
    }
    assert_eq!(taken + whole.len(), bytes.len());

    let (head, tail) = bytes.split_at(usize::from(at).min(bytes.len()));
    let mut pieces = BytesMut::new();
    let mut again = Vec::new();
    for piece in [head, tail] {
        pieces.extend_from_slice(piece);
        while let Ok(Some(packet)) = packet::take(&mut pieces, 4096) {
            again.push(packet);
        }
    }
    assert_eq!(packets, again);
});
