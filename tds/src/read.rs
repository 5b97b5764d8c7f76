//! A checked reader over a peer's bytes: every step either fits or is an error.

use crate::{DecodeError, text};

/// Reads fields from a slice, front to back. All integers are little-endian unless the name says `be`.
///
/// `what` in every call names the field for the error message.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    start: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, start: bytes.len() }
    }

    /// Bytes consumed so far.
    pub fn position(&self) -> usize {
        self.start.saturating_sub(self.bytes.len())
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// True when every byte was read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(DecodeError::Truncated {
            what,
            want: count,
            have: self.bytes.len(),
        })?;
        self.bytes = tail;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.bytes.split_first_chunk::<N>().ok_or(DecodeError::Truncated {
            what,
            want: N,
            have: self.bytes.len(),
        })?;
        self.bytes = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        self.array(what).map(u16::from_le_bytes)
    }

    /// Two bytes, big-endian.
    pub fn u16_be(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        self.array(what).map(u16::from_be_bytes)
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// Four bytes, big-endian.
    pub fn u32_be(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// Four bytes, little-endian, signed.
    pub fn i32(&mut self, what: &'static str) -> Result<i32, DecodeError> {
        self.array(what).map(i32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// `B_VARBYTE`: u8 byte count, bytes.
    pub fn b_varbyte(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let count = self.u8(what)?;
        self.take(usize::from(count), what)
    }

    /// `US_VARBYTE`: u16 byte count, bytes.
    pub fn us_varbyte(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let count = self.u16(what)?;
        self.take(usize::from(count), what)
    }

    /// `B_VARCHAR`: u8 character count, UTF-16LE.
    pub fn b_varchar(&mut self, what: &'static str) -> Result<String, DecodeError> {
        let count = self.u8(what)?;
        text::decode(self.take(usize::from(count) * 2, what)?, what)
    }

    /// `US_VARCHAR`: u16 character count, UTF-16LE.
    pub fn us_varchar(&mut self, what: &'static str) -> Result<String, DecodeError> {
        let count = self.u16(what)?;
        text::decode(self.take(usize::from(count) * 2, what)?, what)
    }
}
