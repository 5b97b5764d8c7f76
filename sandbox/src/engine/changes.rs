//! Which rows a transaction touched, and how they travel from primary to secondary.
//!
//! SQLite's update hook names table and rowid; what the rows are in the end is read at commit. A record first deletes
//! every touched row and then writes those that exist, so that no order of changes can collide on the secondary.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef};

use super::catalog::quoted;
use super::error::SqlError;

/// Rows above this size go to a file.
const MEMORY_BYTES: usize = 256 * 1024;

/// Rowids as closed ranges, so that a load of millions of rows takes no memory.
#[derive(Debug, Default)]
struct Rows {
    ranges: BTreeMap<i64, i64>,
    /// The range that grew last: inserts come in order.
    last: Option<i64>,
}

impl Rows {
    fn add(&mut self, row: i64) {
        if let Some(end) = self.last.and_then(|start| self.ranges.get_mut(&start))
            && *end == row - 1
        {
            *end = row;
            return;
        }
        if self.ranges.range(..=row).next_back().is_some_and(|(_, end)| *end >= row) {
            return;
        }
        self.ranges.insert(row, row);
        self.last = Some(row);
    }
}

/// The rows touched since the last record was written.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Only tables whose names begin so are followed.
    pub(crate) prefixes: Vec<String>,
    tables: BTreeMap<String, Rows>,
}

impl Changes {
    pub(crate) fn touch(&mut self, table: &str, row: i64) {
        if let Some(rows) = self.tables.get_mut(table) {
            rows.add(row);
        } else if self.prefixes.iter().any(|prefix| table.starts_with(prefix)) {
            let mut rows = Rows::default();
            rows.add(row);
            self.tables.insert(table.to_owned(), rows);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.tables.clear();
    }

    /// Writes the touched rows as they are now, if any, and forgets them.
    pub(crate) fn take(&mut self, connection: &Connection) -> Result<Option<RowImages>, SqlError> {
        let tables = std::mem::take(&mut self.tables);
        if tables.is_empty() {
            return Ok(None);
        }
        let mut writer = ImageWriter::default();
        for (table, rows) in &tables {
            writer.table(connection, table, rows)?;
        }
        writer.finish().map(Some)
    }
}

/// The rows of a record, in memory or, when large, in an unnamed file.
#[derive(Debug)]
pub(crate) enum RowImages {
    Memory(Vec<u8>),
    File(File, u64),
}

impl RowImages {
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, bytes) => *bytes,
        }
    }

    /// Writes the rows into another database.
    pub(crate) fn apply(&mut self, connection: &Connection) -> Result<(), SqlError> {
        match self {
            Self::Memory(bytes) => apply(&mut bytes.as_slice(), connection),
            Self::File(file, _) => {
                file.seek(SeekFrom::Start(0)).map_err(disk)?;
                apply(&mut BufReader::with_capacity(1 << 16, file), connection)
            }
        }
    }
}

#[derive(Debug, Default)]
struct ImageWriter {
    memory: Vec<u8>,
    file: Option<BufWriter<File>>,
    written: u64,
}

const END: u8 = 0;
const TABLE: u8 = 1;
const DELETE: u8 = 2;
const ROW: u8 = 3;

