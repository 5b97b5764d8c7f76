//! LOGIN7 decodes or is refused, and comes back as it was when it is encoded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tds::login7::Login7;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(login) = Login7::decode(bytes)
        && let Ok(encoded) = login.encode()
    {
        assert_eq!(Login7::decode(&encoded), Ok(login));
    }
});
