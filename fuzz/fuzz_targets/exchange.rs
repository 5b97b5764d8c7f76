//! The books of a session hold, whatever packets either side sends in whatever order.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| proxy::fuzzing::exchange(script));
