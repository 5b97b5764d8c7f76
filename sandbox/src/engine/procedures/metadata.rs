//! Procedures about databases, tables, columns and keys, as ODBC's catalog functions call them: queries of the catalog views.

use tds::value::Value;

use super::super::ast::Parameter;
use super::super::error::SqlError;
use super::super::session::{Outcome, Session, Unwind, matched};
use super::super::sink::{Column, Sink, StatementEnd};
use super::super::types::Type;
use super::{Given, declared, raise};

const SELECT: u16 = 0xC1;

/// A procedure: its parameters and the query behind it.
struct Query {
    parameters: &'static str,
    sql: &'static str,
}

const DATABASES: Query = Query {
    parameters: "",
    sql: "SELECT name AS DATABASE_NAME, CAST(NULL AS int) AS DATABASE_SIZE, CAST(NULL AS varchar(254)) AS REMARKS \
          FROM sys.databases ORDER BY 1",
};

const TABLES: Query = Query {
    parameters: "@table_name nvarchar(384) = NULL, @table_owner nvarchar(384) = NULL, @table_qualifier sysname = NULL, \
                 @table_type varchar(100) = NULL, @fUsePattern bit = 1",
    sql: "SELECT TABLE_CATALOG AS TABLE_QUALIFIER, TABLE_SCHEMA AS TABLE_OWNER, TABLE_NAME, \
          CAST('TABLE' AS varchar(32)) AS TABLE_TYPE, CAST(NULL AS varchar(254)) AS REMARKS \
          FROM INFORMATION_SCHEMA.TABLES \
          WHERE (@table_name IS NULL OR @fUsePattern = 1 AND TABLE_NAME LIKE @table_name OR TABLE_NAME = @table_name) \
          AND (@table_owner IS NULL OR @fUsePattern = 1 AND TABLE_SCHEMA LIKE @table_owner OR TABLE_SCHEMA = @table_owner) \
          AND (@table_qualifier IS NULL OR TABLE_CATALOG = @table_qualifier) \
          AND (@table_type IS NULL OR @table_type LIKE '%''TABLE''%') ORDER BY 4, 1, 2, 3",
};

