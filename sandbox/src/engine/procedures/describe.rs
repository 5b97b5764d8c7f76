//! sp_describe_undeclared_parameters: what types the parameters of a statement would best have.

use tds::value::Value;

use super::super::error::SqlError;
use super::super::lexer::{Kind, tokens};
use super::super::session::{Frame, Outcome, Session, Unwind};
use super::super::sink::{Column, Sink, StatementEnd};
use super::super::types::{Type, decimal_bytes};
use super::{Given, raise, text};

const SELECT: u16 = 0xC1;

/// The columns of the answer, in SQL Server's order.
const COLUMNS: [(&str, Type); 24] = [
    ("parameter_ordinal", Type::Int),
    ("name", Type::SYSNAME),
    ("suggested_system_type_id", Type::Int),
    ("suggested_system_type_name", Type::SYSNAME),
    ("suggested_max_length", Type::SmallInt),
    ("suggested_precision", Type::TinyInt),
    ("suggested_scale", Type::TinyInt),
    ("suggested_user_type_id", Type::Int),
    ("suggested_user_type_database", Type::SYSNAME),
    ("suggested_user_type_schema", Type::SYSNAME),
    ("suggested_user_type_name", Type::SYSNAME),
    ("suggested_assembly_qualified_type_name", Type::NVARCHAR_MAX),
    ("suggested_xml_collection_id", Type::Int),
    ("suggested_xml_collection_database", Type::SYSNAME),
    ("suggested_xml_collection_schema", Type::SYSNAME),
    ("suggested_xml_collection_name", Type::SYSNAME),
    ("suggested_is_xml_document", Type::Bit),
    ("suggested_is_case_sensitive", Type::Bit),
    ("suggested_is_fixed_length_clr_type", Type::Bit),
    ("suggested_is_input", Type::Bit),
    ("suggested_is_output", Type::Bit),
    ("formal_parameter_name", Type::SYSNAME),
    ("suggested_tds_type_id", Type::Int),
    ("suggested_tds_length", Type::Int),
];

/// `@tsql, @params`.
pub(super) fn undeclared_parameters(
    session: &Session,
    given: &[Given],
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    let sql = text(given, 0).unwrap_or_default();
    let code = session.code(&sql, "").map_err(raise)?;
    let mut frame = Frame::new(std::sync::Arc::clone(&code), String::new(), 1);
    for parameter in super::declared(text(given, 1))? {
        frame.types.insert(parameter.name.to_lowercase(), parameter.type_);
    }
    let mut suggested = std::collections::BTreeMap::new();
    for statement in &code.batch.statements {
        suggested.extend(session.suggested_types(&statement.kind, &frame).map_err(raise)?);
    }
    // Ordinals follow the text, not the order in which the parts of a statement are bound.
    let mut rows = Vec::with_capacity(suggested.len());
    for token in tokens(&sql, true).map_err(raise)? {
        if token.kind != Kind::Variable {
            continue;
        }
        let Some(type_) = suggested.remove(&token.text.to_lowercase()) else { continue };
        let Some(type_) = type_ else {
            let text = format!("The type for parameter '{}' cannot be deduced in this context.", token.text);
            return Err(raise(SqlError::new(11504, 16, 1, text)));
        };
        rows.push(row(rows.len() + 1, &token.text, type_));
    }
    let columns = COLUMNS.map(|(name, type_)| Column {
        name: name.to_owned(),
        type_info: type_.type_info(true),
        nullable: true,
        identity: false,
        hidden: false,
    });
    sink.columns(&columns)?;
    for row in &rows {
        sink.row(row)?;
    }
    sink.end(StatementEnd { command: SELECT, rows: Some(rows.len() as u64), failed: false })?;
    Ok(Outcome::default())
}

/// The name with its length or precision, as a declaration would have it.
pub(super) fn declaration(type_: Type) -> String {
    let length = |length: Option<u16>| length.map_or_else(|| "max".to_owned(), |length| length.to_string());
    match type_ {
        Type::Text(_, n) | Type::Binary(_, n) => format!("{}({})", type_.name(), length(n)),
        Type::Decimal(precision, scale) => format!("decimal({precision},{scale})"),
        Type::Time(scale) | Type::DateTime2(scale) | Type::DateTimeOffset(scale) => {
            format!("{}({scale})", type_.name())
        }
        other => other.name().to_owned(),
    }
}

/// System type id, length in bytes, precision, scale and TDS type of a suggestion.
pub(super) fn size(type_: Type) -> (i32, i16, u8, u8, i32) {
    let bytes = |length: Option<u16>, unit: u16| {
        length.map_or(-1, |length| i16::try_from(length.saturating_mul(unit)).unwrap_or(i16::MAX))
    };
    match type_ {
        Type::Null | Type::Int => (56, 4, 10, 0, 38),
        Type::Bit => (104, 1, 1, 0, 104),
        Type::TinyInt => (48, 1, 3, 0, 38),
        Type::SmallInt => (52, 2, 5, 0, 38),
        Type::BigInt => (127, 8, 19, 0, 38),
        Type::Decimal(precision, scale) => (106, i16::from(decimal_bytes(precision)), precision, scale, 106),
        Type::SmallMoney => (122, 4, 10, 4, 110),
        Type::Money => (60, 8, 19, 4, 110),
        Type::Real => (59, 4, 24, 0, 109),
        Type::Float => (62, 8, 53, 0, 109),
        Type::Text(kind, length) if kind.is_national() => {
            let id = if kind.is_fixed() { 239 } else { 231 };
            (id, bytes(length, 2), 0, 0, id)
        }
        Type::Text(kind, length) => {
            let id = if kind.is_fixed() { 175 } else { 167 };
            (id, bytes(length, 1), 0, 0, id)
        }
        Type::LongText => (35, 16, 0, 0, 35),
        Type::LongNText => (99, 16, 0, 0, 99),
        Type::Xml => (241, -1, 0, 0, 241),
        Type::Binary(true, length) => (173, bytes(length, 1), 0, 0, 173),
        Type::Binary(false, length) => (165, bytes(length, 1), 0, 0, 165),
        Type::Image => (34, 16, 0, 0, 34),
        Type::Guid => (36, 16, 0, 0, 36),
        Type::Date => (40, 3, 10, 0, 40),
        Type::Time(scale) => (41, 5, 9 + scale, scale, 41),
        Type::SmallDateTime => (58, 4, 16, 0, 111),
        Type::DateTime => (61, 8, 23, 3, 111),
        Type::DateTime2(scale) => (42, 8, 20 + scale, scale, 42),
        Type::DateTimeOffset(scale) => (43, 10, 27 + scale, scale, 43),
    }
}

fn row(ordinal: usize, name: &str, type_: Type) -> Vec<Value> {
    let (id, length, precision, scale, wire) = size(type_);
    let mut row = vec![
        Value::Int(i32::try_from(ordinal).unwrap_or(i32::MAX)),
        Value::Text(name.to_owned()),
        Value::Int(id),
        Value::Text(declaration(type_)),
        Value::SmallInt(length),
        Value::TinyInt(precision),
        Value::TinyInt(scale),
    ];
    row.extend(std::iter::repeat_n(Value::Null, 9));
    row.extend([false, false, false, true, false].map(Value::Bit));
    row.push(Value::Null);
    row.push(Value::Int(wire));
    row.push(Value::Int(if length < 0 { 65_535 } else { i32::from(length) }));
    row
}