impl ImageWriter {
    fn put(&mut self, bytes: &[u8]) -> Result<(), SqlError> {
        self.written += bytes.len() as u64;
        if self.file.is_none() && self.memory.len() + bytes.len() > MEMORY_BYTES {
            let mut file = BufWriter::with_capacity(1 << 16, tempfile::tempfile().map_err(disk)?);
            file.write_all(&self.memory).map_err(disk)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes).map_err(disk),
            None => {
                self.memory.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn table(&mut self, connection: &Connection, table: &str, rows: &Rows) -> Result<(), SqlError> {
        // A table dropped later in the same transaction has no rows to send.
        let query = format!("SELECT rowid, * FROM {} WHERE rowid BETWEEN ?1 AND ?2", quoted(table));
        let Ok(mut statement) = connection.prepare_cached(&query) else { return Ok(()) };
        let width = statement.column_count();
        self.put(&[TABLE])?;
        self.bytes(table.as_bytes())?;
        self.put(&(width as u32 - 1).to_be_bytes())?;
        for (from, to) in &rows.ranges {
            self.put(&[DELETE])?;
            self.put(&from.to_be_bytes())?;
            self.put(&to.to_be_bytes())?;
        }
        for range in &rows.ranges {
            let mut found = statement.query(range)?;
            while let Some(row) = found.next()? {
                self.put(&[ROW])?;
                for index in 0..width {
                    self.value(row.get_ref(index)?)?;
                }
            }
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), SqlError> {
        self.put(&(bytes.len() as u64).to_be_bytes())?;
        self.put(bytes)
    }

    fn value(&mut self, value: ValueRef<'_>) -> Result<(), SqlError> {
        match value {
            ValueRef::Null => self.put(&[0]),
            ValueRef::Integer(value) => {
                self.put(&[1])?;
                self.put(&value.to_be_bytes())
            }
            ValueRef::Real(value) => {
                self.put(&[2])?;
                self.put(&value.to_be_bytes())
            }
            ValueRef::Text(bytes) => {
                self.put(&[3])?;
                self.bytes(bytes)
            }
            ValueRef::Blob(bytes) => {
                self.put(&[4])?;
                self.bytes(bytes)
            }
        }
    }

    fn finish(mut self) -> Result<RowImages, SqlError> {
        self.put(&[END])?;
        match self.file {
            None => Ok(RowImages::Memory(self.memory)),
            Some(file) => {
                let file = file.into_inner().map_err(|error| disk(error.into_error()))?;
                Ok(RowImages::File(file, self.written))
            }
        }
    }
}

fn disk(error: io::Error) -> SqlError {
    SqlError::new(1105, 17, 2, format!("Could not write the redo log: {error}."))
}

fn array<const N: usize>(reader: &mut impl Read) -> Result<[u8; N], SqlError> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).map_err(disk)?;
    Ok(bytes)
}

fn sized(reader: &mut impl Read) -> Result<Vec<u8>, SqlError> {
    let length = u64::from_be_bytes(array(reader)?);
    let mut bytes = Vec::new();
    reader.take(length).read_to_end(&mut bytes).map_err(disk)?;
    Ok(bytes)
}

fn read_value(reader: &mut impl Read) -> Result<Stored, SqlError> {
    Ok(match array::<1>(reader)? {
        [1] => Stored::Integer(i64::from_be_bytes(array(reader)?)),
        [2] => Stored::Real(f64::from_be_bytes(array(reader)?)),
        [3] => Stored::Text(String::from_utf8_lossy(&sized(reader)?).into_owned()),
        [4] => Stored::Blob(sized(reader)?),
        _ => Stored::Null,
    })
}

fn apply(reader: &mut impl Read, connection: &Connection) -> Result<(), SqlError> {
    let (mut delete, mut insert) = (None, None);
    let mut width = 0_u32;
    loop {
        match array::<1>(reader)? {
            [TABLE] => {
                let table = quoted(&String::from_utf8_lossy(&sized(reader)?));
                width = u32::from_be_bytes(array(reader)?);
                delete = Some(connection.prepare(&format!("DELETE FROM {table} WHERE rowid BETWEEN ?1 AND ?2"))?);
                insert = Some(connection.prepare(&insert_statement(connection, &table, width)?)?);
            }
            [DELETE] => {
                let range = (i64::from_be_bytes(array(reader)?), i64::from_be_bytes(array(reader)?));
                if let Some(delete) = &mut delete {
                    delete.execute(range)?;
                }
            }
            [ROW] => {
                let Some(insert) = &mut insert else { return Ok(()) };
                for index in 0..=width as usize {
                    insert.raw_bind_parameter(index + 1, ToSqlOutput::Owned(read_value(reader)?))?;
                }
                insert.raw_execute()?;
            }
            _ => return Ok(()),
        }
    }
}

fn insert_statement(connection: &Connection, table: &str, width: u32) -> Result<String, SqlError> {
    let described = connection.prepare(&format!("SELECT * FROM {table}"))?;
    let names: Vec<String> = described.column_names().map(quoted).collect();
    let places: Vec<String> = (1..=width + 1).map(|index| format!("?{index}")).collect();
    Ok(format!("INSERT INTO {table} (rowid,{}) VALUES ({})", names.join(","), places.join(",")))
}
