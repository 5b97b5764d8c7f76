//! Tokens without a length, understood piece by piece: metadata, output parameters, data classification.

use super::plan::{Plan, Prefix, Step, skip_b_varchar, skip_us_varchar};
use super::{ALT_PLANS_MAX, Columns, METADATA_BYTES_MAX, Rows, Scanner, State};
use crate::DecodeError;
use crate::read::Reader;
use crate::token::{Agreed, ColumnFlags};

/// The count that stands for "as the client remembers".
const NO_METADATA: u16 = 0xFFFF;

/// Which piece comes next. `left` counts the pieces of its kind that are to come, this one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Structure {
    /// COLMETADATA: how many columns.
    ColumnCount,
    /// How many column encryption keys.
    KeyCount { columns: u16 },
    /// A key without its values.
    Key { left: u16, columns: u16 },
    /// A value of a key; `keys` follow.
    KeyValue { left: u8, keys: u16, columns: u16 },
    /// A column.
    Column { left: u16 },
    /// ALTMETADATA up to its columns.
    AltHead,
    /// A column of an ALTMETADATA.
    AltColumn { left: u16 },
    /// The number of an ALTROW's ALTMETADATA.
    AltRow,
    /// RETURNVALUE up to its value.
    ReturnValue,
    /// DATACLASSIFICATION: how many labels, and in the `last` place how many information types.
    LabelCount { last: bool },
    /// A label or an information type: a name and a number as text.
    Label { left: u16, last: bool },
    /// The rank, where agreed, and the number of columns.
    ClassifiedCount,
    /// How many labels a column has; they are stepped over.
    Classified { left: u16 },
}

impl Structure {
    /// The pieces of `left` more columns.
    fn columns(left: u16) -> State {
        if left == 0 { State::Token } else { State::Structure(Self::Column { left }) }
    }

    fn alt_columns(left: u16) -> State {
        if left == 0 { State::Token } else { State::Structure(Self::AltColumn { left }) }
    }

    /// The pieces of `left` more keys, then of the columns.
    fn keys(left: u16, columns: u16) -> State {
        if left == 0 { Self::columns(columns) } else { State::Structure(Self::Key { left, columns }) }
    }

    fn key_values(left: u8, keys: u16, columns: u16) -> State {
        if left == 0 { Self::keys(keys, columns) } else { State::Structure(Self::KeyValue { left, keys, columns }) }
    }

    fn labels(left: u16, last: bool) -> State {
        State::Structure(match (left, last) {
            (0, false) => Self::LabelCount { last: true },
            (0, true) => Self::ClassifiedCount,
            _ => Self::Label { left, last },
        })
    }

    fn classified(left: u16) -> State {
        if left == 0 { State::Token } else { State::Structure(Self::Classified { left }) }
    }
}

impl Scanner {
    /// Reads the next piece. Does nothing but hold its front if it is cut.
    pub(super) fn structure(&mut self, structure: Structure, input: &mut &[u8]) -> Result<(), DecodeError> {
        let agreed = self.agreed;
        let next = match structure {
            Structure::ColumnCount => self.piece(input, |r| r.u16("column count"))?.map(|count| self.columns(count)),
            Structure::KeyCount { columns } => {
                self.piece(input, |r| r.u16("key count"))?.map(|keys| Structure::keys(keys, columns))
            }
            Structure::Key { left, columns } => self
                .piece(input, |r| r.take(20, "key").and_then(|_| r.u8("key value count")))?
                .map(|values| Structure::key_values(values, left.saturating_sub(1), columns)),
            Structure::KeyValue { left, keys, columns } => self
                .piece(input, skip_key_value)?
                .map(|()| Structure::key_values(left.saturating_sub(1), keys, columns)),
            Structure::Column { left } => self.piece(input, |r| read_column(r, agreed))?.map(|column| {
                self.plan.push(column);
                Structure::columns(left.saturating_sub(1))
            }),
            Structure::AltHead | Structure::AltColumn { .. } | Structure::AltRow => return self.alt(structure, input),
            Structure::ReturnValue => {
                if let Some(value) = self.piece(input, |r| read_return_value(r, agreed))? {
                    self.value.clear();
                    self.value.push(value);
                    self.enter(Rows::ReturnValue, input);
                }
                return Ok(());
            }
            Structure::LabelCount { last } => {
                self.piece(input, |r| r.u16("label count"))?.map(|left| Structure::labels(left, last))
            }
            Structure::Label { left, last } => self
                .piece(input, |r| skip_b_varchar(r).and_then(|()| skip_b_varchar(r)))?
                .map(|()| Structure::labels(left.saturating_sub(1), last)),
            Structure::ClassifiedCount => {
                self.piece(input, |r| read_classified_count(r, agreed))?.map(Structure::classified)
            }
            Structure::Classified { left } => self.piece(input, |r| r.u16("label count of a column"))?.map(|labels| {
                let label_bytes = if agreed.classification_ranks { 8 } else { 4 };
                self.skip = u64::from(labels).saturating_mul(label_bytes);
                Structure::classified(left.saturating_sub(1))
            }),
        };
        self.state = next.unwrap_or(self.state);
        Ok(())
    }

