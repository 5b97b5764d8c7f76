//! CREATE, ALTER and DROP, and the declarations they share with DECLARE.

use super::super::ast::{ColumnDefinition, Constraint, Parameter, StatementKind, TableDefinition};
use super::super::error::SqlError;
use super::super::lexer::Kind;
use super::super::types::Type;
use super::Parser;

impl Parser<'_> {
    pub(super) fn create(&mut self) -> Result<StatementKind, SqlError> {
        self.expect("CREATE")?;
        let replace = self.accept("OR");
        if replace {
            self.expect("ALTER")?;
        }
        let unique = self.accept("UNIQUE");
        if self.accept("CLUSTERED") || self.accept("NONCLUSTERED") || unique || self.is_word("INDEX") {
            self.accept("CLUSTERED");
            self.accept("NONCLUSTERED");
            return self.create_index(unique);
        }
        if self.accept("TABLE") {
            let name = self.name()?;
            let definition = self.table_definition()?;
            if self.accept("ON") {
                self.identifier()?;
            }
            if self.is_word("WITH") && self.is_symbol_at(1, "(") {
                self.next();
                self.skip_parentheses()?;
            }
            return Ok(StatementKind::CreateTable { name, definition });
        }
        if self.accept("PROCEDURE") || self.accept("PROC") {
            return self.procedure(replace, false);
        }
        if self.accept("TYPE") {
            let name = self.name()?;
            if self.is_word("FROM") {
                return Err(SqlError::unsupported("alias types"));
            }
            self.expect("AS")?;
            self.expect("TABLE")?;
            return Ok(StatementKind::CreateType { name, definition: self.table_definition()? });
        }
        if self.accept("DATABASE") {
            let name = self.identifier()?;
            self.skip_to_statement_end();
            return Ok(StatementKind::CreateDatabase(name));
        }
        Err(SqlError::unsupported(format!("CREATE {}", self.peek().text)))
    }

    fn procedure(&mut self, replace: bool, alter: bool) -> Result<StatementKind, SqlError> {
        let name = self.name()?;
        let parenthesised = self.accept_symbol("(");
        let parameters = if self.peek().kind == Kind::Variable { self.parameter_list()? } else { Vec::new() };
        if parenthesised {
            self.expect_symbol(")")?;
        }
        if self.accept("WITH") {
            self.list(Self::identifier)?;
        }
        self.expect("AS")?;
        // The body is the rest of the batch.
        let body = self.sql.get(self.peek().start..).unwrap_or("").to_owned();
        self.statements_until_end()?;
        Ok(StatementKind::CreateProcedure { name, parameters, body, replace, alter })
    }

    pub(super) fn parameter_list(&mut self) -> Result<Vec<Parameter>, SqlError> {
        self.list(|parser| {
            let name = parser.variable()?;
            parser.accept("AS");
            let start = parser.at;
            if let Some(table) = parser.table_type()
                && parser.accept("READONLY")
            {
                return Ok(Parameter { name, type_: Type::Null, table: Some(table), default: None, output: false });
            }
            parser.at = start;
            let type_ = parser.type_name()?;
            if parser.is_word("VARYING") {
                return Err(SqlError::unsupported("cursor parameters"));
            }
            let default = if parser.accept_symbol("=") { Some(parser.expression()?) } else { None };
            let output = parser.accept("OUTPUT") || parser.accept("OUT");
            Ok(Parameter { name, type_, table: None, default, output })
        })
    }

    fn create_index(&mut self, unique: bool) -> Result<StatementKind, SqlError> {
        self.expect("INDEX")?;
        let name = self.identifier()?;
        self.expect("ON")?;
        let table = self.name()?;
        let columns = self.key_columns()?;
        if self.accept("INCLUDE") {
            self.parenthesised(Self::identifier)?;
        }
        if self.is_word("WHERE") {
            return Err(SqlError::unsupported("filtered indexes"));
        }
        if self.is_word("WITH") && self.is_symbol_at(1, "(") {
            self.next();
            self.skip_parentheses()?;
        }
        Ok(StatementKind::CreateIndex { unique, name, table, columns })
    }

    fn key_columns(&mut self) -> Result<Vec<String>, SqlError> {
        self.parenthesised(|parser| {
            let column = parser.identifier()?;
            if !parser.accept("ASC") {
                parser.accept("DESC");
            }
            Ok(column)
        })
    }

    pub(super) fn table_definition(&mut self) -> Result<TableDefinition, SqlError> {
        let mut definition = TableDefinition::default();
        self.expect_symbol("(")?;
        loop {
            self.table_element(&mut definition)?;
            if !self.accept_symbol(",") || self.is_symbol(")") {
                break;
            }
        }
        self.expect_symbol(")")?;
        Ok(definition)
    }

    fn table_element(&mut self, definition: &mut TableDefinition) -> Result<(), SqlError> {
        let is_constraint =
            ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].iter().any(|word| self.is_word(word));
        if is_constraint {
            let name = if self.accept("CONSTRAINT") { Some(self.identifier()?) } else { None };
            return self.constraint(name, None, definition);
        }
        if self.is_word("INDEX") {
            return Err(SqlError::unsupported("indexes inside CREATE TABLE"));
        }
        self.column_definition(definition)
    }

    fn column_definition(&mut self, definition: &mut TableDefinition) -> Result<(), SqlError> {
        let name = self.identifier()?;
        if self.is_word("AS") {
            return Err(SqlError::unsupported("computed columns"));
        }
        let type_ = self.type_name()?;
        let default_text = String::new();
        let mut column = ColumnDefinition { name, type_, nullable: None, identity: None, default: None, default_text };
        let mut constraint_name = None;
        loop {
            if self.accept("NOT") {
                if self.accept("FOR") {
                    self.expect("REPLICATION")?;
                } else {
                    self.expect("NULL")?;
                    column.nullable = Some(false);
                }
            } else if self.accept("NULL") {
                column.nullable = Some(true);
            } else if self.accept("IDENTITY") {
                column.identity = Some(self.identity()?);
                column.nullable = Some(false);
            } else if self.accept("COLLATE") {
                self.identifier()?;
            } else if self.accept("ROWGUIDCOL") || self.accept("SPARSE") {
            } else if self.accept("CONSTRAINT") {
                constraint_name = Some(self.identifier()?);
            } else if self.accept("DEFAULT") {
                let start = self.peek().start;
                column.default = Some(self.expression()?);
                let end = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(start, |token| token.end);
                column.default_text = self.sql.get(start..end).unwrap_or("").to_owned();
            } else if ["PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "FOREIGN"].iter().any(|word| self.is_word(word)) {
                self.constraint(constraint_name.take(), Some(&mut column), definition)?;
            } else {
                break;
            }
        }
        definition.columns.push(column);
        Ok(())
    }

    fn identity(&mut self) -> Result<(i64, i64), SqlError> {
        if !self.accept_symbol("(") {
            return Ok((1, 1));
        }
        let seed = self.integer()?;
        self.expect_symbol(",")?;
        let increment = self.integer()?;
        self.expect_symbol(")")?;
        Ok((seed, increment))
    }

    fn constraint(
        &mut self,
        name: Option<String>,
        column: Option<&mut ColumnDefinition>,
        definition: &mut TableDefinition,
    ) -> Result<(), SqlError> {
        if self.is_word("FOREIGN") || self.is_word("REFERENCES") {
            return Err(SqlError::unsupported("foreign keys"));
        }
        if self.accept("CHECK") {
            self.expect_symbol("(")?;
            let predicate = self.predicate()?;
            self.expect_symbol(")")?;
            definition.constraints.push(Constraint::Check { name, predicate });
            return Ok(());
        }
        let primary = self.accept("PRIMARY");
        if primary {
            self.expect("KEY")?;
        } else {
            self.expect("UNIQUE")?;
        }
        if !self.accept("CLUSTERED") {
            self.accept("NONCLUSTERED");
        }
        let columns = match column {
            Some(column) => {
                if primary {
                    column.nullable = Some(false);
                }
                vec![column.name.clone()]
            }
            None => self.key_columns()?,
        };
        if self.is_word("WITH") && self.is_symbol_at(1, "(") {
            self.next();
            self.skip_parentheses()?;
        }
        if self.accept("ON") {
            self.identifier()?;
        }
        definition.constraints.push(Constraint::Key { name, primary, columns });
        Ok(())
    }

    pub(super) fn alter(&mut self) -> Result<StatementKind, SqlError> {
        self.expect("ALTER")?;
        if self.accept("PROCEDURE") || self.accept("PROC") {
            return self.procedure(false, true);
        }
        if !self.accept("TABLE") {
            return Err(SqlError::unsupported(format!("ALTER {}", self.peek().text)));
        }
        let name = self.name()?;
        if self.accept("DROP") {
            self.expect("COLUMN")?;
            return Ok(StatementKind::AlterTableDrop { name, column: self.identifier()? });
        }
        if !self.accept("ADD") {
            return Err(SqlError::unsupported(format!("ALTER TABLE … {}", self.peek().text)));
        }
        let mut definition = TableDefinition::default();
        loop {
            self.table_element(&mut definition)?;
            if !self.accept_symbol(",") {
                break;
            }
        }
        if !definition.constraints.is_empty() {
            return Err(SqlError::unsupported("adding constraints to a table"));
        }
        Ok(StatementKind::AlterTableAdd { name, definition })
    }

    pub(super) fn drop(&mut self) -> Result<StatementKind, SqlError> {
        self.expect("DROP")?;
        let what = self.next().text.to_ascii_uppercase();
        let if_exists = self.is_word("IF") && self.is_word_at(1, "EXISTS");
        if if_exists {
            self.next();
            self.next();
        }
        match what.as_str() {
            "TABLE" => Ok(StatementKind::DropTable { names: self.list(Self::name)?, if_exists }),
            "PROCEDURE" | "PROC" => Ok(StatementKind::DropProcedure { names: self.list(Self::name)?, if_exists }),
            "TYPE" => Ok(StatementKind::DropType { name: self.name()?, if_exists }),
            "DATABASE" => Ok(StatementKind::DropDatabase { name: self.identifier()?, if_exists }),
            "INDEX" => {
                let name = self.name()?;
                if self.accept("ON") {
                    let table = self.name()?;
                    return Ok(StatementKind::DropIndex { name: name.last().to_owned(), table, if_exists });
                }
                // The old form: DROP INDEX t.i.
                let mut table = name.clone();
                table.0.pop();
                if table.0.is_empty() {
                    return Err(self.unexpected());
                }
                Ok(StatementKind::DropIndex { name: name.last().to_owned(), table, if_exists })
            }
            other => Err(SqlError::unsupported(format!("DROP {other}"))),
        }
    }
}
