//! INSERT, UPDATE and DELETE.

use std::sync::Arc;

use super::super::ast::{Delete, Expr, Insert, InsertSource, Name, Output, SelectItem, Source, Target, Update};
use super::super::catalog::{Table, quoted};
use super::super::error::SqlError;
use super::super::sink::Column;
use super::super::types::Type;
use super::query::OutColumn;
use super::{Action, Binder, Bound, Plan};

/// The sources of a FROM clause and the name the changed table goes by there.
type ChangedFrom<'q> = Option<(&'q [Source], String)>;

impl Binder<'_> {
    pub(super) fn target(&mut self, target: &Target) -> Result<Arc<Table>, SqlError> {
        match target {
            Target::Table(name) => self.table(name),
            Target::Variable(name) => {
                let table = self.table_variable(name)?;
                if table.read_only {
                    let text = format!("The table-valued parameter \"{name}\" is READONLY and cannot be modified.");
                    return Err(SqlError::new(10700, 16, 1, text));
                }
                Ok(table)
            }
        }
    }

    /// The SQLite text of a CHECK constraint.
    pub(crate) fn check(mut self, table: &Table, predicate: &Expr) -> Result<String, SqlError> {
        self.expose(table, &table.name, "");
        let sql = self.predicate(predicate)?;
        if self.inputs.is_empty() {
            Ok(sql)
        } else {
            Err(SqlError::unsupported("CHECK constraints that ask the session"))
        }
    }

    pub(crate) fn insert_plan(mut self, insert: &Insert) -> Result<Plan, SqlError> {
        let with = self.common_tables(&insert.with)?;
        let table = self.target(&insert.target)?;
        let columns = self.insert_columns(&table, insert)?;
        let body = match &insert.source {
            InsertSource::Values(rows) => self.insert_values(&table, &columns, rows)?,
            InsertSource::Query(query) => self.insert_query(&table, &columns, query)?,
            InsertSource::Defaults => {
                let row: Vec<Expr> = Vec::new();
                self.insert_values(&table, &[], &[row])?
            }
            InsertSource::Execute(_) => return Err(SqlError::unsupported("INSERT … EXEC")),
        };
        let names = self.stored_columns(&table, &columns);
        let mut sql = format!("{with}INSERT INTO {} ({}) {body}", table.storage, names.join(","));
        let (out, types, output_into) = self.output(&table, insert.output.as_ref(), "inserted", &mut sql)?;
        Ok(self.finish(sql, out, types, Action::Write { table, output_into }))
    }

    /// The columns the statement gives values for, in its order.
    fn insert_columns(&self, table: &Table, insert: &Insert) -> Result<Vec<usize>, SqlError> {
        let identity = table.identity.as_ref().map(|identity| identity.column);
        let explicit = self.names.identity_insert == Some(table.id);
        if matches!(insert.source, InsertSource::Defaults) {
            return Ok(Vec::new());
        }
        if insert.columns.is_empty() {
            return Ok((0..table.columns.len()).filter(|index| identity != Some(*index)).collect());
        }
        let mut columns = Vec::with_capacity(insert.columns.len());
        for name in &insert.columns {
            let Some((index, _)) = table.column(name) else { return Err(SqlError::invalid_column(name)) };
            if columns.contains(&index) {
                let text = format!(
                    "The column name '{name}' is specified more than once in the SET clause or column list of an INSERT. A column cannot be assigned more than one value in the same clause."
                );
                return Err(SqlError::new(264, 16, 1, text));
            }
            if identity == Some(index) && !explicit {
                let text = format!(
                    "Cannot insert explicit value for identity column in table '{}' when IDENTITY_INSERT is set to OFF.",
                    table.name
                );
                return Err(SqlError::new(544, 16, 1, text));
            }
            columns.push(index);
        }
        Ok(columns)
    }

    /// Columns the SQLite INSERT names: those given, then the identity and those with defaults.
    fn stored_columns(&self, table: &Table, given: &[usize]) -> Vec<String> {
        let mut order: Vec<usize> = given.to_vec();
        order.extend(self.implied_columns(table, given));
        order.iter().filter_map(|index| table.columns.get(*index)).map(|column| quoted(&column.name)).collect()
    }

    fn implied_columns(&self, table: &Table, given: &[usize]) -> Vec<usize> {
        let identity = table.identity.as_ref().map(|identity| identity.column);
        let implied = |index: &usize| {
            let has_default = table.columns.get(*index).is_some_and(|column| column.default.is_some());
            !given.contains(index) && (identity == Some(*index) || has_default || given.is_empty())
        };
        (0..table.columns.len()).filter(implied).collect()
    }

    fn implied_values(&mut self, table: &Table, given: &[usize]) -> Result<Vec<String>, SqlError> {
        let identity = table.identity.as_ref().map(|identity| identity.column);
        let mut values = Vec::new();
        for index in self.implied_columns(table, given) {
            let value =
                if identity == Some(index) { "next_identity()".to_owned() } else { self.default_value(table, index)? };
            values.push(value);
        }
        Ok(values)
    }

    fn default_value(&mut self, table: &Table, index: usize) -> Result<String, SqlError> {
        let Some(column) = table.columns.get(index) else { return Ok("NULL".into()) };
        match &column.default {
            None => Ok("NULL".to_owned()),
            Some(default) => {
                let value = self.expression(&default.clone())?;
                Ok(self.cell(table, index, value)?.sql)
            }
        }
    }

    /// A value converted into a column.
    fn cell(&self, table: &Table, index: usize, value: Bound) -> Result<Bound, SqlError> {
        let Some(column) = table.columns.get(index) else { return Ok(value) };
        let object = if table.is_temporary() {
            table.name.clone()
        } else {
            format!("{}.{}.{}", table.database, table.schema, table.name)
        };
        let label = format!("{object}|{}", column.name);
        let type_ = column.type_;
        let mut value = self.stored(value, type_, &label)?;
        if table.identity.as_ref().is_some_and(|identity| identity.column == index) {
            value.sql = format!("seen_identity({})", value.sql);
        }
        Ok(value)
    }

    fn insert_values(&mut self, table: &Table, columns: &[usize], rows: &[Vec<Expr>]) -> Result<String, SqlError> {
        let mut texts = Vec::with_capacity(rows.len());
        for row in rows {
            if row.len() != columns.len() {
                return Err(wrong_count(row.len() > columns.len(), true));
            }
            let mut cells = Vec::with_capacity(table.columns.len());
            for (value, index) in row.iter().zip(columns) {
                if *value == Expr::Default {
                    cells.push(self.default_value(table, *index)?);
                    continue;
                }
                let value = self.expression(value)?;
                cells.push(self.cell(table, *index, value)?.sql);
            }
            cells.extend(self.implied_values(table, columns)?);
            texts.push(format!("({})", cells.join(",")));
        }
        Ok(format!("VALUES {}", texts.join(",")))
    }

    fn insert_query(&mut self, table: &Table, columns: &[usize], query: &super::Query) -> Result<String, SqlError> {
        let bound = self.query(query)?;
        if bound.columns().len() != columns.len() {
            return Err(wrong_count(bound.columns().len() > columns.len(), false));
        }
        let mut cells = Vec::with_capacity(table.columns.len());
        for (at, (column, index)) in bound.columns().iter().zip(columns).enumerate() {
            let value = Bound { sql: format!("c{at}"), ..column.value.clone() };
            cells.push(self.cell(table, *index, value)?.sql);
        }
        cells.extend(self.implied_values(table, columns)?);
        Ok(format!("SELECT {} FROM ({}) WHERE true", cells.join(","), bound.render(true)))
    }

    pub(crate) fn update_plan(mut self, update: &Update) -> Result<Plan, SqlError> {
        let with = self.common_tables(&update.with)?;
        let (table, from) = self.changed_table(&update.target, &update.from)?;
        let mut sets = Vec::with_capacity(update.assignments.len());
        let plain = from.is_none() && update.top.is_none();
        if plain {
            self.expose(&table, &table.name.clone(), "");
        }
        let mut values = Vec::with_capacity(update.assignments.len());
        let from_text = match &from {
            Some((sources, _)) => self.from(sources)?,
            None if plain => String::new(),
            None => format!(" FROM {}", self.base_table(&table, &table.name.clone())),
        };
        for assignment in &update.assignments {
            let name = assignment.column.last();
            let Some((index, column)) = table.column(name) else { return Err(SqlError::invalid_column(name)) };
            if table.identity.as_ref().is_some_and(|identity| identity.column == index) {
                return Err(SqlError::new(8102, 16, 1, format!("Cannot update identity column '{}'.", column.name)));
            }
            let value = match assignment.operator {
                None if assignment.value == Expr::Default => {
                    Bound::new(self.default_value(&table, index)?, column.type_, true)
                }
                None => self.expression(&assignment.value)?,
                Some(operator) => {
                    let current = Box::new(Expr::Column(assignment.column.clone()));
                    self.expression(&Expr::Arithmetic(operator, current, Box::new(assignment.value.clone())))?
                }
            };
            values.push(self.cell(&table, index, value)?.sql);
            sets.push(quoted(&column.name));
        }
        let filter = match &update.filter {
            Some(filter) => format!(" WHERE {}", self.predicate(filter)?),
            None => String::new(),
        };
        let mut sql = if plain {
            let pairs: Vec<String> = sets.iter().zip(&values).map(|(name, value)| format!("{name}={value}")).collect();
            format!("{with}UPDATE {} SET {}{filter}", table.storage, pairs.join(","))
        } else {
            let row = self.row_of(&table, from.as_ref().map(|(_, exposed)| exposed.as_str()))?;
            let items: Vec<String> = values.iter().enumerate().map(|(at, value)| format!("{value} AS v{at}")).collect();
            let pairs: Vec<String> = sets.iter().enumerate().map(|(at, name)| format!("{name}=s.v{at}")).collect();
            let limit = self.top(update.top.as_ref())?;
            format!(
                "{with}UPDATE {} AS target SET {} FROM (SELECT {row} AS row_id,{}{from_text}{filter}{limit}) AS s WHERE target.rowid = s.row_id",
                table.storage,
                pairs.join(","),
                items.join(",")
            )
        };
        self.scopes.clear();
        let (out, types, output_into) = self.output(&table, update.output.as_ref(), "inserted", &mut sql)?;
        Ok(self.finish(sql, out, types, Action::Write { table, output_into }))
    }

    fn top(&mut self, top: Option<&Expr>) -> Result<String, SqlError> {
        let Some(top) = top else { return Ok(String::new()) };
        let top = self.expression(top)?;
        Ok(format!(" LIMIT {}", super::query::row_count(&self.implicit(top, Type::BigInt)?.sql)))
    }

    /// The table a statement changes and, where it has FROM, its sources and the name it goes by there.
    fn changed_table<'q>(
        &mut self,
        target: &Target,
        from: &'q [Source],
    ) -> Result<(Arc<Table>, ChangedFrom<'q>), SqlError> {
        if from.is_empty() {
            return Ok((self.target(target)?, None));
        }
        let exposed = match target {
            Target::Table(name) => name.last().to_owned(),
            Target::Variable(name) => name.clone(),
        };
        let found = from.iter().find_map(|source| source_named(source, &exposed));
        let table = match found {
            Some(Source::Table { name, .. }) => self.table(name)?,
            Some(Source::Variable { name, .. }) => self.target(&Target::Variable(name.clone()))?,
            _ => return Err(SqlError::unsupported("changing a table that is not in FROM")),
        };
        Ok((table, Some((from, exposed))))
    }

    /// The rowid of the changed table in the current scope.
    fn row_of(&mut self, table: &Table, exposed: Option<&str>) -> Result<String, SqlError> {
        let name = exposed.unwrap_or(&table.name).to_owned();
        let scope = self.scope();
        let found = scope.tables.iter().find(|one| one.name.eq_ignore_ascii_case(&name));
        let column = found.and_then(|one| one.columns.first()).map(|column| column.sql.clone());
        let alias = column.as_deref().and_then(|sql| sql.split_once('.')).map(|(alias, _)| alias.to_owned());
        alias.map(|alias| format!("{alias}.rowid")).ok_or_else(|| SqlError::invalid_object(&name))
    }

    pub(crate) fn delete_plan(mut self, delete: &Delete) -> Result<Plan, SqlError> {
        let with = self.common_tables(&delete.with)?;
        let (table, from) = self.changed_table(&delete.target, &delete.from)?;
        let mut sql = if from.is_none() && delete.top.is_none() {
            self.expose(&table, &table.name.clone(), "");
            // A WHERE keeps SQLite from emptying the table at once, which it would not report row by row.
            let filter = match &delete.filter {
                Some(filter) => self.predicate(filter)?,
                None => "true".to_owned(),
            };
            format!("{with}DELETE FROM {} WHERE {filter}", table.storage)
        } else {
            let from_text = match &from {
                Some((sources, _)) => self.from(sources)?,
                None => format!(" FROM {}", self.base_table(&table, &table.name.clone())),
            };
            let filter = match &delete.filter {
                Some(filter) => format!(" WHERE {}", self.predicate(filter)?),
                None => String::new(),
            };
            let row = self.row_of(&table, from.as_ref().map(|(_, exposed)| exposed.as_str()))?;
            let limit = self.top(delete.top.as_ref())?;
            format!("{with}DELETE FROM {} WHERE rowid IN (SELECT {row}{from_text}{filter}{limit})", table.storage)
        };
        self.scopes.clear();
        let (out, types, output_into) = self.output(&table, delete.output.as_ref(), "deleted", &mut sql)?;
        Ok(self.finish(sql, out, types, Action::Write { table, output_into }))
    }

    /// OUTPUT as SQLite's RETURNING. `row` is the only row image the statement has.
    #[allow(clippy::type_complexity, reason = "three parts of one plan, used once")]
    fn output(
        &mut self,
        table: &Table,
        output: Option<&Output>,
        row: &str,
        sql: &mut String,
    ) -> Result<(Vec<Column>, Vec<Type>, Option<Box<Plan>>), SqlError> {
        let Some(output) = output else { return Ok((Vec::new(), Vec::new(), None)) };
        let mut items: Vec<OutColumn> = Vec::new();
        self.scoped(|binder| {
            binder.expose(table, row, "");
            output.items.iter().try_for_each(|item| {
                refuse_other_image(item, row)?;
                binder.select_item(item, &mut items)
            })
        })?;
        let texts: Vec<&str> = items.iter().map(|item| item.sql.as_str()).collect();
        sql.push_str(&format!(" RETURNING {}", texts.join(",")));
        let columns = items.iter().map(|item| Column {
            name: item.name.clone(),
            type_info: item.type_.type_info(item.nullable),
            nullable: item.nullable,
            identity: item.identity,
            hidden: false,
        });
        let columns = columns.collect();
        let types: Vec<Type> = items.iter().map(|item| item.type_).collect();
        let into = match &output.into {
            None => None,
            Some((target, names)) => Some(Box::new(self.output_target(target, names, &types)?)),
        };
        Ok((columns, types, into))
    }

    /// The INSERT that OUTPUT … INTO feeds row by row; its parameters are the row's values.
    fn output_target(&mut self, target: &Target, names: &[String], types: &[Type]) -> Result<Plan, SqlError> {
        let table = self.target(target)?;
        let insert = Insert {
            target: target.clone(),
            columns: names.to_vec(),
            output: None,
            source: InsertSource::Values(Vec::new()),
            with: Vec::new(),
        };
        let columns = self.insert_columns(&table, &insert)?;
        if columns.len() != types.len() {
            return Err(wrong_count(types.len() > columns.len(), false));
        }
        let mut cells = Vec::with_capacity(types.len());
        for (at, (type_, index)) in types.iter().zip(&columns).enumerate() {
            let value = Bound::new(format!("?{}", at + 1), *type_, true);
            cells.push(self.cell(&table, *index, value)?.sql);
        }
        if table.identity.is_some() {
            return Err(SqlError::unsupported("OUTPUT … INTO a table with an identity column"));
        }
        let names: Vec<String> =
            columns.iter().filter_map(|index| table.columns.get(*index)).map(|column| quoted(&column.name)).collect();
        let sql = format!("INSERT INTO {} ({}) VALUES ({})", table.storage, names.join(","), cells.join(","));
        Ok(Plan {
            sql,
            inputs: Vec::new(),
            columns: Vec::new(),
            types: types.to_vec(),
            action: Action::Write { table, output_into: None },
            cacheable: self.cacheable,
            reads_tables: false,
        })
    }
}