    fn piece<T>(
        &mut self,
        input: &mut &[u8],
        parse: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        self.held.piece(input, METADATA_BYTES_MAX, parse, |_, parsed| parsed)
    }

    /// A COLMETADATA of `count` columns begins.
    fn columns(&mut self, count: u16) -> State {
        if count == NO_METADATA {
            self.columns = Columns::Remembered;
            return State::Token;
        }
        self.columns = Columns::Known;
        self.plan.clear();
        self.alt.clear();
        if self.agreed.column_encryption {
            return State::Structure(Structure::KeyCount { columns: count });
        }
        Structure::columns(count)
    }

    /// What COMPUTE BY gave until SQL Server 2012.
    fn alt(&mut self, structure: Structure, input: &mut &[u8]) -> Result<(), DecodeError> {
        let next = match structure {
            Structure::AltRow => {
                if let Some(id) = self.piece(input, |r| r.u16("ALTROW"))? {
                    let place = self.alt.iter().position(|(known, _)| *known == id);
                    let place = place.ok_or(DecodeError::Misplaced("an ALTROW without metadata before it"))?;
                    self.enter(Rows::Alt(place), input);
                }
                return Ok(());
            }
            Structure::AltColumn { left } => self.piece(input, read_alt_column)?.map(|column| {
                if let Some((_, plan)) = self.alt.last_mut() {
                    plan.push(column);
                }
                Structure::alt_columns(left.saturating_sub(1))
            }),
            _ => self.piece(input, read_alt_head)?.map(|(count, id)| {
                self.alt.retain(|(known, _)| *known != id);
                self.alt.push((id, Plan::default()));
                Structure::alt_columns(count)
            }),
        };
        if self.alt.len() > ALT_PLANS_MAX {
            return Err(DecodeError::TooLarge { what: "the metadata of COMPUTE BY clauses", limit: ALT_PLANS_MAX });
        }
        self.state = next.unwrap_or(self.state);
        Ok(())
    }
}

/// User type, flags, TYPE_INFO, table name.
fn read_typed(reader: &mut Reader<'_>) -> Result<(ColumnFlags, Step), DecodeError> {
    reader.take(4, "user type")?;
    let flags = ColumnFlags(reader.u16("column flags")?);
    Ok((flags, Step::read(reader)?))
}

fn skip_table_name(reader: &mut Reader<'_>, column: Step) -> Result<(), DecodeError> {
    if column.prefix == Prefix::Text {
        for _ in 0..reader.u8("parts of a table name")? {
            skip_us_varchar(reader)?;
        }
    }
    Ok(())
}

fn read_column(reader: &mut Reader<'_>, agreed: Agreed) -> Result<Step, DecodeError> {
    let (flags, column) = read_typed(reader)?;
    skip_table_name(reader, column)?;
    if agreed.column_encryption && flags.contains(ColumnFlags::ENCRYPTED) {
        reader.take(2, "key ordinal")?;
        skip_crypto(reader)?;
    }
    skip_b_varchar(reader)?;
    Ok(column)
}

fn read_alt_head(reader: &mut Reader<'_>) -> Result<(u16, u16), DecodeError> {
    let head = (reader.u16("ALTMETADATA column count")?, reader.u16("ALTMETADATA number")?);
    let by = usize::from(reader.u8("BY columns")?);
    reader.take(by.saturating_mul(2), "BY columns")?;
    Ok(head)
}

fn read_alt_column(reader: &mut Reader<'_>) -> Result<Step, DecodeError> {
    reader.take(3, "aggregate and operand")?;
    let (_, column) = read_typed(reader)?;
    skip_table_name(reader, column)?;
    skip_b_varchar(reader)?;
    Ok(column)
}

fn read_return_value(reader: &mut Reader<'_>, agreed: Agreed) -> Result<Step, DecodeError> {
    reader.take(2, "parameter ordinal")?;
    skip_b_varchar(reader)?;
    reader.take(1, "parameter status")?;
    let (flags, value) = read_typed(reader)?;
    if agreed.column_encryption && flags.contains(ColumnFlags::ENCRYPTED) {
        skip_crypto(reader)?;
    }
    Ok(value)
}

fn read_classified_count(reader: &mut Reader<'_>, agreed: Agreed) -> Result<u16, DecodeError> {
    if agreed.classification_ranks {
        reader.take(4, "sensitivity rank")?;
    }
    reader.u16("classified columns")
}

/// What describes the plain value of an encrypted one.
fn skip_crypto(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    reader.take(4, "user type")?;
    Step::read(reader)?;
    if reader.u8("encryption algorithm")? == 0 {
        skip_b_varchar(reader)?;
    }
    reader.take(2, "encryption type and normalization").map(drop)
}

fn skip_key_value(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    reader.us_varbyte("encrypted key")?;
    skip_b_varchar(reader)?;
    skip_us_varchar(reader)?;
    skip_b_varchar(reader)
}
