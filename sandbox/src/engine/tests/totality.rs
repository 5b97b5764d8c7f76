//! Whatever a client sends, the parser answers: with statements or an error, in bounded depth.

use crate::engine::{bind::type_of_code, error::SqlError, lexer, parser};
use proptest::prelude::*;

/// Words, marks and fragments that T-SQL is made of, so that random texts get deep into the grammar.
const FRAGMENTS: [&str; 48] = [
    "SELECT",
    "FROM",
    "WHERE",
    "(",
    ")",
    ",",
    ";",
    "*",
    "1",
    "1.5",
    "'a'",
    "N'b'",
    "@x",
    "@@ROWCOUNT",
    "[c]",
    "t",
    ".",
    "=",
    "<",
    "AND",
    "OR",
    "NOT",
    "IN",
    "EXISTS",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "BEGIN",
    "TRY",
    "CATCH",
    "IF",
    "WHILE",
    "INSERT",
    "INTO",
    "VALUES",
    "UPDATE",
    "SET",
    "DELETE",
    "CREATE",
    "TABLE",
    "DECLARE",
    "int",
    "WITH",
    "AS",
    "UNION",
    "-",
];

proptest! {
    #[test]
    fn any_text_parses_or_is_refused(text in ".{0,300}") {
        let _: Result<_, SqlError> = parser::batch(&text, true);
        let _: Result<_, SqlError> = parser::parameters(&text);
    }

    #[test]
    fn any_order_of_fragments_parses_or_is_refused(picks in prop::collection::vec(0..FRAGMENTS.len(), 0..60)) {
        let text = picks.iter().map(|pick| FRAGMENTS[*pick]).collect::<Vec<_>>().join(" ");
        let _: Result<_, SqlError> = parser::batch(&text, true);
    }

    #[test]
    fn tokens_cover_the_text_in_order(text in ".{0,200}") {
        if let Ok(tokens) = lexer::tokens(&text, true) {
            for pair in tokens.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
        }
    }

    #[test]
    fn any_type_code_is_a_type(code in any::<i64>()) {
        let _ = type_of_code(code);
    }
}

#[test]
fn nesting_is_bounded_and_what_is_allowed_runs() {
    let nested = |depth: usize| format!("SELECT {}1{}", "(".repeat(depth), ")".repeat(depth));
    let error = parser::batch(&nested(100_000), true).expect_err("too deep");
    assert_eq!(error.number, 191);
    let chain = |terms: usize| format!("SELECT 1{}", " + 1".repeat(terms));
    assert_eq!(parser::batch(&chain(100_000), true).expect_err("too long").number, 191);
    super::check(&nested(40), &["1", "(1)"]);
    super::check(&chain(150), &["151", "(1)"]);
    super::check(&format!("SELECT CASE WHEN 1 = 1{} THEN 1 END", " AND 1 = 1".repeat(300)), &["1", "(1)"]);
}
