//! Views of keys, indexes and defaults, and the views that stay empty because nothing here can be in them.

use std::sync::Arc;

use super::super::{Database, Key, KeyKind, Table};
use super::{NAME, Rows, quote};
use crate::engine::types::{CharKind, Type};

/// Where [`super::super::Catalog::next_object_id`] begins, and its step.
const FIRST_OBJECT: i32 = 885_578_150;
const OBJECT_STEP: i32 = 16;

fn flag(is: bool) -> String {
    u8::from(is).to_string()
}

/// The id of what belongs to a table: its place among `per_table` of the same kind, away from the ids of objects.
fn part_id(table: &Table, base: i32, per_table: i32, at: usize) -> i32 {
    let number = table.id.wrapping_sub(FIRST_OBJECT) / OBJECT_STEP;
    let at = i32::try_from(at).unwrap_or(i32::MAX);
    base.wrapping_sub(number.wrapping_mul(per_table)).wrapping_sub(at)
}

fn key_id(table: &Table, at: usize) -> i32 {
    part_id(table, -1_000_000_000, 256, at)
}

fn default_id(table: &Table, at: usize) -> i32 {
    part_id(table, -1, 1024, at)
}

/// The id of a column's default constraint, 0 without one.
pub(super) fn default_of(table: &Table, at: usize) -> i32 {
    let has = table.columns.get(at).is_some_and(|column| column.default.is_some());
    if has { default_id(table, at) } else { 0 }
}

/// Keys with their index ids: the primary key clusters, so it is 1; the others follow from 2.
fn numbered(table: &Table) -> impl Iterator<Item = (usize, usize, &Key)> {
    let mut next = 1;
    table.keys.iter().enumerate().map(move |(at, key)| {
        if key.kind == KeyKind::Primary {
            return (at, 1, key);
        }
        next += 1;
        (at, next, key)
    })
}

fn is_constraint(key: &Key) -> bool {
    matches!(key.kind, KeyKind::Primary | KeyKind::Unique)
}

fn tables(database: &Database) -> impl Iterator<Item = &Arc<Table>> {
    database.tables.values()
}

