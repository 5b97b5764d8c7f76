//! sp_datatype_info: the types of the server, as ODBC's SQLGetTypeInfo wants them.
//!
//! Drivers size their parameters by it: without it Microsoft's ODBC driver sends a time without its fraction.

use tds::value::Value;

use super::super::error::SqlError;
use super::super::session::{Outcome, Unwind};
use super::super::sink::{Column, Sink, StatementEnd};
use super::super::types::Type;
use super::{Given, number, raise};

const SELECT: u16 = 0xC1;
/// The first version of ODBC with the type codes used here; Microsoft's driver 18 calls itself 4.
const ODBC_MIN: i32 = 3;

const COLUMNS: [(&str, Type); 20] = [
    ("TYPE_NAME", Type::SYSNAME),
    ("DATA_TYPE", Type::SmallInt),
    ("PRECISION", Type::Int),
    ("LITERAL_PREFIX", Type::SYSNAME),
    ("LITERAL_SUFFIX", Type::SYSNAME),
    ("CREATE_PARAMS", Type::SYSNAME),
    ("NULLABLE", Type::SmallInt),
    ("CASE_SENSITIVE", Type::SmallInt),
    ("SEARCHABLE", Type::SmallInt),
    ("UNSIGNED_ATTRIBUTE", Type::SmallInt),
    ("MONEY", Type::SmallInt),
    ("AUTO_INCREMENT", Type::SmallInt),
    ("LOCAL_TYPE_NAME", Type::SYSNAME),
    ("MINIMUM_SCALE", Type::SmallInt),
    ("MAXIMUM_SCALE", Type::SmallInt),
    ("SQL_DATA_TYPE", Type::SmallInt),
    ("SQL_DATETIME_SUB", Type::SmallInt),
    ("NUM_PREC_RADIX", Type::Int),
    ("INTERVAL_PRECISION", Type::SmallInt),
    ("USERTYPE", Type::SmallInt),
];

/// One type: its ODBC code and what it needs beside its name.
struct Datatype {
    name: &'static str,
    code: i16,
    precision: i32,
    /// What stands around a literal; only strings and times have something behind it.
    literal: Option<(&'static str, Option<&'static str>)>,
    create: Option<&'static str>,
    /// 0 not at all, 1 with LIKE only, 2 with all but LIKE, 3 with all.
    searchable: i16,
    /// Base of the precision of a number.
    radix: Option<i32>,
    scale: Option<(i16, i16)>,
    user_type: i16,
}

const fn number_type(name: &'static str, code: i16, precision: i32, scale: Option<(i16, i16)>, user: i16) -> Datatype {
    Datatype {
        name,
        code,
        precision,
        literal: None,
        create: None,
        searchable: 2,
        radix: Some(10),
        scale,
        user_type: user,
    }
}

const fn other(name: &'static str, code: i16, precision: i32, literal: &'static str, searchable: i16) -> Datatype {
    // Binary literals have a prefix only.
    let suffix = if matches!(literal.as_bytes(), b"0x") { None } else { Some("'") };
    let literal = Some((literal, suffix));
    Datatype { name, code, precision, literal, create: None, searchable, radix: None, scale: None, user_type: 0 }
}

