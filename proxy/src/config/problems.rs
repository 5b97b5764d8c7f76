//! What is wrong with a configuration, all of it, in the order of the file.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::seen::SeenFile;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The line it is on, counted from 1; `None` where it is the file itself.
    pub line: Option<usize>,
    /// The key, with the sections it is in: `services.main.listen`. Empty where the text is no TOML.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub instead: String,
}

/// Every mistake in one configuration, at least one, by line. Shows as one line per mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    file: PathBuf,
    errors: Vec<ConfigError>,
    seen: Vec<SeenFile>,
}

impl ConfigErrors {
    /// The mistakes, by line.
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }

    /// The files that were read or should have been: a change of one may mend the mistakes.
    pub fn files(&self) -> &[SeenFile] {
        &self.seen
    }

    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let instead = "name a file that this user may read".to_owned();
        let error = ConfigError { line: None, key: String::new(), what: format!("cannot be read: {error}"), instead };
        Self { file: path.to_owned(), errors: vec![error], seen: Vec::new() }
    }

    pub(super) fn in_file(mut self, seen: SeenFile, path: &Path) -> Self {
        self.seen.insert(0, seen);
        Self { file: path.to_owned(), ..self }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}", self.file.display())?;
            if let Some(line) = error.line {
                write!(f, ":{line}")?;
            }
            let colon = if error.key.is_empty() { "" } else { ": " };
            write!(f, "{colon}{}: {}; {}", error.key, error.what, error.instead)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Collects mistakes while a configuration is read.
pub(super) struct Problems<'t> {
    text: &'t str,
    /// The text is no TOML somewhere, so that what seems to be missing may only be unreadable.
    incomplete: bool,
    errors: Vec<ConfigError>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str, syntax_errors: Vec<toml::de::Error>) -> Self {
        let mut problems = Self { text, incomplete: !syntax_errors.is_empty(), errors: Vec::new() };
        for error in syntax_errors {
            // Only the message: the error's own display quotes the file.
            let what = format!("is not TOML: {}", error.message().replace('\n', ", "));
            problems.add(error.span().unwrap_or(0..0), "", what, "see https://toml.io for the form of a file");
        }
        problems
    }

    /// Notes that the key at `span` is wrong.
    pub(super) fn add(&mut self, span: Range<usize>, key: &str, what: impl Into<String>, instead: impl Into<String>) {
        let error = ConfigError {
            line: Some(self.line(span.start)),
            key: key.to_owned(),
            what: what.into(),
            instead: instead.into(),
        };
        self.errors.push(error);
    }

    /// Notes that a key or section is missing from what begins at `span`. Silent where the text could not be read whole.
    pub(super) fn missing(&mut self, span: Range<usize>, key: &str, instead: impl Into<String>) {
        if !self.incomplete {
            self.add(span, key, "is missing", instead);
        }
    }

    /// Notes that what is written at `span` names nothing known. Silent where the text could not be read whole.
    pub(super) fn unresolved(&mut self, span: Range<usize>, key: &str, what: String, instead: String) {
        if !self.incomplete {
            self.add(span, key, what, instead);
        }
    }

    /// The line of an offset, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
    }

    pub(super) fn none_or_else<T>(
        mut self,
        seen: Vec<SeenFile>,
        value: impl FnOnce(Vec<SeenFile>) -> T,
    ) -> Result<T, ConfigErrors> {
        if self.errors.is_empty() {
            return Ok(value(seen));
        }
        self.errors.sort_by_key(|error| error.line);
        Err(ConfigErrors { file: PathBuf::from("configuration"), errors: self.errors, seen })
    }
}

/// Words for "did you mean", or the whole list where nothing known is near.
pub(super) fn suggest<'k>(written: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    let near = known
        .clone()
        .map(|word| (strsim::damerau_levenshtein(written, word), word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .min();
    match near {
        Some((_, word)) => format!("did you mean `{word}`?"),
        None => match known.collect::<Vec<_>>().join(", ") {
            list if list.is_empty() => "there is none".to_owned(),
            list => format!("known are: {list}"),
        },
    }
}