/// SQLite returns rows as they are after INSERT and UPDATE and as they were before DELETE, nothing else.
fn refuse_other_image(item: &SelectItem, row: &str) -> Result<(), SqlError> {
    let other = if row == "inserted" { "deleted" } else { "inserted" };
    let names_other = |name: &Name| name.0.first().is_some_and(|first| first.eq_ignore_ascii_case(other));
    let refused = match item {
        SelectItem::Star(prefix) => prefix.as_ref().is_some_and(names_other),
        SelectItem::Value { value, .. } => {
            super::aggregate::any(value, &|expr| matches!(expr, Expr::Column(name) if names_other(name)))
        }
        SelectItem::Assign { .. } => true,
    };
    if refused { Err(SqlError::unsupported(format!("OUTPUT {}.* here", other.to_uppercase()))) } else { Ok(()) }
}

fn source_named<'q>(source: &'q Source, exposed: &str) -> Option<&'q Source> {
    match source {
        Source::Table { name, alias } => {
            let named = alias.as_deref().unwrap_or_else(|| name.last());
            let matches = named.eq_ignore_ascii_case(exposed) || name.last().eq_ignore_ascii_case(exposed);
            matches.then_some(source)
        }
        Source::Variable { name, alias } => {
            alias.as_deref().unwrap_or(name).eq_ignore_ascii_case(exposed).then_some(source)
        }
        Source::Join { left, right, .. } => source_named(left, exposed).or_else(|| source_named(right, exposed)),
        Source::Derived { .. } | Source::Series { .. } => None,
    }
}

fn wrong_count(more_values: bool, values: bool) -> SqlError {
    let (number, text) = match (more_values, values) {
        (true, true) => (
            110,
            "There are fewer columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.",
        ),
        (false, true) => (
            109,
            "There are more columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.",
        ),
        (true, false) => (
            121,
            "The select list for the INSERT statement contains more items than the insert list. The number of SELECT values must match the number of INSERT columns.",
        ),
        (false, false) => (
            120,
            "The select list for the INSERT statement contains fewer items than the insert list. The number of SELECT values must match the number of INSERT columns.",
        ),
    };
    SqlError::new(number, 15, 1, text)
}
