//! Takes keys out of a TOML table one by one, and complains about what is left.

use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problems::{Problems, suggest};

/// One section of the file while it is read. Each key is taken once; [`finish`](Section::finish) reports the others.
pub(super) struct Section<'i> {
    /// The sections this one is in, and its own name. Empty for the whole file.
    path: String,
    span: Range<usize>,
    entries: DeTable<'i>,
    known: Vec<&'static str>,
}

/// A section under a name the operator chose, such as `[replicas.NAME]`.
pub(super) struct Named<'i> {
    pub(super) name: String,
    pub(super) section: Section<'i>,
}

impl<'i> Section<'i> {
    pub(super) fn root(entries: DeTable<'i>) -> Self {
        Self { path: String::new(), span: 0..0, entries, known: Vec::new() }
    }

    /// Where the section begins.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The section's own name, with the sections it is in.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// A key with the sections it is in.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'i>>> {
        self.known.push(key);
        self.entries.remove(key)
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'i>>, want: &str, problems: &mut Problems<'_>) {
        let what = format!("is {}", article(value.get_ref().type_str()));
        problems.add(value.span(), &self.key(key), what, format!("write {want}"));
    }

    /// A section that may be left out: it is empty then, so that every key in it has its default.
    pub(super) fn table(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Self {
        self.optional_table(key, problems).unwrap_or_else(|| Self { path: self.key(key), ..Self::root(DeTable::new()) })
    }

    /// A section that means something by being there.
    pub(super) fn optional_table(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<Self> {
        let value = self.take(key)?;
        self.as_section(key, value, problems)
    }

    fn as_section(&self, key: &str, value: Spanned<DeValue<'i>>, problems: &mut Problems<'_>) -> Option<Self> {
        let span = value.span();
        if !value.get_ref().is_table() {
            self.wrong_type(key, &value, &format!("a section: [{}]", self.key(key)), problems);
            return None;
        }
        let DeValue::Table(entries) = value.into_inner() else { return None };
        Some(Self { path: self.key(key), span, entries, known: Vec::new() })
    }

    /// The sections under `key`, each with a name the operator chose. At least one must be there.
    pub(super) fn named_tables(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Vec<Named<'i>> {
        if !self.has(key) {
            self.known.push(key);
            problems.missing(0..0, key, format!("write at least one section [{key}.NAME]"));
            return Vec::new();
        }
        let Some(mut outer) = self.optional_table(key, problems) else { return Vec::new() };
        if outer.entries.is_empty() {
            problems.missing(outer.span(), key, format!("write at least one section [{key}.NAME]"));
        }
        let mut named = Vec::new();
        for (name, value) in std::mem::take(&mut outer.entries) {
            let span = name.span();
            let name = name.into_inner().into_owned();
            if !is_name(&name) {
                let what = "is no name for a section";
                problems.add(span, &outer.key(&name), what, "use 1 to 64 letters, digits, `_`, `-` and `.`");
                continue;
            }
            if let Some(section) = outer.as_section(&name, value, problems) {
                named.push(Named { name, section });
            }
        }
        named
    }

    /// The sections `[[key]]` in their order, possibly none.
    pub(super) fn tables(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Vec<Self> {
        let Some(value) = self.take(key) else { return Vec::new() };
        if !value.get_ref().is_array() {
            self.wrong_type(key, &value, &format!("each as a section of its own: [[{}]]", self.key(key)), problems);
            return Vec::new();
        }
        let DeValue::Array(items) = value.into_inner() else { return Vec::new() };
        items.into_iter().filter_map(|item| self.as_section(key, item, problems)).collect()
    }

    /// A whole number within `range`, or `default`.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
        problems: &mut Problems<'_>,
    ) -> u64 {
        let Some(value) = self.take(key) else { return default };
        let want = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, &value, &want, problems);
            return default;
        };
        match u64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if range.contains(&number) => number,
            _ => {
                problems.add(
                    value.span(),
                    &self.key(key),
                    format!("is {integer}, out of range"),
                    format!("write {want}"),
                );
                default
            }
        }
    }

    /// `true` or `false`, or `default`.
    pub(super) fn flag(&mut self, key: &'static str, default: bool, problems: &mut Problems<'_>) -> bool {
        let Some(value) = self.take(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong_type(key, &value, "true or false", problems);
            default
        })
    }

    /// A text, if it is there and one.
    pub(super) fn text(
        &mut self,
        key: &'static str,
        example: &str,
        problems: &mut Problems<'_>,
    ) -> Option<Spanned<String>> {
        let text = self.text_or_empty(key, example, problems)?;
        if text.get_ref().is_empty() {
            problems.add(text.span(), &self.key(key), "is empty", format!("write for example {key} = \"{example}\""));
            return None;
        }
        Some(text)
    }

    /// A text, if it is there and one; it may be empty.
    pub(super) fn text_or_empty(
        &mut self,
        key: &'static str,
        example: &str,
        problems: &mut Problems<'_>,
    ) -> Option<Spanned<String>> {
        let value = self.take(key)?;
        self.as_text(key, value, example, problems)
    }

    fn as_text(
        &self,
        key: &str,
        value: Spanned<DeValue<'i>>,
        example: &str,
        problems: &mut Problems<'_>,
    ) -> Option<Spanned<String>> {
        let span = value.span();
        if !value.get_ref().is_str() {
            self.wrong_type(key, &value, &format!("a text, for example {key} = \"{example}\""), problems);
            return None;
        }
        let DeValue::String(text) = value.into_inner() else { return None };
        Some(Spanned::new(span, text.into_owned()))
    }

    /// A text that must be there.
    pub(super) fn required_text(
        &mut self,
        key: &'static str,
        example: &str,
        problems: &mut Problems<'_>,
    ) -> Option<Spanned<String>> {
        if !self.has(key) {
            self.known.push(key);
            problems.missing(self.span(), &self.key(key), format!("write for example {key} = \"{example}\""));
            return None;
        }
        self.text(key, example, problems)
    }

    /// A list of texts; empty where it is not there.
    pub(super) fn texts(
        &mut self,
        key: &'static str,
        example: &str,
        problems: &mut Problems<'_>,
    ) -> Vec<Spanned<String>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        if !value.get_ref().is_array() {
            self.wrong_type(key, &value, &format!("a list, for example {key} = [\"{example}\"]"), problems);
            return Vec::new();
        }
        let DeValue::Array(items) = value.into_inner() else { return Vec::new() };
        items.into_iter().filter_map(|item| self.as_text(key, item, example, problems)).collect()
    }

    /// A table of texts under names the operator chose, with both; `None` where it is not there or no such table.
    pub(super) fn texts_by_name(
        &mut self,
        key: &'static str,
        example: &str,
        problems: &mut Problems<'_>,
    ) -> Option<Vec<(Spanned<String>, Spanned<String>)>> {
        let mut outer = self.optional_table(key, problems)?;
        let mut texts = Vec::new();
        for (name, value) in std::mem::take(&mut outer.entries) {
            let name = Spanned::new(name.span(), name.into_inner().into_owned());
            if let Some(text) = outer.as_text(name.get_ref(), value, example, problems) {
                texts.push((name, text));
            }
        }
        Some(texts)
    }

    /// Notes keys that were dealt with in another way than by taking them.
    pub(super) fn know(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.entries.remove(*key);
            if !self.known.contains(key) {
                self.known.push(key);
            }
        }
    }

    /// Whether the operator wrote this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether the operator wrote this key as a list.
    pub(super) fn is_list(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|value| value.get_ref().is_array())
    }

    /// Where this key's value is written.
    pub(super) fn span_of(&self, key: &str) -> Option<Range<usize>> {
        self.entries.get(key).map(Spanned::span)
    }

    /// One of the words in `choices`, or `default`.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        default: T,
        choices: &[(&str, T)],
        problems: &mut Problems<'_>,
    ) -> T {
        let words = || choices.iter().map(|(word, _)| *word);
        let example = words().next().unwrap_or_default();
        let Some(text) = self.text(key, example, problems) else { return default };
        let found = choices.iter().find(|(word, _)| *word == text.get_ref());
        found.map(|(_, choice)| *choice).unwrap_or_else(|| {
            let what = format!("is \"{}\", which is no choice", text.get_ref());
            problems.add(text.span(), &self.key(key), what, suggest(text.get_ref(), words()));
            default
        })
    }

    /// Reports every key that nobody took.
    pub(super) fn finish(self, problems: &mut Problems<'_>) {
        for key in self.entries.keys() {
            let name: &Cow<'_, str> = key.get_ref();
            let instead = suggest(name, self.known.iter().copied());
            problems.add(key.span(), &self.key(name), "is not a key here", instead);
        }
    }
}

/// Names become labels of metrics and fields of log lines, so they are short and plain.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

fn article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

const NAME_BYTES_MAX: usize = 64;
