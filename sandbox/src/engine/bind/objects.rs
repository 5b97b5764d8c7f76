//! Functions about objects and columns whose arguments are only known when the statement runs.

use super::super::ast::Expr;
use super::super::catalog::{Table, resolve, views};
use super::super::error::SqlError;
use super::super::types::Type;
use super::coerce::literal;
use super::{Binder, Bound, Name};

fn number(value: Option<i32>) -> Bound {
    Bound::new(value.map_or_else(|| "NULL".to_owned(), |value| value.to_string()), Type::Int, true)
}

fn word(argument: Option<&Expr>) -> Option<&str> {
    match argument {
        Some(Expr::String { value, .. }) => Some(value.as_str()),
        _ => None,
    }
}

fn parsed(name: &str) -> Name {
    Name(name.split('.').map(|part| part.trim_matches(['[', ']', '"']).to_owned()).collect())
}

impl Binder<'_> {
    pub(super) fn object_function(&mut self, name: &str, arguments: &[Expr]) -> Result<Option<Bound>, SqlError> {
        Ok(Some(match (name, arguments) {
            ("OBJECT_ID", [object] | [object, _]) => self.object_id_of(object)?,
            ("OBJECTPROPERTY" | "OBJECTPROPERTYEX", [id, property]) => {
                let Some(property) = word(Some(property)) else {
                    return Err(SqlError::unsupported(format!("{name} of an expression")));
                };
                self.object_property(id, property)?
            }
            ("COLUMNPROPERTY", [id, column, property]) => {
                let (Some(column), Some(property)) = (word(Some(column)), word(Some(property))) else {
                    return Err(SqlError::unsupported("COLUMNPROPERTY of an expression"));
                };
                self.column_property(id, column, property)?
            }
            ("COL_LENGTH", [table, column]) => {
                let (Some(table), Some(column)) = (word(Some(table)), word(Some(column))) else {
                    return Err(SqlError::unsupported("COL_LENGTH of an expression"));
                };
                let length = self
                    .table_of(table)
                    .and_then(|table| table.column(column).map(|(_, column)| views::size(column.type_).0));
                Bound { type_: Type::SmallInt, ..number(length) }
            }
            _ => return Ok(None),
        }))
    }

    fn table_of(&self, name: &str) -> Option<std::sync::Arc<Table>> {
        let name = parsed(name);
        if name.is_temporary() {
            return self.names.temporary.get(&name.last().to_lowercase()).cloned();
        }
        self.names.catalog.table(&resolve(&name, self.names.database).ok()?).cloned()
    }

    /// Compares the name with those of all objects.
    fn object_id_of(&mut self, object: &Expr) -> Result<Bound, SqlError> {
        self.cacheable = false;
        let object = self.expression(object)?;
        let object = self.implicit(object, Type::NVARCHAR_MAX)?;
        let mut branches = String::new();
        for database in &self.names.catalog.databases {
            for (id, name) in views::object_names(database) {
                let path = format!("{}.dbo.{}", database.name, name).to_lowercase();
                branches.push_str(&format!(" WHEN {} THEN {id}", literal(&path)));
            }
        }
        for (name, table) in self.names.temporary {
            branches.push_str(&format!(" WHEN {} THEN {}", literal(name), table.id));
        }
        let database = literal(&self.names.database.to_lowercase());
        let sql = format!("(CASE object_path({},{database}) WHEN NULL THEN NULL{branches} END)", object.sql);
        Ok(Bound::new(sql, Type::Int, true))
    }

    /// 1 for objects that have the property, 0 for others, NULL for what is no object.
    fn object_property(&mut self, id: &Expr, property: &str) -> Result<Bound, SqlError> {
        self.cacheable = false;
        let id = self.expression(id)?;
        let id = self.implicit(id, Type::Int)?;
        let Some(database) = self.names.catalog.database(self.names.database) else { return Ok(number(None)) };
        let mut branches = String::new();
        let mut add = |id: i32, has: Option<bool>| {
            let value = has.map_or("NULL", |has| if has { "1" } else { "0" });
            branches.push_str(&format!(" WHEN {id} THEN {value}"));
        };
        let property = property.to_ascii_lowercase();
        for table in database.tables.values() {
            use super::super::catalog::KeyKind;
            let has_key = |kind: KeyKind| table.keys.iter().any(|key| key.kind == kind);
            add(
                table.id,
                match property.as_str() {
                    "istable" | "isusertable" => Some(true),
                    "isprocedure" | "isview" | "ismsshipped" | "istrigger" => Some(false),
                    "tablehasidentity" => Some(table.identity.is_some()),
                    "tablehasprimarykey" => Some(has_key(KeyKind::Primary)),
                    _ => None,
                },
            );
        }
        for procedure in database.procedures.values() {
            add(
                procedure.id,
                match property.as_str() {
                    "isprocedure" => Some(true),
                    "istable" | "isusertable" | "isview" | "ismsshipped" | "istrigger" => Some(false),
                    _ => None,
                },
            );
        }
        Ok(Bound::new(format!("(CASE {} WHEN NULL THEN NULL{branches} END)", id.sql), Type::Int, true))
    }

    fn column_property(&mut self, id: &Expr, column: &str, property: &str) -> Result<Bound, SqlError> {
        self.cacheable = false;
        let id = self.expression(id)?;
        let id = self.implicit(id, Type::Int)?;
        let Some(database) = self.names.catalog.database(self.names.database) else { return Ok(number(None)) };
        let mut branches = String::new();
        for table in database.tables.values() {
            let Some((at, found)) = table.column(column) else { continue };
            let is_identity = table.identity.as_ref().is_some_and(|identity| identity.column == at);
            let value = match property.to_ascii_lowercase().as_str() {
                "isidentity" => i32::from(is_identity),
                "allowsnull" => i32::from(found.nullable),
                "iscomputed" | "ishidden" | "isrowguidcol" => 0,
                "columnid" => i32::try_from(at + 1).unwrap_or(i32::MAX),
                _ => continue,
            };
            branches.push_str(&format!(" WHEN {} THEN {value}", table.id));
        }
        Ok(Bound::new(format!("(CASE {} WHEN NULL THEN NULL{branches} END)", id.sql), Type::Int, true))
    }
}
