//! The head of a request is the same in any cut, and no more than the limit is kept.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tds::packet::PacketKind;
use tds::request::HeadReader;

const LIMIT_BYTES: usize = 512;

fn read(kind: PacketKind, bytes: &[u8], chunk_bytes: usize) -> Option<String> {
    let mut reader = HeadReader::new(kind, LIMIT_BYTES);
    let chunks: Vec<_> = bytes.chunks(chunk_bytes.max(1)).collect();
    for (index, chunk) in chunks.iter().enumerate() {
        if let Some(head) = reader.feed(chunk, index + 1 == chunks.len()).ok()? {
            return Some(format!("{head:?}"));
        }
        assert!(reader.kept_bytes() <= LIMIT_BYTES);
    }
    None
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (kind, chunk_bytes, bytes) = input;
    let kinds = [PacketKind::SqlBatch, PacketKind::Rpc, PacketKind::TransactionManager, PacketKind::BulkLoad];
    let kind = kinds[usize::from(kind) % kinds.len()];
    assert_eq!(read(kind, bytes, bytes.len()), read(kind, bytes, chunk_bytes.into()));
});
