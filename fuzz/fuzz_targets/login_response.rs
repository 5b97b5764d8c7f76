//! A replica's answer to a login is refused, or what is left of it for the client reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, &[u8])| {
    let (strict, response) = input;
    proxy::fuzzing::login_response(response, strict);
});
