//! The scanner tells the same of a response in any cut, keeps little, and never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tds::scan::Scanner;
use tds::token::Agreed;

fn scan(agreed: Agreed, bytes: &[u8], chunk_bytes: usize) -> Option<Vec<String>> {
    let mut scanner = Scanner::new(agreed);
    let mut told = Vec::new();
    for chunk in bytes.chunks(chunk_bytes.max(1)) {
        scanner.scan(chunk, &mut |event| told.push(format!("{event:?}"))).ok()?;
    }
    scanner.end_of_message(&mut |event| told.push(format!("{event:?}"))).ok()?;
    Some(told)
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (flags, chunk_bytes, bytes) = input;
    let agreed = Agreed { column_encryption: flags & 1 != 0, classification_ranks: flags & 2 != 0 };
    let whole = scan(agreed, bytes, bytes.len());
    assert_eq!(whole, scan(agreed, bytes, chunk_bytes.into()));
    assert_eq!(whole, scan(agreed, bytes, 1));
});
