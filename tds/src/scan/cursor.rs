//! The way over a row that is cut between chunks: remembers where it is and goes on with the next chunk.

use super::plan::{Prefix, Step};

const NULL_U16: u64 = 0xFFFF;

/// What comes next when nothing is left to skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Field {
    /// The next step of the plan.
    #[default]
    Step,
    /// A length of the given width in bytes; the value follows.
    Length(u8),
    /// The total length of a chunked value.
    PartialTotal,
    /// The length of a chunk.
    PartialChunk,
    /// The length of a text pointer.
    TextPointer,
}

/// A place inside a row.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    /// The next step.
    index: usize,
    /// Bytes to skip before `field`.
    skip: u64,
    field: Field,
    /// The bytes of a length that is cut, and how many there are; at most 8.
    partial: [u8; 8],
    got: usize,
}

impl Cursor {
    /// Goes on through `input`. True when the row is over; `input` then begins behind it.
    ///
    /// `nulls` is the bitmap of an NBCROW, empty for other rows.
    pub(crate) fn advance(&mut self, steps: &[Step], nulls: &[u8], input: &mut &[u8]) -> bool {
        loop {
            if !skip(&mut self.skip, input) {
                return false;
            }
            if self.field == Field::Step {
                let Some(step) = steps.get(self.index) else { return true };
                let index = self.index;
                self.index = index.saturating_add(1);
                if nulls.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1) {
                    continue;
                }
                self.skip = u64::from(step.fixed);
                self.field = first_field(step.prefix);
                continue;
            }
            let Some(length) = self.read_length(input) else { return false };
            self.enter(length);
        }
    }

    /// Collects the bytes of the length that `field` names.
    fn read_length(&mut self, input: &mut &[u8]) -> Option<u64> {
        let width = match self.field {
            Field::Step => 0,
            Field::Length(width) => usize::from(width),
            Field::PartialTotal => 8,
            Field::PartialChunk => 4,
            Field::TextPointer => 1,
        };
        while self.got < width {
            let (byte, rest) = input.split_first()?;
            *self.partial.get_mut(self.got)? = *byte;
            self.got = self.got.saturating_add(1);
            *input = rest;
        }
        self.got = 0;
        Some(u64::from_le_bytes(std::mem::take(&mut self.partial)))
    }

    /// What a length means where it stands.
    fn enter(&mut self, length: u64) {
        (self.skip, self.field) = match (self.field, length) {
            (Field::Length(2), NULL_U16) | (Field::PartialTotal, u64::MAX) => (0, Field::Step),
            (Field::PartialTotal, _) => (0, Field::PartialChunk),
            (Field::PartialChunk | Field::TextPointer, 0) => (0, Field::Step),
            (Field::PartialChunk, _) => (length, Field::PartialChunk),
            // The pointer, a timestamp of 8 bytes, then the length of the text.
            (Field::TextPointer, _) => (length.saturating_add(8), Field::Length(4)),
            (Field::Step | Field::Length(_), _) => (length, Field::Step),
        };
    }
}

fn first_field(prefix: Prefix) -> Field {
    match prefix {
        Prefix::None => Field::Step,
        Prefix::Byte => Field::Length(1),
        Prefix::Short => Field::Length(2),
        Prefix::Long => Field::Length(4),
        Prefix::Partial => Field::PartialTotal,
        Prefix::Text => Field::TextPointer,
    }
}

/// Drops up to `count` bytes of `input`; true when all of them were there.
pub(crate) fn skip(count: &mut u64, input: &mut &[u8]) -> bool {
    let here = usize::try_from(*count).unwrap_or(usize::MAX).min(input.len());
    *input = input.get(here..).unwrap_or_default();
    *count = count.saturating_sub(here as u64);
    *count == 0
}
