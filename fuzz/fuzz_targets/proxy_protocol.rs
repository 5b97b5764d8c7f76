//! A PROXY header reads the same wherever the bytes are cut, and what it announces can be announced again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxy::proxy_protocol::{Announced, encode, parse};

fuzz_target!(|input: (u8, &[u8])| {
    let (at, bytes) = input;
    let whole = parse(bytes);
    let (head, _) = bytes.split_at(usize::from(at).min(bytes.len()));
    match (parse(head), whole) {
        (Ok(None), Ok(Some((_, length)))) => assert!(head.len() < length),
        (Ok(None), _) => {}
        (decided, whole) => assert_eq!(decided, whole),
    }
    if let Ok(Some((announced, length))) = whole {
        assert!(length <= bytes.len());
        if let Announced::Client(endpoints) = announced {
            let again = parse(&encode(Some(endpoints)));
            let Ok(Some((Announced::Client(again), _))) = again else { panic!("{again:?}") };
            assert_eq!(again.client.ip().to_canonical(), endpoints.client.ip().to_canonical());
            assert_eq!(again.server.port(), endpoints.server.port());
        }
    }
});