const COLUMNS: Query = Query {
    parameters: "@table_name nvarchar(384) = NULL, @table_owner nvarchar(384) = NULL, @table_qualifier sysname = NULL, \
                 @column_name nvarchar(384) = NULL, @NameScope int = 0, @ODBCVer int = 2, @fUsePattern bit = 1",
    sql: "SELECT DB_NAME() AS TABLE_QUALIFIER, CAST('dbo' AS sysname) AS TABLE_OWNER, o.name AS TABLE_NAME, \
          c.name AS COLUMN_NAME, CAST(m.odbc AS smallint) AS DATA_TYPE, \
          CAST(CASE WHEN ic.column_id IS NULL THEN t.name ELSE t.name + N' identity' END AS sysname) AS TYPE_NAME, \
          CASE WHEN m.kind = 1 THEN c.precision WHEN c.max_length = -1 THEN 0 \
               WHEN m.kind = 2 THEN c.max_length / 2 ELSE CAST(c.max_length AS int) END AS [PRECISION], \
          CASE WHEN c.max_length = -1 THEN 0 WHEN m.kind = 1 AND t.name IN ('decimal', 'numeric') THEN c.precision + 2 \
               ELSE CAST(c.max_length AS int) END AS LENGTH, \
          CASE WHEN m.scaled = 1 THEN CAST(c.scale AS smallint) END AS SCALE, \
          CASE WHEN m.kind = 1 AND m.scaled = 1 THEN CAST(10 AS smallint) END AS RADIX, \
          CAST(c.is_nullable AS smallint) AS NULLABLE, CAST(NULL AS varchar(254)) AS REMARKS, \
          CAST(d.definition AS nvarchar(4000)) AS COLUMN_DEF, CAST(m.general AS smallint) AS SQL_DATA_TYPE, \
          CAST(m.variant AS smallint) AS SQL_DATETIME_SUB, \
          CASE WHEN m.kind IN (2, 3) THEN CAST(c.max_length AS int) END AS CHAR_OCTET_LENGTH, \
          CAST(c.column_id AS int) AS ORDINAL_POSITION, \
          CAST(CASE WHEN c.is_nullable = 1 THEN 'YES' ELSE 'NO' END AS varchar(254)) AS IS_NULLABLE, \
          CAST(NULL AS tinyint) AS SS_DATA_TYPE \
          FROM sys.columns c JOIN sys.tables o ON o.object_id = c.object_id \
          JOIN sys.types t ON t.user_type_id = c.user_type_id \
          JOIN (VALUES ('bit', -7, -7, NULL, 1, 0), ('tinyint', -6, -6, NULL, 1, 1), ('smallint', 5, 5, NULL, 1, 1), \
            ('int', 4, 4, NULL, 1, 1), ('bigint', -5, -5, NULL, 1, 1), ('decimal', 3, 3, NULL, 1, 1), \
            ('numeric', 2, 2, NULL, 1, 1), ('money', 3, 3, NULL, 1, 1), ('smallmoney', 3, 3, NULL, 1, 1), \
            ('real', 7, 7, NULL, 1, 0), ('float', 6, 6, NULL, 1, 0), ('char', 1, 1, NULL, 3, 0), \
            ('varchar', 12, 12, NULL, 3, 0), ('text', -1, -1, NULL, 3, 0), ('nchar', -8, -8, NULL, 2, 0), \
            ('nvarchar', -9, -9, NULL, 2, 0), ('ntext', -10, -10, NULL, 2, 0), ('binary', -2, -2, NULL, 3, 0), \
            ('varbinary', -3, -3, NULL, 3, 0), ('image', -4, -4, NULL, 3, 0), ('uniqueidentifier', -11, -11, NULL, 0, 0), \
            ('xml', -152, -152, NULL, 0, 0), ('date', 91, 9, 1, 1, 0), ('time', -154, -154, NULL, 1, 1), \
            ('datetime', 93, 9, 3, 1, 1), ('datetime2', 93, 9, 3, 1, 1), ('smalldatetime', 93, 9, 3, 1, 1), \
            ('datetimeoffset', -155, -155, NULL, 1, 1)) AS m (name, odbc, general, variant, kind, scaled) ON m.name = t.name \
          LEFT JOIN sys.identity_columns ic ON ic.object_id = c.object_id AND ic.column_id = c.column_id \
          LEFT JOIN sys.default_constraints d ON d.object_id = c.default_object_id \
          WHERE (@table_name IS NULL OR @fUsePattern = 1 AND o.name LIKE @table_name OR o.name = @table_name) \
          AND (@table_owner IS NULL OR 'dbo' LIKE @table_owner) \
          AND (@table_qualifier IS NULL OR DB_NAME() = @table_qualifier) \
          AND (@column_name IS NULL OR @fUsePattern = 1 AND c.name LIKE @column_name OR c.name = @column_name) \
          ORDER BY 3, 17",
};

const PRIMARY_KEYS: Query = Query {
    parameters: "@table_name sysname, @table_owner sysname = NULL, @table_qualifier sysname = NULL",
    sql: "SELECT k.TABLE_CATALOG AS TABLE_QUALIFIER, k.TABLE_SCHEMA AS TABLE_OWNER, k.TABLE_NAME, k.COLUMN_NAME, \
          CAST(k.ORDINAL_POSITION AS smallint) AS KEY_SEQ, k.CONSTRAINT_NAME AS PK_NAME \
          FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE k JOIN INFORMATION_SCHEMA.TABLE_CONSTRAINTS c \
          ON c.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND c.TABLE_NAME = k.TABLE_NAME \
          WHERE c.CONSTRAINT_TYPE = 'PRIMARY KEY' AND k.TABLE_NAME = @table_name \
          AND (@table_owner IS NULL OR k.TABLE_SCHEMA = @table_owner) \
          AND (@table_qualifier IS NULL OR k.TABLE_CATALOG = @table_qualifier) ORDER BY 1, 2, 3, 5",
};

const STATISTICS: Query = Query {
    parameters: "@table_name sysname, @table_owner sysname = NULL, @table_qualifier sysname = NULL, \
                 @index_name sysname = '%', @is_unique char(1) = 'N', @accuracy char(1) = 'Q'",
    sql: "SELECT DB_NAME() AS TABLE_QUALIFIER, CAST('dbo' AS sysname) AS TABLE_OWNER, o.name AS TABLE_NAME, \
          CAST(CASE WHEN i.is_unique = 1 THEN 0 ELSE 1 END AS smallint) AS NON_UNIQUE, o.name AS INDEX_QUALIFIER, \
          i.name AS INDEX_NAME, CAST(CASE WHEN i.type = 1 THEN 1 ELSE 3 END AS smallint) AS TYPE, \
          CAST(ic.key_ordinal AS smallint) AS SEQ_IN_INDEX, c.name AS COLUMN_NAME, CAST('A' AS char(1)) AS COLLATION, \
          CAST(NULL AS int) AS CARDINALITY, CAST(NULL AS int) AS PAGES, CAST(NULL AS varchar(128)) AS FILTER_CONDITION \
          FROM sys.indexes i JOIN sys.tables o ON o.object_id = i.object_id \
          JOIN sys.index_columns ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id \
          JOIN sys.columns c ON c.object_id = ic.object_id AND c.column_id = ic.column_id \
          WHERE o.name = @table_name AND i.name LIKE @index_name AND (@is_unique <> 'Y' OR i.is_unique = 1) \
          AND (@table_owner IS NULL OR @table_owner = 'dbo') AND (@table_qualifier IS NULL OR DB_NAME() = @table_qualifier) \
          ORDER BY 4, 7, 6, 8",
};

