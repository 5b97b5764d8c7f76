//! What must be seen in one piece and is cut between chunks: kept until it is whole, up to a limit.

use crate::DecodeError;
use crate::read::Reader;

/// Bytes kept allocated when nothing is held.
const KEPT_BYTES: usize = 512;

/// The front of a piece whose rest is still to come.
#[derive(Debug, Default)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    /// How many bytes the piece has at least.
    need: usize,
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes of memory kept.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Parses the piece at the front of `input` with what was held of it before, and hands its bytes to `then`.
    /// `None` means that `input` is used up and the piece is not whole. No piece may be larger than `limit`.
    ///
    /// Of a piece that is cut only as many bytes are asked for as its next field needs, so nothing behind it is held.
    pub(crate) fn piece<T, R>(
        &mut self,
        input: &mut &[u8],
        limit: usize,
        parse: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
        then: impl FnOnce(&[u8], T) -> R,
    ) -> Result<Option<R>, DecodeError> {
        if self.bytes.is_empty() {
            let mut reader = Reader::new(input);
            match parse(&mut reader) {
                Ok(parsed) => {
                    let (piece, rest) = input.split_at(reader.position().min(input.len()));
                    *input = rest;
                    return Ok(Some(then(piece, parsed)));
                }
                Err(error) => self.need = needed(error, input.len(), limit)?,
            }
        }
        loop {
            let missing = self.need.saturating_sub(self.bytes.len()).min(input.len());
            let (head, rest) = input.split_at(missing);
            self.bytes.extend_from_slice(head);
            *input = rest;
            if self.bytes.len() < self.need {
                return Ok(None);
            }
            match parse(&mut Reader::new(&self.bytes)) {
                Ok(parsed) => {
                    let result = then(&self.bytes, parsed);
                    self.bytes.clear();
                    self.bytes.shrink_to(KEPT_BYTES);
                    return Ok(Some(result));
                }
                Err(error) => self.need = needed(error, self.bytes.len(), limit)?,
            }
        }
    }
}

/// How long a piece is at least of which `have` bytes were not enough.
fn needed(error: DecodeError, have: usize, limit: usize) -> Result<usize, DecodeError> {
    let DecodeError::Truncated { what, want, have: left } = error else { return Err(error) };
    match have.saturating_sub(left).saturating_add(want) {
        need if need <= limit => Ok(need),
        _ => Err(DecodeError::TooLarge { what, limit }),
    }
}
