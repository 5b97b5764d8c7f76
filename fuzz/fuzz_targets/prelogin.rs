//! PRELOGIN decodes or is refused, and comes back as it was when it is encoded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tds::prelogin::Prelogin;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(prelogin) = Prelogin::decode(bytes) {
        assert_eq!(Prelogin::decode(&prelogin.encode()), Ok(prelogin));
    }
});