/// Runs the procedure of this name; `None` if it is none of these.
pub(super) fn call(
    session: &mut Session,
    procedure: &str,
    given: &[Given],
    level: u32,
    sink: &mut dyn Sink,
) -> Option<Result<Outcome, Unwind>> {
    let query = match procedure {
        "sp_databases" => DATABASES,
        "sp_tables" => TABLES,
        "sp_columns" | "sp_columns_90" | "sp_columns_100" => COLUMNS,
        "sp_pkeys" => PRIMARY_KEYS,
        "sp_statistics" | "sp_statistics_100" => STATISTICS,
        _ => return None,
    };
    Some(run(session, procedure, &query, given, level, sink))
}

fn run(
    session: &mut Session,
    procedure: &str,
    query: &Query,
    given: &[Given],
    level: u32,
    sink: &mut dyn Sink,
) -> Result<Outcome, Unwind> {
    let parameters: Vec<Parameter> = declared(Some(query.parameters.to_owned()))?;
    let arguments = matched(&parameters, given, procedure).map_err(raise)?;
    session.run_text(query.sql, &parameters, &arguments, procedure.to_owned(), level, sink)
}

/// `@tsql, @params, @browse`: the columns of a statement's first result.
pub(super) fn first_result_set(session: &Session, given: &[Given], sink: &mut dyn Sink) -> Result<Outcome, Unwind> {
    let sql = super::text(given, 0).unwrap_or_default();
    let parameters = declared(super::text(given, 1))?;
    let described = session.described(&sql, &parameters).map_err(raise)?.unwrap_or_default();
    let columns = FIRST_RESULT.map(|(name, type_)| Column {
        name: name.to_owned(),
        type_info: type_.type_info(true),
        nullable: true,
        identity: false,
        hidden: false,
    });
    sink.columns(&columns)?;
    for (at, column) in described.iter().enumerate() {
        let Some(type_) = Type::from_type_info(&column.type_info) else {
            return Err(raise(SqlError::unsupported("describing a column of this type")));
        };
        let (id, length, precision, scale, wire) = super::describe::size(type_);
        let name = if column.name.is_empty() { Value::Null } else { Value::Text(column.name.clone()) };
        sink.row(&[
            Value::Bit(false),
            Value::Int(i32::try_from(at + 1).unwrap_or(i32::MAX)),
            name,
            Value::Bit(column.nullable),
            Value::Int(id),
            Value::Text(super::describe::declaration(type_)),
            Value::SmallInt(length),
            Value::TinyInt(precision),
            Value::TinyInt(scale),
            if type_.is_text() { Value::Text("SQL_Latin1_General_CP1_CI_AS".to_owned()) } else { Value::Null },
            Value::Bit(column.identity),
            Value::Bit(false),
            Value::Int(wire),
            Value::Int(if length < 0 { 65_535 } else { i32::from(length) }),
        ])?;
    }
    sink.end(StatementEnd { command: SELECT, rows: Some(described.len() as u64), failed: false })?;
    Ok(Outcome::default())
}

/// The columns of the description that clients read, under SQL Server's names; it has more, about user types and XML.
const FIRST_RESULT: [(&str, Type); 14] = [
    ("is_hidden", Type::Bit),
    ("column_ordinal", Type::Int),
    ("name", Type::SYSNAME),
    ("is_nullable", Type::Bit),
    ("system_type_id", Type::Int),
    ("system_type_name", Type::SYSNAME),
    ("max_length", Type::SmallInt),
    ("precision", Type::TinyInt),
    ("scale", Type::TinyInt),
    ("collation_name", Type::SYSNAME),
    ("is_identity_column", Type::Bit),
    ("is_computed_column", Type::Bit),
    ("tds_type_id", Type::Int),
    ("tds_length", Type::Int),
];
