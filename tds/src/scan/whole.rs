//! The fast way over rows: those that lie in the chunk as a whole.

use super::plan::{Plan, Prefix, Step};
use crate::token::id;

const NULL_U16: u16 = 0xFFFF;
const NULL_PLP: u64 = u64::MAX;

impl Plan {
    /// Steps over the whole rows at the front of `bytes`; what is left begins with another token or a row cut off.
    pub(crate) fn skip_rows<'a>(&self, mut bytes: &'a [u8]) -> &'a [u8] {
        if let [Step { fixed, prefix: Prefix::None }] = self.merged() {
            return skip_equal_rows(bytes, usize::try_from(*fixed).unwrap_or(usize::MAX));
        }
        loop {
            let after = match bytes.split_first() {
                Some((&id::ROW, row)) => skip_steps(self.merged(), row),
                Some((&id::NBC_ROW, row)) => self.skip_present(row),
                _ => None,
            };
            match after {
                Some(rest) => bytes = rest,
                None => return bytes,
            }
        }
    }

    /// A row without its NULLs.
    fn skip_present<'a>(&self, row: &'a [u8]) -> Option<&'a [u8]> {
        let (bitmap, mut rest) = row.split_at_checked(self.bitmap_bytes())?;
        for (eight, nulls) in self.columns().chunks(8).zip(bitmap) {
            let mut present = !nulls;
            while present != 0 {
                // Bits behind the last column mean nothing, and there is no step for them.
                let Some(step) = eight.get(usize::try_from(present.trailing_zeros()).unwrap_or(8)) else { break };
                rest = skip_step(*step, rest)?;
                present &= present.wrapping_sub(1);
            }
        }
        Some(rest)
    }
}

/// Rows of equal length, each behind its token.
fn skip_equal_rows(mut bytes: &[u8], fixed: usize) -> &[u8] {
    while let Some((&id::ROW, row)) = bytes.split_first() {
        let Some(rest) = row.get(fixed..) else { break };
        bytes = rest;
    }
    bytes
}

/// What is left after one row, or `None` if the row does not end here.
#[inline]
fn skip_steps<'a>(steps: &[Step], mut rest: &'a [u8]) -> Option<&'a [u8]> {
    for step in steps {
        rest = skip_step(*step, rest)?;
    }
    Some(rest)
}

#[inline(always)]
fn skip_step(step: Step, bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.get(usize::try_from(step.fixed).ok()?..)?;
    Some(match step.prefix {
        Prefix::None => rest,
        Prefix::Byte => {
            let (count, tail) = rest.split_first()?;
            tail.get(usize::from(*count)..)?
        }
        Prefix::Short => {
            let (count, tail) = rest.split_first_chunk::<2>()?;
            match u16::from_le_bytes(*count) {
                NULL_U16 => tail,
                count => tail.get(usize::from(count)..)?,
            }
        }
        Prefix::Long => skip_long(rest)?,
        Prefix::Partial => skip_partial(rest)?,
        Prefix::Text => skip_text(rest)?,
    })
}

fn skip_long(bytes: &[u8]) -> Option<&[u8]> {
    let (count, tail) = bytes.split_first_chunk::<4>()?;
    tail.get(usize::try_from(u32::from_le_bytes(*count)).ok()?..)
}

fn skip_partial(bytes: &[u8]) -> Option<&[u8]> {
    let (total, mut rest) = bytes.split_first_chunk::<8>()?;
    if u64::from_le_bytes(*total) == NULL_PLP {
        return Some(rest);
    }
    loop {
        let last = rest.first_chunk::<4>()? == &[0; 4];
        rest = skip_long(rest)?;
        if last {
            return Some(rest);
        }
    }
}

fn skip_text(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.split_first()? {
        (0, tail) => Some(tail),
        (pointer, tail) => skip_long(tail.get(usize::from(*pointer)..)?.get(8..)?),
    }
}
