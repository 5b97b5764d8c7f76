//! Function calls that are neither strings, dates nor aggregates, and the way to those.

use super::super::ast::{Call, Expr, Name};
use super::super::catalog::{Role, object_key, resolve, views};
use super::super::error::SqlError;
use super::super::types::{CharKind, Type};
use super::coerce::{common_type, converted, literal, type_code};
use super::expression::invalid_operand;
use super::{Binder, Bound, Input, System};

impl Binder<'_> {
    pub(super) fn call(&mut self, call: &Call) -> Result<Bound, SqlError> {
        let name = call.name.last().to_ascii_uppercase();
        let prefix = call.name.0.len().checked_sub(2).and_then(|index| call.name.0.get(index));
        if prefix.is_some_and(|prefix| !prefix.eq_ignore_ascii_case("sys")) {
            return Err(not_a_function(&call.name));
        }
        if super::aggregate::is_aggregate(call) {
            return self.aggregate(call);
        }
        if let Some(over) = &call.over {
            return self.ranking(&name, call, over);
        }
        if call.star || call.distinct {
            return Err(SqlError::syntax(if call.star { "*" } else { "DISTINCT" }));
        }
        if call.arguments.is_empty()
            && let Some((system, type_)) = System::function(&name)
        {
            let sql = self.input(Input::System(system));
            return Ok(Bound::new(sql, type_, true));
        }
        if let Some(bound) = self.conditional(&name, &call.arguments)? {
            return Ok(bound);
        }
        if let Some(bound) = self.server_function(&name, &call.arguments)? {
            return Ok(bound);
        }
        if let Some(bound) = self.object_function(&name, &call.arguments)? {
            return Ok(bound);
        }
        let mut arguments = Vec::with_capacity(call.arguments.len());
        // The first argument of the date functions is a word, not a column.
        let skip = usize::from(super::dates::takes_part(&name));
        for argument in call.arguments.iter().skip(skip) {
            arguments.push(self.expression(argument)?);
        }
        let part = call.arguments.first().filter(|_| skip == 1);
        if let Some(bound) = self.date_function(&name, part, &arguments)? {
            return Ok(bound);
        }
        if let Some(bound) = self.string_function(&name, &arguments)? {
            return Ok(bound);
        }
        match self.number_function(&name, arguments)? {
            Some(bound) => Ok(bound),
            None => Err(not_a_function(&call.name)),
        }
    }

    fn ranking(&mut self, name: &str, call: &Call, over: &super::super::ast::Over) -> Result<Bound, SqlError> {
        let window = self.window(over)?;
        let function = name.to_lowercase();
        match (name, call.arguments.as_slice()) {
            ("ROW_NUMBER" | "RANK" | "DENSE_RANK", []) => {
                if over.order.is_empty() {
                    let text = format!("The function '{name}' must have an OVER clause with ORDER BY.");
                    return Err(SqlError::new(4112, 15, 1, text));
                }
                Ok(Bound::new(format!("{function}() OVER {window}"), Type::BigInt, true))
            }
            ("NTILE", [buckets]) => {
                let buckets = self.expression(buckets)?;
                Ok(Bound::new(format!("ntile({}) OVER {window}", buckets.sql), Type::BigInt, true))
            }
            ("LAG" | "LEAD" | "FIRST_VALUE", [value]) => {
                let value = self.expression(value)?;
                Ok(Bound::new(format!("{function}({}) OVER {window}", value.sql), value.type_, true))
            }
            _ => Err(SqlError::unsupported(format!("{name} OVER"))),
        }
    }

    fn conditional(&mut self, name: &str, arguments: &[Expr]) -> Result<Option<Bound>, SqlError> {
        Ok(Some(match (name, arguments) {
            ("IIF", [condition, then, otherwise]) => {
                let case = Expr::Case {
                    operand: None,
                    branches: vec![(condition.clone(), then.clone())],
                    otherwise: Some(Box::new(otherwise.clone())),
                };
                self.expression(&case)?
            }
            ("ISNULL", [value, otherwise]) => {
                let value = self.expression(value)?;
                let otherwise = self.expression(otherwise)?;
                let type_ = if value.type_ == Type::Null { otherwise.type_ } else { value.type_ };
                let nullable = otherwise.nullable && value.nullable;
                let value = self.implicit(value, type_)?;
                let otherwise = self.implicit(otherwise, type_)?;
                Bound::new(format!("coalesce({},{})", value.sql, otherwise.sql), type_, nullable)
            }
            ("COALESCE", [_, _, ..]) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.expression(argument)?);
                }
                let type_ = values.iter().fold(Type::Null, |type_, value| common_type(type_, value.type_));
                let nullable = values.iter().all(|value| value.nullable);
                let mut texts = Vec::with_capacity(values.len());
                for value in values {
                    texts.push(self.implicit(value, type_)?.sql);
                }
                Bound::new(format!("coalesce({})", texts.join(",")), type_, nullable)
            }
            ("NULLIF", [value, other]) => {
                let value = self.expression(value)?;
                let other = self.expression(other)?;
                let condition = self.comparison("=", value.clone(), other)?;
                Bound::new(format!("(CASE WHEN {condition} THEN NULL ELSE {} END)", value.sql), value.type_, true)
            }
            ("CHOOSE", [index, values @ ..]) if !values.is_empty() => {
                let branches = values.iter().enumerate();
                let branches =
                    branches.map(|(at, value)| (Expr::Integer((at + 1).to_string()), value.clone())).collect();
                let case = Expr::Case { operand: Some(Box::new(index.clone())), branches, otherwise: None };
                self.expression(&case)?
            }
            _ => return Ok(None),
        }))
    }

    /// Functions about the server, its databases and objects. Names must be literals where the answer has a type of its own.
    fn server_function(&mut self, name: &str, arguments: &[Expr]) -> Result<Option<Bound>, SqlError> {
        let word = |index: usize| match arguments.get(index) {
            Some(Expr::String { value, .. }) => Some(value.as_str()),
            _ => None,
        };
        let text = |value: Option<&str>| match value {
            Some(value) => Bound::new(literal(value), Type::SYSNAME, true),
            None => Bound::new("NULL", Type::SYSNAME, true),
        };
        let number = |value: Option<i64>| {
            Bound::new(value.map_or_else(|| "NULL".to_owned(), |value| value.to_string()), Type::Int, true)
        };
        Ok(Some(match (name, arguments.len()) {
            ("DB_NAME", 0) => Bound::new(self.input(Input::System(System::DatabaseName)), Type::SYSNAME, true),
            ("DB_NAME", 1) => {
                let Some(Expr::Integer(digits)) = arguments.first() else {
                    return Err(SqlError::unsupported("DB_NAME of an expression"));
                };
                let found = self.names.catalog.databases.iter().find(|database| database.id.to_string() == *digits);
                text(found.map(|database| database.name.as_str()))
            }
            ("DB_ID", 0) => number(self.names.catalog.database(self.names.database).map(|found| i64::from(found.id))),
            ("DB_ID", 1) if word(0).is_some() => {
                let found = word(0).and_then(|name| self.names.catalog.database(name));
                Bound { type_: Type::SmallInt, ..number(found.map(|found| i64::from(found.id))) }
            }
            ("OBJECT_ID", 1 | 2) if word(0).is_some() => number(self.object_id(word(0).unwrap_or("")).map(i64::from)),
            ("SCHEMA_NAME", 0) => text(Some("dbo")),
            ("SCHEMA_ID", 0 | 1) => number(Some(1)),
            ("DATABASE_PRINCIPAL_ID", 0) | ("USER_ID", 0) => number(Some(1)),
            ("SERVERPROPERTY", 1) if word(0).is_some() => self.server_property(word(0).unwrap_or("")),
            ("DATABASEPROPERTYEX", 2) if word(0).is_some() && word(1).is_some() => {
                text(self.database_property(word(0).unwrap_or(""), word(1).unwrap_or("")).as_deref())
            }
            ("DATABASEPROPERTYEX", 2) if word(1).is_some() => {
                self.cacheable = false;
                let database = self.names.database.to_owned();
                let is_current = matches!(arguments.first(), Some(Expr::Call(call)) if call.name.last().eq_ignore_ascii_case("DB_NAME") && call.arguments.is_empty());
                if !is_current {
                    return Err(SqlError::unsupported("DATABASEPROPERTYEX of an expression"));
                }
                text(self.database_property(&database, word(1).unwrap_or("")).as_deref())
            }
            ("CONNECTIONPROPERTY", 1) if word(0).is_some() => {
                let value = match word(0).unwrap_or("").to_ascii_lowercase().as_str() {
                    "net_transport" | "physical_net_transport" => Some("TCP"),
                    "protocol_type" => Some("TSQL"),
                    "auth_scheme" => Some("SQL"),
                    "local_net_address" | "client_net_address" => Some("127.0.0.1"),
                    _ => None,
                };
                text(value)
            }
            ("SESSIONPROPERTY", 1) if word(0).is_some() => number(Some(1)),
            _ => return self.other_function(name, arguments),
        }))
    }

    fn other_function(&mut self, name: &str, arguments: &[Expr]) -> Result<Option<Bound>, SqlError> {
        let word = match arguments.first() {
            Some(Expr::String { value, .. }) => Some(value.as_str()),
            _ => None,
        };
        let number = |value: Option<i64>| {
            Bound::new(value.map_or_else(|| "NULL".to_owned(), |value| value.to_string()), Type::Int, true)
        };
        Ok(Some(match (name, arguments.len()) {
            ("HAS_DBACCESS", 1) if word.is_some() => {
                number(word.and_then(|name| self.names.catalog.database(name)).map(|_| 1))
            }
            ("IS_SRVROLEMEMBER" | "IS_MEMBER" | "IS_ROLEMEMBER", 1 | 2) => number(Some(0)),
            ("NEWID", 0) => Bound::new("newid()", Type::Guid, false),
            ("PI", 0) => Bound::new("pi()", Type::Float, false),
            ("RAND", 0) => Bound::new("rand()", Type::Float, false),
            ("SUSER_NAME" | "SUSER_SNAME", 1) => {
                Bound::new(self.input(Input::System(System::Login)), Type::SYSNAME, true)
            }
            ("USER_NAME", 1) => Bound::new(self.input(Input::System(System::User)), Type::SYSNAME, true),
            ("IDENT_CURRENT", 1) if word.is_some() => {
                self.cacheable = false;
                let name =
                    Name(word.unwrap_or("").split('.').map(|part| part.trim_matches(['[', ']']).to_owned()).collect());
                let table = self.table(&name)?;
                let last = table.identity.as_ref().map(|identity| identity.last().unwrap_or(identity.seed));
                match last {
                    Some(last) => super::expression::decimal_literal(&last.to_string())
                        .map(|bound| converted(bound, Type::Decimal(38, 0), 0, false, None))?,
                    None => Bound::new("NULL", Type::Decimal(38, 0), true),
                }
            }
            _ => return Ok(None),
        }))
    }

    fn object_id(&mut self, name: &str) -> Option<i32> {
        let parts: Vec<String> = name.split('.').map(|part| part.trim_matches(['[', ']', '"']).to_owned()).collect();
        let name = Name(parts);
        if name.is_temporary() {
            self.cacheable = false;
            return self.names.temporary.get(&name.last().to_lowercase()).map(|table| table.id);
        }
        let resolved = resolve(&name, self.names.database).ok()?;
        let database = self.names.catalog.database(&resolved.database)?;
        let key = object_key(&resolved.schema, &resolved.name);
        let table = database.tables.get(&key).map(|table| table.id);
        table.or_else(|| database.procedures.get(&key).map(|procedure| procedure.id))
    }

    fn database_property(&self, database: &str, property: &str) -> Option<String> {
        let database = self.names.catalog.database(database)?;
        Some(match property.to_ascii_lowercase().as_str() {
            "updateability" if database.role == Role::Secondary => "READ_ONLY".into(),
            "updateability" => "READ_WRITE".into(),
            "status" => "ONLINE".into(),
            "collation" => "SQL_Latin1_General_CP1_CI_AS".into(),
            "recovery" => "FULL".into(),
            "useraccess" => "MULTI_USER".into(),
            _ => return None,
        })
    }

    /// sql_variant in SQL Server; here each property has the type its value has.
    fn server_property(&mut self, property: &str) -> Bound {
        let text = |value: &str| Bound::new(literal(value), Type::SYSNAME, true);
        let number = |value: i64| Bound::new(value.to_string(), Type::Int, true);
        match property.to_ascii_lowercase().as_str() {
            "servername" | "machinename" | "computernamephysicalnetbios" => {
                Bound::new(self.input(Input::System(System::ServerName)), Type::SYSNAME, true)
            }
            "productversion" | "resourceversion" => text("16.0.1000.6"),
            "productlevel" => text("RTM"),
            "productmajorversion" => text("16"),
            "productminorversion" => text("0"),
            "productbuild" => text("1000"),
            "edition" => text("Developer Edition (64-bit)"),
            "editionid" => Bound::new("-2117995310", Type::BigInt, true),
            "engineedition" => number(3),
            "collation" => text("SQL_Latin1_General_CP1_CI_AS"),
            "collationid" => number(872_468_488),
            "lcid" => number(1033),
            "sqlcharsetname" => text("iso_1"),
            "sqlsortordername" => text("nocase_iso"),
            "instancename" => Bound::new("NULL", Type::SYSNAME, true),
            "isclustered"
            | "issingleuser"
            | "isfulltextinstalled"
            | "isintegratedsecurityonly"
            | "isxtpsupported"
            | "ispolybaseinstalled"
            | "isadvancedanalyticsinstalled"
            | "islocaldb" => number(0),
            "ishadrenabled" => number(1),
            "hadrmanagerstatus" => number(1),
            _ => Bound::new("NULL", Type::SYSNAME, true),
        }
    }

    fn number_function(&self, name: &str, arguments: Vec<Bound>) -> Result<Option<Bound>, SqlError> {
        let mut arguments = arguments.into_iter();
        let (first, second, third) = (arguments.next(), arguments.next(), arguments.next());
        Ok(Some(match (name, first, second, third) {
            ("ABS" | "CEILING" | "FLOOR" | "SIGN", Some(value), None, None) => {
                let value = self.numeric_argument(value, name)?;
                let type_ = match value.type_ {
                    Type::Decimal(precision, _) if matches!(name, "CEILING" | "FLOOR") => Type::Decimal(precision, 0),
                    Type::TinyInt | Type::SmallInt | Type::Bit => Type::Int,
                    Type::Real => Type::Float,
                    other => other,
                };
                let sql = format!("number_fn('{name}',{},{},0,0)", value.sql, type_code(value.type_));
                Bound::new(sql, type_, true)
            }
            ("ROUND", Some(value), Some(digits), cut) => {
                let value = self.numeric_argument(value, name)?;
                let digits = self.implicit(digits, Type::Int)?;
                let cut = cut.map_or_else(|| "0".to_owned(), |cut| cut.sql);
                let type_ = match value.type_ {
                    Type::TinyInt | Type::SmallInt | Type::Bit => Type::Int,
                    Type::Real => Type::Float,
                    other => other,
                };
                let sql = format!("number_fn('ROUND',{},{},{},{cut})", value.sql, type_code(value.type_), digits.sql);
                Bound::new(sql, type_, true)
            }
            (
                "SQRT" | "EXP" | "LOG" | "LOG10" | "SIN" | "COS" | "TAN" | "ATAN" | "SQUARE" | "RADIANS" | "DEGREES",
                Some(value),
                None,
                None,
            ) => {
                let value = self.implicit(value, Type::Float)?;
                Bound::new(format!("float_fn('{name}',{})", value.sql), Type::Float, true)
            }
            ("POWER", Some(base), Some(exponent), None) => {
                let type_ = if base.type_.is_integer() { Type::Int } else { base.type_ };
                let base = self.implicit(base, Type::Float)?;
                let exponent = self.implicit(exponent, Type::Float)?;
                let power = Bound::new(format!("float_op('^',{},{})", base.sql, exponent.sql), Type::Float, true);
                self.implicit(power, type_)?
            }
            ("ISNUMERIC", Some(value), None, None) => {
                let code = type_code(value.type_);
                Bound::new(format!("is_numeric({},{code})", value.sql), Type::Int, false)
            }
            ("TYPE_NAME", Some(id), None, None) => self.looked_up(id, views::type_names())?,
            ("OBJECT_NAME", Some(id), None, None) => {
                let names = self.names.catalog.database(self.names.database).map(views::object_names);
                self.looked_up(id, names.unwrap_or_default())?
            }
            ("COL_NAME", ..) => return Err(SqlError::unsupported(name)),
            ("DATALENGTH", Some(value), None, None) => {
                let code = type_code(value.type_);
                let type_ = if value.type_.text_length().is_none() { Type::BigInt } else { Type::Int };
                Bound::new(format!("data_length({},{code})", value.sql), type_, true)
            }
            ("HASHBYTES" | "CHECKSUM" | "BINARY_CHECKSUM", ..) => return Err(SqlError::unsupported(name)),
            _ => return Ok(None),
        }))
    }

    /// The name that belongs to an id.
    fn looked_up(&self, id: Bound, names: Vec<(i32, String)>) -> Result<Bound, SqlError> {
        let id = self.implicit(id, Type::Int)?;
        let branches: String =
            names.iter().map(|(known, name)| format!(" WHEN {known} THEN {}", literal(name))).collect();
        Ok(Bound::new(format!("(CASE {} WHEN NULL THEN NULL{branches} END)", id.sql), Type::SYSNAME, true))
    }

    fn numeric_argument(&self, value: Bound, name: &str) -> Result<Bound, SqlError> {
        if value.type_.is_text() || value.type_ == Type::Null {
            return self.implicit(value, Type::Float);
        }
        if value.type_.is_number() { Ok(value) } else { Err(invalid_operand(value.type_, &name.to_lowercase())) }
    }
}

fn not_a_function(name: &Name) -> SqlError {
    let text = format!("'{}' is not a recognized built-in function name.", name.text());
    SqlError::new(195, 15, 10, text)
}

/// The widest string of a kind.
pub(super) fn open_text(national: bool) -> Type {
    Type::Text(if national { CharKind::NVarChar } else { CharKind::VarChar }, None)
}