/// Ordered by code, and within a code by nearness to it: a driver takes the first.
const DATATYPES: [Datatype; 29] = [
    Datatype { scale: Some((0, 7)), create: Some("scale"), ..other("datetimeoffset", -155, 34, "'", 3) },
    Datatype { scale: Some((0, 7)), create: Some("scale"), ..other("time", -154, 16, "'", 3) },
    other("xml", -152, 0, "N'", 0),
    Datatype { user_type: 37, ..other("uniqueidentifier", -11, 36, "'", 2) },
    other("ntext", -10, 1_073_741_823, "N'", 1),
    Datatype { create: Some("max length"), ..other("nvarchar", -9, 4000, "N'", 3) },
    Datatype { user_type: 18, ..other("sysname", -9, 128, "N'", 3) },
    Datatype { create: Some("length"), ..other("nchar", -8, 4000, "N'", 3) },
    Datatype { radix: None, ..number_type("bit", -7, 1, Some((0, 0)), 16) },
    number_type("tinyint", -6, 3, Some((0, 0)), 5),
    number_type("bigint", -5, 19, Some((0, 0)), 0),
    Datatype { user_type: 20, ..other("image", -4, 2_147_483_647, "0x", 0) },
    Datatype { create: Some("max length"), user_type: 4, ..other("varbinary", -3, 8000, "0x", 2) },
    Datatype { create: Some("length"), user_type: 3, ..other("binary", -2, 8000, "0x", 2) },
    Datatype { user_type: 19, ..other("text", -1, 2_147_483_647, "'", 1) },
    Datatype { create: Some("length"), user_type: 1, ..other("char", 1, 8000, "'", 3) },
    Datatype { create: Some("precision,scale"), ..number_type("numeric", 2, 38, Some((0, 38)), 10) },
    Datatype { create: Some("precision,scale"), ..number_type("decimal", 3, 38, Some((0, 38)), 24) },
    Datatype { literal: Some(("$", None)), ..number_type("money", 3, 19, Some((4, 4)), 11) },
    Datatype { literal: Some(("$", None)), ..number_type("smallmoney", 3, 10, Some((4, 4)), 21) },
    number_type("int", 4, 10, Some((0, 0)), 7),
    number_type("smallint", 5, 5, Some((0, 0)), 6),
    Datatype { radix: Some(2), ..number_type("float", 6, 53, None, 8) },
    Datatype { radix: Some(2), ..number_type("real", 7, 24, None, 23) },
    Datatype { create: Some("max length"), user_type: 2, ..other("varchar", 12, 8000, "'", 3) },
    other("date", 91, 10, "'", 3),
    Datatype { scale: Some((0, 7)), create: Some("scale"), ..other("datetime2", 93, 27, "'", 3) },
    Datatype { scale: Some((3, 3)), user_type: 12, ..other("datetime", 93, 23, "'", 3) },
    Datatype { scale: Some((0, 0)), user_type: 22, ..other("smalldatetime", 93, 16, "'", 3) },
];

/// `@data_type, @ODBCVer`.
pub(super) fn info(given: &[Given], sink: &mut dyn Sink) -> Result<Outcome, Unwind> {
    if number(given, 1).is_none_or(|version| version < ODBC_MIN) {
        return Err(raise(SqlError::unsupported("sp_datatype_info for versions of ODBC before 3")));
    }
    // No type, or type 0, asks for all.
    let wanted = number(given, 0).filter(|&code| code != 0);
    let columns = COLUMNS.map(|(name, type_)| Column {
        name: name.to_owned(),
        type_info: type_.type_info(true),
        nullable: true,
        identity: false,
        hidden: false,
    });
    sink.columns(&columns)?;
    let mut rows = 0;
    for datatype in DATATYPES.iter().filter(|datatype| wanted.is_none_or(|code| code == i32::from(datatype.code))) {
        sink.row(&datatype.row())?;
        rows += 1;
    }
    sink.end(StatementEnd { command: SELECT, rows: Some(rows), failed: false })?;
    Ok(Outcome::default())
}

impl Datatype {
    fn row(&self) -> [Value; 20] {
        let text = |text: Option<&str>| text.map_or(Value::Null, |text| Value::Text(text.to_owned()));
        let small = |number: Option<i16>| number.map_or(Value::Null, Value::SmallInt);
        let signed = self.radix.is_some();
        // ODBC 3 counts dates and times as one type with variants.
        let (general, variant) = match self.code {
            91 => (9, Some(1)),
            93 => (9, Some(3)),
            code => (code, None),
        };
        [
            text(Some(self.name)),
            Value::SmallInt(self.code),
            Value::Int(self.precision),
            text(self.literal.map(|(prefix, _)| prefix)),
            text(self.literal.and_then(|(_, suffix)| suffix)),
            text(self.create),
            Value::SmallInt(i16::from(self.name != "sysname")),
            Value::SmallInt(i16::from(self.name == "xml")),
            Value::SmallInt(self.searchable),
            small(signed.then_some(i16::from(self.name == "tinyint"))),
            Value::SmallInt(i16::from(self.name.ends_with("money"))),
            small(signed.then_some(0)),
            text(Some(self.name)),
            small(self.scale.map(|(least, _)| least)),
            small(self.scale.map(|(_, most)| most)),
            Value::SmallInt(general),
            small(variant),
            self.radix.map_or(Value::Null, Value::Int),
            Value::Null,
            Value::SmallInt(self.user_type),
        ]
    }
}
