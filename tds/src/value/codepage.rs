//! Text of char, varchar and text columns in the code page of their collation.

use crate::types::Collation;
use encoding_rs::EncoderResult;

/// Decodes text; bytes that are no character of the code page become U+FFFD.
pub(super) fn decode(collation: Collation, bytes: &[u8]) -> String {
    match collation.encoding() {
        Some(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        None => decode_ascii(bytes),
    }
}

/// Decodes ASCII; other bytes become U+FFFD.
pub(super) fn decode_ascii(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// Encodes text. A character the code page does not have becomes `?`, as in SQL Server.
pub(super) fn encode(collation: Collation, text: &str) -> Vec<u8> {
    let Some(encoding) = collation.encoding() else { return encode_ascii(text) };
    if text.is_ascii() || collation.is_utf8() {
        return text.as_bytes().to_vec();
    }
    let mut encoder = encoding.new_encoder();
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        // The encoder writes into spare capacity only, so each turn makes room for what may be left and one `?`.
        out.reserve(encoder.max_buffer_length_from_utf8_without_replacement(rest.len()).unwrap_or(rest.len()).max(8));
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut out, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            EncoderResult::InputEmpty => return out,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) => out.push(b'?'),
        }
    }
}

/// Encodes ASCII; other characters become `?`.
pub(super) fn encode_ascii(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(character).ok().filter(u8::is_ascii).unwrap_or(b'?')).collect()
}
