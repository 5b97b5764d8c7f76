//! A datagram is a question or nothing, and no answer is longer than it may be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tds::browser::{self, ANSWER_BYTES_MAX, INSTANCE_BYTES_MAX, Instance, Question};
use tds::prelogin::Version;

fuzz_target!(|input: (&[u8], &str, u8)| {
    let (datagram, name, count) = input;
    match Question::decode(datagram) {
        Some(Question::One(asked)) => assert!((1..=INSTANCE_BYTES_MAX).contains(&asked.len())),
        Some(Question::All) => assert_eq!(datagram.len(), 1),
        None => {}
    }
    let instance = Instance { server_name: name, name, version: Version::default(), tcp_port: 1433 };
    if let Some(answer) = browser::answer((0..count).map(|_| instance)) {
        assert!(answer.len() <= ANSWER_BYTES_MAX);
    }
});
