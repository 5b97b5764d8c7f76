//! What the parser makes of T-SQL text.

use super::types::Type;

/// A name of up to four parts, as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Name(pub(crate) Vec<String>);

impl Name {
    pub(crate) fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    pub(crate) fn text(&self) -> String {
        self.0.join(".")
    }

    pub(crate) fn is_temporary(&self) -> bool {
        self.last().starts_with('#')
    }
}

/// Operators of scalar arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    BitAnd,
    BitOr,
    BitXor,
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// A scalar expression or a predicate; the binder tells them apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Null,
    Default,
    Integer(String),
    Decimal(String),
    Float(f64),
    Money(String),
    String { value: String, national: bool },
    Binary(Vec<u8>),
    Variable(String),
    Column(Name),
    Negate(Box<Self>),
    BitNot(Box<Self>),
    Arithmetic(Operator, Box<Self>, Box<Self>),
    Collate(Box<Self>, String),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Compare(Comparison, Box<Self>, Box<Self>),
    CompareQuery { comparison: Comparison, all: bool, value: Box<Self>, query: Box<Query> },
    IsNull { value: Box<Self>, negated: bool },
    Between { value: Box<Self>, low: Box<Self>, high: Box<Self>, negated: bool },
    InList { value: Box<Self>, list: Vec<Self>, negated: bool },
    InQuery { value: Box<Self>, query: Box<Query>, negated: bool },
    Like { value: Box<Self>, pattern: Box<Self>, escape: Option<Box<Self>>, negated: bool },
    Exists(Box<Query>),
    Subquery(Box<Query>),
    Case { operand: Option<Box<Self>>, branches: Vec<(Self, Self)>, otherwise: Option<Box<Self>> },
    Cast { value: Box<Self>, to: Type, style: Option<Box<Self>>, attempt: bool },
    Call(Call),
}

/// A function call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: Name,
    pub(crate) arguments: Vec<Expr>,
    pub(crate) distinct: bool,
    /// `COUNT(*)`.
    pub(crate) star: bool,
    pub(crate) over: Option<Over>,
    /// `WITHIN GROUP (ORDER BY …)`.
    pub(crate) within: Vec<OrderItem>,
}

/// `OVER (PARTITION BY … ORDER BY …)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Over {
    pub(crate) partition: Vec<Expr>,
    pub(crate) order: Vec<OrderItem>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OrderItem {
    pub(crate) value: Expr,
    pub(crate) descending: bool,
}

/// A query with everything that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub(crate) with: Vec<CommonTable>,
    pub(crate) body: Body,
    pub(crate) order: Vec<OrderItem>,
    pub(crate) offset: Option<Expr>,
    pub(crate) fetch: Option<Expr>,
    /// `OPTION (MAXRECURSION n)`.
    pub(crate) max_recursion: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CommonTable {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) query: Query,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetOperator {
    Union,
    UnionAll,
    Except,
    Intersect,
}

