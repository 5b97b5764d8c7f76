//! What a rule compares a name with: text with wildcards, whatever its case.

use std::fmt;
use std::str::FromStr;

use link_control::topology::fold;

/// A text in which `*` stands for any characters, also none, and `?` for one. Case does not matter.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    folded: Vec<char>,
}

/// A name folded once, to be compared with many patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded(Vec<char>);

/// Why a text is no [`Pattern`]: the sentence says what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing would match but a name that is not there, which nobody means.
    #[error("is an empty pattern")]
    Empty,
    /// No name is that long.
    #[error("is longer than 128 characters")]
    TooLong,
}

impl Folded {
    /// Folds `name`, of which only the first 128 characters count: SQL Server takes no longer names ([MS-TDS] 2.2.6.4),
    /// and a comparison must not cost what a client chooses.
    pub fn new(name: &str) -> Self {
        let start: String = name.chars().take(CHARS_MAX).collect();
        Self(fold(&start).chars().collect())
    }
}

impl Pattern {
    /// Whether the whole of `name` is what the pattern describes.
    pub fn matches(&self, name: &Folded) -> bool {
        let (pattern, name) = (&self.folded, &name.0);
        let (mut at, mut read) = (0, 0);
        // Where to go on when what followed the last `*` did not fit: behind it, and one character later in the name.
        let mut again: Option<(usize, usize)> = None;
        while let Some(character) = name.get(read) {
            match (pattern.get(at), again) {
                (Some('*'), _) => {
                    again = Some((at + 1, read));
                    at += 1;
                }
                (Some(wanted), _) if *wanted == '?' || wanted == character => (at, read) = (at + 1, read + 1),
                (_, Some((behind, from))) => {
                    again = Some((behind, from + 1));
                    (at, read) = (behind, from + 1);
                }
                (_, None) => return false,
            }
        }
        pattern.iter().skip(at).all(|rest| *rest == '*')
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        match text.chars().count() {
            0 => Err(PatternError::Empty),
            1..=CHARS_MAX => Ok(Self { folded: fold(text).chars().collect() }),
            _ => Err(PatternError::TooLong),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.folded.iter().collect::<String>().fmt(f)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({self})")
    }
}

/// The longest name SQL Server takes in a login ([MS-TDS] 2.2.6.4), in characters.
const CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    //! Patterns and the names they are held against.

    use std::time::{Duration, Instant};

    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, want: bool) {
        let got = pattern.parse::<Pattern>().unwrap().matches(&Folded::new(name));
        assert_eq!(got, want, "{pattern:?} and {name:?}");
    }

    #[test]
    fn the_whole_name_must_match_whatever_its_case() {
        check("report_user", "Report_User", true);
        check("REPORT", "report_user", false);
        check("report_user", "report", false);
        check("BÜRO", "büro", true);
        check("?", "", false);
        check("*", "", true);
    }

    #[test]
    fn a_star_stands_for_any_characters_also_none() {
        check("report*", "report", true);
        check("report*", "report_user", true);
        check("*studio*", "Microsoft SQL Server Management Studio - Query", true);
        check("*user", "report_user_1", false);
        check("a*b*c", "aXbYbZc", true);
        check("a*b*c", "aXbYbZ", false);
        check("**", "anything", true);
        check("*aab", "aaaab", true);
    }

    #[test]
    fn a_question_mark_stands_for_one_character() {
        check("app?", "app1", true);
        check("app?", "app", false);
        check("app?", "app12", false);
        check("?pp*2", "app12", true);
        check("b?ro", "Büro", true);
    }

    #[test]
    fn what_no_name_can_be_is_no_pattern() {
        assert_eq!("".parse::<Pattern>(), Err(PatternError::Empty));
        assert_eq!("x".repeat(129).parse::<Pattern>(), Err(PatternError::TooLong));
        assert!("x".repeat(128).parse::<Pattern>().is_ok());
    }

    #[test]
    fn a_name_made_to_be_slow_is_compared_in_no_time() {
        let pattern: Pattern = "*a".repeat(64).parse().unwrap();
        let name = "b".repeat(65_535);
        let began = Instant::now();
        assert!(!pattern.matches(&Folded::new(&name)));
        assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
    }
}
