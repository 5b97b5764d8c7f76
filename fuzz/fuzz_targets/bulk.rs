//! Bulk loads give the same rows in any cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tds::bulk::BulkLoad;

fn read(bytes: &[u8], chunk_bytes: usize) -> Option<Vec<String>> {
    let mut load = BulkLoad::new(1 << 16);
    let mut events = Vec::new();
    for chunk in bytes.chunks(chunk_bytes.max(1)) {
        load.feed(chunk);
        while let Some(event) = load.next_event().ok()? {
            events.push(format!("{event:?}"));
        }
    }
    load.finish().ok()?;
    Some(events)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (chunk_bytes, bytes) = input;
    assert_eq!(read(bytes, bytes.len()), read(bytes, chunk_bytes.into()));
});