/// One or more SELECTs joined by set operators, left to right.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Body {
    pub(crate) first: Branch,
    pub(crate) rest: Vec<(SetOperator, Branch)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Branch {
    Select(Box<Select>),
    Nested(Box<Query>),
    Values(Vec<Vec<Expr>>),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Select {
    pub(crate) distinct: bool,
    pub(crate) top: Option<Expr>,
    pub(crate) items: Vec<SelectItem>,
    pub(crate) into: Option<Name>,
    pub(crate) from: Vec<Source>,
    pub(crate) filter: Option<Expr>,
    pub(crate) group: Vec<Expr>,
    pub(crate) having: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SelectItem {
    /// `*` or `t.*`.
    Star(Option<Name>),
    Value {
        value: Expr,
        alias: Option<String>,
    },
    Assign {
        variable: String,
        operator: Option<Operator>,
        value: Expr,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

/// What stands in FROM.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    Table { name: Name, alias: Option<String> },
    Variable { name: String, alias: Option<String> },
    Derived { query: Box<Query>, alias: String, columns: Vec<String> },
    Series { arguments: Vec<Expr>, alias: Option<String> },
    Join { kind: Join, left: Box<Self>, right: Box<Self>, on: Option<Expr> },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Output {
    pub(crate) items: Vec<SelectItem>,
    pub(crate) into: Option<(Target, Vec<String>)>,
}

/// What a statement changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    Table(Name),
    Variable(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum InsertSource {
    Values(Vec<Vec<Expr>>),
    Query(Box<Query>),
    Defaults,
    Execute(Execute),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Insert {
    pub(crate) target: Target,
    pub(crate) columns: Vec<String>,
    pub(crate) output: Option<Output>,
    pub(crate) source: InsertSource,
    pub(crate) with: Vec<CommonTable>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) column: Name,
    pub(crate) operator: Option<Operator>,
    pub(crate) value: Expr,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Update {
    pub(crate) target: Target,
    pub(crate) top: Option<Expr>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) output: Option<Output>,
    pub(crate) from: Vec<Source>,
    pub(crate) filter: Option<Expr>,
    pub(crate) with: Vec<CommonTable>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delete {
    pub(crate) target: Target,
    pub(crate) top: Option<Expr>,
    pub(crate) output: Option<Output>,
    pub(crate) from: Vec<Source>,
    pub(crate) filter: Option<Expr>,
    pub(crate) with: Vec<CommonTable>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnDefinition {
    pub(crate) name: String,
    pub(crate) type_: Type,
    pub(crate) nullable: Option<bool>,
    pub(crate) identity: Option<(i64, i64)>,
    pub(crate) default: Option<Expr>,
    /// The text of the default, for the catalog views.
    pub(crate) default_text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constraint {
    /// PRIMARY KEY (`true`) or UNIQUE.
    Key {
        name: Option<String>,
        primary: bool,
        columns: Vec<String>,
    },
    Check {
        name: Option<String>,
        predicate: Expr,
    },
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TableDefinition {
    pub(crate) columns: Vec<ColumnDefinition>,
    pub(crate) constraints: Vec<Constraint>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Argument {
    pub(crate) name: Option<String>,
    pub(crate) value: Expr,
    pub(crate) output: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Execute {
    /// `EXEC ('text' + @x)`.
    Text(Vec<Expr>),
    Procedure {
        status: Option<String>,
        name: Name,
        arguments: Vec<Argument>,
    },
}

/// A declared parameter of a procedure or of sp_executesql.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) type_: Type,
    /// The table type of a READONLY parameter, which has no other.
    pub(crate) table: Option<Name>,
    pub(crate) default: Option<Expr>,
    pub(crate) output: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Declaration {
    Scalar {
        name: String,
        type_: Type,
        value: Option<Expr>,
    },
    Table {
        name: String,
        definition: TableDefinition,
    },
    /// A table variable of a type of the catalog.
    TableType {
        name: String,
        type_name: Name,
    },
}

/// A statement and the line it begins on. `slot` numbers the statements of a batch, for the cache of plans.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(crate) line: u32,
    pub(crate) slot: usize,
    pub(crate) kind: StatementKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StatementKind {
    Query(Box<Query>),
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    Truncate(Name),
    CreateTable {
        name: Name,
        definition: TableDefinition,
    },
    AlterTableAdd {
        name: Name,
        definition: TableDefinition,
    },
    AlterTableDrop {
        name: Name,
        column: String,
    },
    DropTable {
        names: Vec<Name>,
        if_exists: bool,
    },
    CreateIndex {
        unique: bool,
        name: String,
        table: Name,
        columns: Vec<String>,
    },
    DropIndex {
        name: String,
        table: Name,
        if_exists: bool,
    },
    CreateProcedure {
        name: Name,
        parameters: Vec<Parameter>,
        body: String,
        replace: bool,
        alter: bool,
    },
    DropProcedure {
        names: Vec<Name>,
        if_exists: bool,
    },
    CreateType {
        name: Name,
        definition: TableDefinition,
    },
    DropType {
        name: Name,
        if_exists: bool,
    },
    CreateDatabase(String),
    DropDatabase {
        name: String,
        if_exists: bool,
    },
    Declare(Vec<Declaration>),
    SetVariable {
        name: String,
        operator: Option<Operator>,
        value: Expr,
    },
    SetOption {
        names: Vec<String>,
        value: OptionValue,
    },
    If {
        condition: Expr,
        then: Box<Statement>,
        otherwise: Option<Box<Statement>>,
    },
    While {
        condition: Expr,
        body: Box<Statement>,
    },
    Block(Vec<Statement>),
    Try {
        body: Vec<Statement>,
        catch: Vec<Statement>,
    },
    Print(Expr),
    RaisError {
        message: Expr,
        severity: Expr,
        state: Expr,
        arguments: Vec<Expr>,
    },
    Throw(Option<(Expr, Expr, Expr)>),
    WaitFor {
        time: bool,
        value: Expr,
    },
    Return(Option<Expr>),
    Break,
    Continue,
    Begin {
        name: Option<String>,
    },
    Commit,
    Rollback {
        name: Option<String>,
    },
    Save {
        name: String,
    },
    Use(String),
    Execute(Execute),
    InsertBulk {
        target: Name,
        columns: Vec<String>,
    },
    /// Something accepted that changes nothing here, such as CHECKPOINT.
    Nothing,
}

/// What a SET option is set to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OptionValue {
    Switch(bool),
    Word(String),
    Value(Expr),
}