/// The view of this name in `sys`, if it is one of these.
pub(super) fn system_view(database: &Database, object: &str) -> Option<Rows> {
    let empty = |columns: &[(&'static str, Type)]| Some((columns.to_vec(), Vec::new()));
    match object {
        "indexes" => Some(indexes(database)),
        "index_columns" => Some(index_columns(database)),
        "key_constraints" => Some(key_constraints(database)),
        "default_constraints" => Some(default_constraints(database)),
        "identity_columns" => Some(identities(database)),
        "foreign_keys" => empty(&FOREIGN_KEYS),
        "foreign_key_columns" => empty(&[
            ("constraint_object_id", Type::Int),
            ("constraint_column_id", Type::Int),
            ("parent_object_id", Type::Int),
            ("parent_column_id", Type::Int),
            ("referenced_object_id", Type::Int),
            ("referenced_column_id", Type::Int),
        ]),
        "computed_columns" => empty(&[
            ("object_id", Type::Int),
            ("name", NAME),
            ("column_id", Type::Int),
            ("is_computed", Type::Bit),
            ("is_persisted", Type::Bit),
            ("definition", Type::NVARCHAR_MAX),
        ]),
        "extended_properties" => empty(&[
            ("class", Type::TinyInt),
            ("class_desc", Type::nvarchar(60)),
            ("major_id", Type::Int),
            ("minor_id", Type::Int),
            ("name", NAME),
            ("value", Type::nvarchar(4000)),
        ]),
        "triggers" => empty(&[("name", NAME), ("object_id", Type::Int), ("parent_id", Type::Int)]),
        "synonyms" | "sequences" => empty(&[("name", NAME), ("object_id", Type::Int), ("schema_id", Type::Int)]),
        _ => None,
    }
}

const FOREIGN_KEYS: [(&str, Type); 9] = [
    ("name", NAME),
    ("object_id", Type::Int),
    ("schema_id", Type::Int),
    ("parent_object_id", Type::Int),
    ("referenced_object_id", Type::Int),
    ("key_index_id", Type::Int),
    ("is_disabled", Type::Bit),
    ("delete_referential_action_desc", Type::Text(CharKind::NVarChar, Some(60))),
    ("update_referential_action_desc", Type::Text(CharKind::NVarChar, Some(60))),
];

fn indexes(database: &Database) -> Rows {
    let columns = vec![
        ("object_id", Type::Int),
        ("name", NAME),
        ("index_id", Type::Int),
        ("type", Type::TinyInt),
        ("type_desc", Type::nvarchar(60)),
        ("is_unique", Type::Bit),
        ("is_primary_key", Type::Bit),
        ("is_unique_constraint", Type::Bit),
        ("is_disabled", Type::Bit),
        ("is_hypothetical", Type::Bit),
        ("has_filter", Type::Bit),
        ("filter_definition", Type::NVARCHAR_MAX),
        ("fill_factor", Type::TinyInt),
    ];
    let row = |table: &Table, name: String, number: usize, kind: (&str, &str), key: Option<&Key>| {
        let is = |kind: KeyKind| flag(key.is_some_and(|key| key.kind == kind));
        let zero = || "0".to_owned();
        let unique = flag(key.is_some_and(|key| key.kind != KeyKind::Index));
        let (id, number) = (table.id.to_string(), number.to_string());
        let head = vec![id, name, number, kind.0.to_owned(), quote(kind.1), unique];
        let tail = [is(KeyKind::Primary), is(KeyKind::Unique), zero(), zero(), zero(), "NULL".to_owned(), zero()];
        head.into_iter().chain(tail).collect::<Vec<_>>()
    };
    let mut rows = Vec::new();
    for table in tables(database) {
        if !table.keys.iter().any(|key| key.kind == KeyKind::Primary) {
            rows.push(row(table, "NULL".to_owned(), 0, ("0", "HEAP"), None));
        }
        for (_, number, key) in numbered(table) {
            let kind = if number == 1 { ("1", "CLUSTERED") } else { ("2", "NONCLUSTERED") };
            rows.push(row(table, quote(&key.name), number, kind, Some(key)));
        }
    }
    (columns, rows)
}

fn index_columns(database: &Database) -> Rows {
    let columns = vec![
        ("object_id", Type::Int),
        ("index_id", Type::Int),
        ("index_column_id", Type::Int),
        ("column_id", Type::Int),
        ("key_ordinal", Type::TinyInt),
        ("is_descending_key", Type::Bit),
        ("is_included_column", Type::Bit),
    ];
    let mut rows = Vec::new();
    for table in tables(database) {
        for (_, number, key) in numbered(table) {
            for (ordinal, column) in key.columns.iter().enumerate() {
                let ordinal = (ordinal + 1).to_string();
                let (id, column) = (table.id.to_string(), (column + 1).to_string());
                rows.push(vec![id, number.to_string(), ordinal.clone(), column, ordinal, flag(false), flag(false)]);
            }
        }
    }
    (columns, rows)
}

fn key_constraints(database: &Database) -> Rows {
    let columns = vec![
        ("name", NAME),
        ("object_id", Type::Int),
        ("schema_id", Type::Int),
        ("parent_object_id", Type::Int),
        ("type", Type::Text(CharKind::Char, Some(2))),
        ("type_desc", Type::nvarchar(60)),
        ("unique_index_id", Type::Int),
        ("is_system_named", Type::Bit),
    ];
    let mut rows = Vec::new();
    for table in tables(database) {
        for (at, number, key) in numbered(table).filter(|(_, _, key)| is_constraint(key)) {
            let primary = key.kind == KeyKind::Primary;
            let (kind, text) = if primary { ("PK", "PRIMARY_KEY_CONSTRAINT") } else { ("UQ", "UNIQUE_CONSTRAINT") };
            rows.push(vec![
                quote(&key.name),
                key_id(table, at).to_string(),
                "1".to_owned(),
                table.id.to_string(),
                quote(kind),
                quote(text),
                number.to_string(),
                flag(key.name.contains("__")),
            ]);
        }
    }
    (columns, rows)
}

fn default_constraints(database: &Database) -> Rows {
    let columns = vec![
        ("name", NAME),
        ("object_id", Type::Int),
        ("schema_id", Type::Int),
        ("parent_object_id", Type::Int),
        ("parent_column_id", Type::Int),
        ("definition", Type::NVARCHAR_MAX),
        ("is_system_named", Type::Bit),
    ];
    let mut rows = Vec::new();
    for table in tables(database) {
        for (at, column) in table.columns.iter().enumerate().filter(|(_, column)| column.default.is_some()) {
            let id = default_id(table, at);
            rows.push(vec![
                quote(&format!("DF__{}__{}__{:08X}", table.name, column.name, id.unsigned_abs())),
                id.to_string(),
                "1".to_owned(),
                table.id.to_string(),
                (at + 1).to_string(),
                quote(&format!("({})", column.default_text)),
                flag(true),
            ]);
        }
    }
    (columns, rows)
}

fn identities(database: &Database) -> Rows {
    let columns = vec![
        ("object_id", Type::Int),
        ("name", NAME),
        ("column_id", Type::Int),
        ("is_identity", Type::Bit),
        ("seed_value", Type::BigInt),
        ("increment_value", Type::BigInt),
        ("last_value", Type::BigInt),
        ("is_not_for_replication", Type::Bit),
    ];
    let mut rows = Vec::new();
    for table in tables(database) {
        let Some(identity) = &table.identity else { continue };
        let Some(column) = table.columns.get(identity.column) else { continue };
        rows.push(vec![
            table.id.to_string(),
            quote(&column.name),
            (identity.column + 1).to_string(),
            flag(true),
            identity.seed.to_string(),
            identity.increment.to_string(),
            identity.last().map_or_else(|| "NULL".to_owned(), |last| last.to_string()),
            flag(false),
        ]);
    }
    (columns, rows)
}

/// The view of this name in `INFORMATION_SCHEMA`, if it is one of these.
pub(super) fn information_view(database: &Database, object: &str) -> Option<Rows> {
    let catalog = quote(&database.name);
    let head = [("CONSTRAINT_CATALOG", NAME), ("CONSTRAINT_SCHEMA", NAME), ("CONSTRAINT_NAME", NAME)];
    let table_head = [("TABLE_CATALOG", NAME), ("TABLE_SCHEMA", NAME), ("TABLE_NAME", NAME)];
    let with = |more: &[(&'static str, Type)]| head.iter().chain(&table_head).chain(more).copied().collect::<Vec<_>>();
    let constraints = || {
        tables(database)
            .flat_map(|table| table.keys.iter().filter(|key| is_constraint(key)).map(move |key| (table, key)))
    };
    let start = |table: &Table, key: &Key| {
        let (schema, name) = (quote(&table.schema), quote(&table.name));
        vec![catalog.clone(), schema.clone(), quote(&key.name), catalog.clone(), schema, name]
    };
    Some(match object {
        "table_constraints" => {
            let columns = with(&[
                ("CONSTRAINT_TYPE", Type::varchar(11)),
                ("IS_DEFERRABLE", Type::varchar(2)),
                ("INITIALLY_DEFERRED", Type::varchar(2)),
            ]);
            let row = |(table, key): (&Arc<Table>, &Key)| {
                let kind = if key.kind == KeyKind::Primary { "PRIMARY KEY" } else { "UNIQUE" };
                start(table, key).into_iter().chain([quote(kind), quote("NO"), quote("NO")]).collect()
            };
            (columns, constraints().map(row).collect())
        }
        "key_column_usage" | "constraint_column_usage" => {
            let columns = with(&[("COLUMN_NAME", NAME), ("ORDINAL_POSITION", Type::Int)]);
            let mut rows = Vec::new();
            for (table, key) in constraints() {
                let named = key.columns.iter().filter_map(|at| table.columns.get(*at));
                for (ordinal, column) in named.enumerate() {
                    let tail = [quote(&column.name), (ordinal + 1).to_string()];
                    rows.push(start(table, key).into_iter().chain(tail).collect());
                }
            }
            (columns, rows)
        }
        "referential_constraints" => {
            let more = [
                ("UNIQUE_CONSTRAINT_CATALOG", NAME),
                ("UNIQUE_CONSTRAINT_SCHEMA", NAME),
                ("UNIQUE_CONSTRAINT_NAME", NAME),
                ("MATCH_OPTION", Type::varchar(7)),
                ("UPDATE_RULE", Type::varchar(11)),
                ("DELETE_RULE", Type::varchar(11)),
            ];
            (head.into_iter().chain(more).collect(), Vec::new())
        }
        "check_constraints" => (head.into_iter().chain([("CHECK_CLAUSE", Type::nvarchar(4000))]).collect(), Vec::new()),
        "sequences" => {
            (vec![("SEQUENCE_CATALOG", NAME), ("SEQUENCE_SCHEMA", NAME), ("SEQUENCE_NAME", NAME)], Vec::new())
        }
        "routines" => {
            let columns = vec![
                ("ROUTINE_CATALOG", NAME),
                ("ROUTINE_SCHEMA", NAME),
                ("ROUTINE_NAME", NAME),
                ("ROUTINE_TYPE", Type::nvarchar(20)),
            ];
            let rows = database.procedures.values();
            let row = |one: &Arc<super::super::Procedure>| {
                vec![catalog.clone(), quote(&one.schema), quote(&one.name), quote("PROCEDURE")]
            };
            (columns, rows.map(row).collect())
        }
        _ => return None,
    })
}
