//! The catalog views clients ask for, as constant rows made from the catalog when a statement is bound.

mod constraints;
pub(crate) mod sessions;

use super::super::ast::Name;
use super::super::types::Type;
use super::{Catalog, Column, Database, Role, Table};

/// A view: its columns, and SQLite text whose columns are called column1, column2, ….
pub(crate) struct View {
    pub(crate) columns: Vec<(&'static str, Type)>,
    pub(crate) sql: String,
}

/// The types sys.types lists, with their system ids.
const TYPES: [(&str, u8, i16); 26] = [
    ("image", 34, 16),
    ("text", 35, 16),
    ("uniqueidentifier", 36, 16),
    ("date", 40, 3),
    ("time", 41, 5),
    ("datetime2", 42, 8),
    ("datetimeoffset", 43, 10),
    ("tinyint", 48, 1),
    ("smallint", 52, 2),
    ("int", 56, 4),
    ("smalldatetime", 58, 4),
    ("real", 59, 4),
    ("money", 60, 8),
    ("datetime", 61, 8),
    ("float", 62, 8),
    ("ntext", 99, 16),
    ("bit", 104, 1),
    ("decimal", 106, 17),
    ("numeric", 108, 17),
    ("smallmoney", 122, 4),
    ("bigint", 127, 8),
    ("varbinary", 165, 8000),
    ("varchar", 167, 8000),
    ("binary", 173, 8000),
    ("char", 175, 8000),
    ("nvarchar", 231, 8000),
];

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The view of this name, if it is one.
pub(crate) fn view(catalog: &Catalog, database: &str, name: &Name) -> Option<View> {
    let (schema, prefix) = match name.0.as_slice() {
        [schema, _] => (schema.as_str(), database),
        [prefix, schema, _] => (schema.as_str(), if prefix.is_empty() { database } else { prefix.as_str() }),
        _ => return None,
    };
    let database = catalog.database(prefix)?;
    let object = name.last().to_ascii_lowercase();
    let (columns, rows) = if schema.eq_ignore_ascii_case("sys") {
        system_view(catalog, database, &object)?
    } else if schema.eq_ignore_ascii_case("information_schema") {
        information_view(database, &object)?
    } else {
        return None;
    };
    let sql = if rows.is_empty() {
        let nulls: Vec<String> = (1..=columns.len()).map(|at| format!("NULL AS column{at}")).collect();
        format!("SELECT {} WHERE false", nulls.join(","))
    } else {
        let rows: Vec<String> = rows.iter().map(|row| format!("({})", row.join(","))).collect();
        format!("VALUES {}", rows.join(","))
    };
    Some(View { columns, sql })
}

type Rows = (Vec<(&'static str, Type)>, Vec<Vec<String>>);

const NAME: Type = Type::SYSNAME;

/// Names of the system types by id.
pub(crate) fn type_names() -> Vec<(i32, String)> {
    let known = TYPES.iter().map(|(name, id, _)| (i32::from(*id), (*name).to_owned()));
    let more = [(239, "nchar"), (241, "xml"), (256, "sysname")].map(|(id, name)| (id, name.to_owned()));
    known.chain(more).collect()
}

/// Names of a database's objects by id.
pub(crate) fn object_names(database: &Database) -> Vec<(i32, String)> {
    let tables = database.tables.values().map(|table| (table.id, table.name.clone()));
    tables.chain(database.procedures.values().map(|one| (one.id, one.name.clone()))).collect()
}

fn system_view(catalog: &Catalog, database: &Database, object: &str) -> Option<Rows> {
    Some(match object {
        "databases" => databases(catalog),
        "schemas" => (
            vec![("name", NAME), ("schema_id", Type::Int), ("principal_id", Type::Int)],
            vec![
                vec![quote("dbo"), "1".into(), "1".into()],
                vec![quote("INFORMATION_SCHEMA"), "3".into(), "3".into()],
                vec![quote("sys"), "4".into(), "4".into()],
            ],
        ),
        "tables" | "objects" | "all_objects" => objects(database, object == "tables"),
        "columns" | "all_columns" => columns(database),
        "types" => types(),
        "procedures" => procedures(database),
        "database_principals" => principals(),
        "dm_os_host_info" => (
            vec![("host_platform", NAME), ("host_distribution", NAME), ("host_release", NAME)],
            vec![vec![quote("Linux"), quote("Sandbox"), quote("0")]],
        ),
        _ => return constraints::system_view(database, object).or_else(|| sessions::view(&catalog.sessions, object)),
    })
}

fn procedures(database: &Database) -> Rows {
    let (columns, rows) = objects(database, false);
    // The fourth column is the type.
    let procedures = rows.into_iter().filter(|row| row.get(3).is_some_and(|kind| kind == "'P '"));
    (columns, procedures.collect())
}

fn principals() -> Rows {
    let columns = vec![
        ("name", NAME),
        ("principal_id", Type::Int),
        ("type", Type::Text(super::super::types::CharKind::Char, Some(1))),
        ("type_desc", Type::nvarchar(60)),
        ("default_schema_name", NAME),
    ];
    let row = |name: &str, id: i32, kind: &str, text: &str| {
        vec![quote(name), id.to_string(), quote(kind), quote(text), quote("dbo")]
    };
    (columns, vec![row("public", 0, "R", "DATABASE_ROLE"), row("dbo", 1, "S", "SQL_USER")])
}

fn databases(catalog: &Catalog) -> Rows {
    let columns = vec![
        ("name", NAME),
        ("database_id", Type::Int),
        ("state", Type::TinyInt),
        ("state_desc", Type::nvarchar(60)),
        ("is_read_only", Type::Bit),
        ("compatibility_level", Type::TinyInt),
        ("collation_name", NAME),
        ("user_access", Type::TinyInt),
        ("recovery_model_desc", Type::nvarchar(60)),
        ("snapshot_isolation_state", Type::TinyInt),
        ("is_read_committed_snapshot_on", Type::Bit),
    ];
    let row = |database: &Database| {
        vec![
            quote(&database.name),
            database.id.to_string(),
            "0".into(),
            quote("ONLINE"),
            "0".into(),
            "160".into(),
            quote("SQL_Latin1_General_CP1_CI_AS"),
            "0".into(),
            quote(if database.role == Role::Standalone { "SIMPLE" } else { "FULL" }),
            "0".into(),
            "1".into(),
        ]
    };
    (columns, catalog.databases.iter().map(row).collect())
}

fn objects(database: &Database, tables_only: bool) -> Rows {
    let columns = vec![
        ("name", NAME),
        ("object_id", Type::Int),
        ("schema_id", Type::Int),
        ("type", Type::Text(super::super::types::CharKind::Char, Some(2))),
        ("type_desc", Type::nvarchar(60)),
        ("is_ms_shipped", Type::Bit),
        ("parent_object_id", Type::Int),
        ("principal_id", Type::Int),
        ("temporal_type", Type::TinyInt),
    ];
    let row = |name: &str, id: i32, kind: &str, text: &str| {
        vec![
            quote(name),
            id.to_string(),
            "1".into(),
            quote(kind),
            quote(text),
            "0".into(),
            "0".into(),
            "NULL".into(),
            "0".into(),
        ]
    };
    let mut rows: Vec<_> =
        database.tables.values().map(|table| row(&table.name, table.id, "U ", "USER_TABLE")).collect();
    if !tables_only {
        rows.extend(database.procedures.values().map(|one| row(&one.name, one.id, "P ", "SQL_STORED_PROCEDURE")));
    }
    (columns, rows)
}

/// Length in bytes, precision and scale as sys.columns has them.
pub(crate) fn size(type_: Type) -> (i32, u8, u8) {
    let bytes = |length: Option<u16>, unit: i32| length.map_or(-1, |length| i32::from(length) * unit);
    match type_ {
        Type::Text(kind, length) => (bytes(length, if kind.is_national() { 2 } else { 1 }), 0, 0),
        Type::Binary(_, length) => (bytes(length, 1), 0, 0),
        Type::Decimal(precision, scale) => (i32::from(super::super::types::decimal_bytes(precision)), precision, scale),
        Type::TinyInt => (1, 3, 0),
        Type::SmallInt => (2, 5, 0),
        Type::Int => (4, 10, 0),
        Type::BigInt => (8, 19, 0),
        Type::Float => (8, 53, 0),
        Type::Real => (4, 24, 0),
        Type::Money => (8, 19, 4),
        Type::SmallMoney => (4, 10, 4),
        Type::DateTime => (8, 23, 3),
        Type::DateTime2(scale) => (8, 20 + scale, scale),
        Type::Time(scale) => (5, 9 + scale, scale),
        Type::DateTimeOffset(scale) => (10, 27 + scale, scale),
        Type::Date => (3, 10, 0),
        Type::SmallDateTime => (4, 16, 0),
        Type::Bit => (1, 1, 0),
        _ => (16, 0, 0),
    }
}

fn type_id(type_: Type) -> u8 {
    let name =
        if matches!(type_, Type::Text(super::super::types::CharKind::NChar, _)) { return 239 } else { type_.name() };
    TYPES.iter().find(|(known, _, _)| *known == name).map_or(241, |(_, id, _)| *id)
}

fn identity_of(table: &Table, index: usize) -> bool {
    table.identity.as_ref().is_some_and(|identity| identity.column == index)
}

fn every_column(database: &Database) -> impl Iterator<Item = (&Table, usize, &Column)> {
    database
        .tables
        .values()
        .flat_map(|table| table.columns.iter().enumerate().map(move |(at, column)| (&**table, at, column)))
}

fn columns(database: &Database) -> Rows {
    let columns = vec![
        ("object_id", Type::Int),
        ("name", NAME),
        ("column_id", Type::Int),
        ("system_type_id", Type::TinyInt),
        ("user_type_id", Type::Int),
        ("max_length", Type::SmallInt),
        ("precision", Type::TinyInt),
        ("scale", Type::TinyInt),
        ("collation_name", NAME),
        ("is_nullable", Type::Bit),
        ("is_identity", Type::Bit),
        ("is_computed", Type::Bit),
        ("is_hidden", Type::Bit),
        ("generated_always_type", Type::TinyInt),
        ("default_object_id", Type::Int),
    ];
    let row = |(table, at, column): (&Table, usize, &Column)| {
        let (length, precision, scale) = size(column.type_);
        let collation = if column.type_.is_text() { quote("SQL_Latin1_General_CP1_CI_AS") } else { "NULL".into() };
        let id = type_id(column.type_).to_string();
        vec![
            table.id.to_string(),
            quote(&column.name),
            (at + 1).to_string(),
            id.clone(),
            id,
            length.to_string(),
            precision.to_string(),
            scale.to_string(),
            collation,
            u8::from(column.nullable).to_string(),
            u8::from(identity_of(table, at)).to_string(),
            "0".into(),
            "0".into(),
            "0".into(),
            constraints::default_of(table, at).to_string(),
        ]
    };
    (columns, every_column(database).map(row).collect())
}

fn types() -> Rows {
    let columns = vec![
        ("name", NAME),
        ("system_type_id", Type::TinyInt),
        ("user_type_id", Type::Int),
        ("schema_id", Type::Int),
        ("max_length", Type::SmallInt),
        ("is_user_defined", Type::Bit),
        ("is_table_type", Type::Bit),
        ("is_nullable", Type::Bit),
        ("collation_name", NAME),
    ];
    let row = |(name, id, length): &(&str, u8, i16)| {
        vec![
            quote(name),
            id.to_string(),
            id.to_string(),
            "4".into(),
            length.to_string(),
            "0".into(),
            "0".into(),
            "1".into(),
            "NULL".into(),
        ]
    };
    (columns, TYPES.iter().chain(&[("nchar", 239, 8000), ("xml", 241, -1)]).map(row).collect())
}

fn information_view(database: &Database, object: &str) -> Option<Rows> {
    let catalog = quote(&database.name);
    Some(match object {
        "tables" => {
            let columns = vec![
                ("TABLE_CATALOG", NAME),
                ("TABLE_SCHEMA", NAME),
                ("TABLE_NAME", NAME),
                ("TABLE_TYPE", Type::varchar(10)),
            ];
            let rows = database.tables.values();
            let row = |table: &std::sync::Arc<Table>| {
                vec![catalog.clone(), quote(&table.schema), quote(&table.name), quote("BASE TABLE")]
            };
            (columns, rows.map(row).collect())
        }
        "columns" => {
            let columns = vec![
                ("TABLE_CATALOG", NAME),
                ("TABLE_SCHEMA", NAME),
                ("TABLE_NAME", NAME),
                ("COLUMN_NAME", NAME),
                ("ORDINAL_POSITION", Type::Int),
                ("COLUMN_DEFAULT", Type::nvarchar(4000)),
                ("IS_NULLABLE", Type::varchar(3)),
                ("DATA_TYPE", NAME),
                ("CHARACTER_MAXIMUM_LENGTH", Type::Int),
                ("NUMERIC_PRECISION", Type::TinyInt),
                ("NUMERIC_SCALE", Type::Int),
                ("DATETIME_PRECISION", Type::SmallInt),
                ("COLLATION_NAME", NAME),
            ];
            (
                columns,
                every_column(database)
                    .map(|(table, at, column)| information_column(&catalog, table, at, column))
                    .collect(),
            )
        }
        "schemata" => (
            vec![("CATALOG_NAME", NAME), ("SCHEMA_NAME", NAME), ("SCHEMA_OWNER", NAME)],
            vec![vec![catalog, quote("dbo"), quote("dbo")]],
        ),
        "views" => (
            vec![
                ("TABLE_CATALOG", NAME),
                ("TABLE_SCHEMA", NAME),
                ("TABLE_NAME", NAME),
                ("VIEW_DEFINITION", Type::nvarchar(4000)),
            ],
            Vec::new(),
        ),
        _ => return constraints::information_view(database, object),
    })
}

fn information_column(catalog: &str, table: &Table, at: usize, column: &Column) -> Vec<String> {
    let type_ = column.type_;
    let (_, precision, scale) = size(type_);
    let null = || "NULL".to_owned();
    let sized = type_.is_text() || type_.is_binary();
    let length = type_.text_length().map_or(-1, i32::from).to_string();
    vec![
        catalog.to_owned(),
        quote(&table.schema),
        quote(&table.name),
        quote(&column.name),
        (at + 1).to_string(),
        if column.default_text.is_empty() { null() } else { quote(&format!("({})", column.default_text)) },
        quote(if column.nullable { "YES" } else { "NO" }),
        quote(type_.name()),
        if sized { length } else { null() },
        if type_.is_number() && type_ != Type::Bit { precision.to_string() } else { null() },
        if type_.is_number() && !type_.is_float() && type_ != Type::Bit { scale.to_string() } else { null() },
        if type_.is_temporal() { scale.to_string() } else { null() },
        if type_.is_text() { quote("SQL_Latin1_General_CP1_CI_AS") } else { null() },
    ]
}
