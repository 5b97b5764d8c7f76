//! UTF-16LE text and the length-prefixed strings that carry it ([MS-TDS] 2.2.5.1.2).

use crate::DecodeError;
use bytes::BufMut;

/// Decodes UTF-16LE. `what` names the field for the error.
///
/// # Errors
/// [`DecodeError::BadText`] for an odd number of bytes or a lone surrogate.
pub fn decode(bytes: &[u8], what: &'static str) -> Result<String, DecodeError> {
    let (units, []) = bytes.as_chunks::<2>() else { return Err(DecodeError::BadText { what }) };
    char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)))
        .collect::<Result<String, _>>()
        .map_err(|_| DecodeError::BadText { what })
}

/// Decodes UTF-16LE that is only shown, replacing what is not valid.
pub fn decode_lossy(bytes: &[u8]) -> String {
    let (units, _) = bytes.as_chunks::<2>();
    char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Appends `text` as UTF-16LE without a length.
pub fn put(out: &mut impl BufMut, text: &str) {
    text.encode_utf16().for_each(|unit| out.put_u16_le(unit));
}

/// The number of UTF-16 code units in `text`, which is what TDS calls its characters.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Appends a `B_VARCHAR`, cut to the 255 characters its length can say.
pub fn put_b_varchar(out: &mut impl BufMut, text: &str) {
    let text = cut(text, usize::from(u8::MAX));
    out.put_u8(u8::try_from(units(text)).unwrap_or(u8::MAX));
    put(out, text);
}

/// Appends a `US_VARCHAR`, cut to the 65,535 characters its length can say.
pub fn put_us_varchar(out: &mut impl BufMut, text: &str) {
    let text = cut(text, usize::from(u16::MAX));
    out.put_u16_le(u16::try_from(units(text)).unwrap_or(u16::MAX));
    put(out, text);
}

/// The longest prefix of `text` that has at most `max` UTF-16 code units and splits no character.
pub fn cut(text: &str, max: usize) -> &str {
    let mut used: usize = 0;
    for (index, character) in text.char_indices() {
        used = used.saturating_add(character.len_utf16());
        if used > max {
            return text.split_at(index).0;
        }
    }
    text
}
