//! Calls decode or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tds::read::Reader;
use tds::rpc::Rpc;

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::new(bytes);
    if let Ok(calls) = Rpc::decode_all(&mut reader) {
        assert!(reader.is_empty() && !calls.is_empty());
    }
});
