//! Reads `[[rules]]`: which sessions go elsewhere than their intent says, or nowhere.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use toml::Spanned;

use super::problems::{Problems, suggest};
use super::section::{Section, is_name};
use super::{Network, Pattern};

/// `[[rules]]`: a session that meets all conditions is treated as the action says. A condition with several values is
/// met by any of them; an empty one is always met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name in logs, metrics and errors. No two rules have the same.
    pub name: Arc<str>,
    /// The services a session came to.
    pub services: Vec<Arc<str>>,
    /// The login's name.
    pub logins: Vec<Pattern>,
    /// What the application calls itself.
    pub applications: Vec<Pattern>,
    /// What the client's machine calls itself. Like the application's name, anybody can write anything there.
    pub hosts: Vec<Pattern>,
    /// The database asked for.
    pub databases: Vec<Pattern>,
    /// Where the client is.
    pub networks: Vec<Network>,
    /// What becomes of such a session.
    pub action: Action,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The primary, also for sessions that declared that they only read.
    Primary,
    /// A secondary, as if the session had declared that it only reads.
    Secondary,
    /// What the session declared: an exception from the rules that follow.
    Intent,
    /// The login is refused for good.
    Reject {
        /// What its client is told.
        message: String,
    },
}

impl Action {
    /// The action as the configuration and metrics write it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Intent => "intent",
            Self::Reject { .. } => "reject",
        }
    }
}

pub(super) fn read(sections: Vec<Section<'_>>, services: &[String], problems: &mut Problems<'_>) -> Vec<Rule> {
    let mut lines = BTreeMap::new();
    sections.into_iter().filter_map(|section| read_one(section, services, &mut lines, problems)).collect()
}

fn read_one(
    mut section: Section<'_>,
    services: &[String],
    lines: &mut BTreeMap<String, usize>,
    problems: &mut Problems<'_>,
) -> Option<Rule> {
    let s = &mut section;
    let name = name(s, lines, problems);
    if !CONDITIONS.iter().any(|condition| s.has(condition)) {
        // A rule for everybody is more often a condition that got lost than what its writer meant.
        let instead = format!("write one of {}; logins = [\"*\"] is everybody", CONDITIONS.join(", "));
        problems.add(s.span(), s.path(), "has no condition", instead);
    }
    let services = known_services(s, services, problems);
    let logins = parsed(s, "logins", "report_*", problems);
    let applications = parsed(s, "applications", "Microsoft SQL Server Management Studio*", problems);
    let hosts = parsed(s, "hosts", "build-*", problems);
    let databases = parsed(s, "databases", "Sales*", problems);
    let networks = parsed(s, "networks", "10.1.0.0/16", problems);
    let action = action(s, problems);
    section.finish(problems);
    Some(Rule { name: name?.into(), services, logins, applications, hosts, databases, networks, action: action? })
}

fn name(section: &mut Section<'_>, lines: &mut BTreeMap<String, usize>, problems: &mut Problems<'_>) -> Option<String> {
    let name = section.required_text("name", "management-tools", problems)?;
    let (span, text) = (name.span(), name.into_inner());
    if !is_name(&text) {
        let what = format!("is {text:?}, which is no name for a rule");
        problems.add(span, &section.key("name"), what, "use 1 to 64 letters, digits, `_`, `-` and `.`");
        return None;
    }
    let line = problems.line(span.start);
    if let Some(first) = lines.insert(text.clone(), line) {
        let what = format!("is {text}, as another rule is called already (line {first})");
        problems.add(span, &section.key("name"), what, "give each rule a name of its own");
    }
    Some(text)
}

fn known_services(section: &mut Section<'_>, known: &[String], problems: &mut Problems<'_>) -> Vec<Arc<str>> {
    let written = section.texts("services", "main", problems);
    for service in written.iter().filter(|service| !known.contains(service.get_ref())) {
        let what = format!("names the service {:?}, which there is not", service.get_ref());
        let instead = suggest(service.get_ref(), known.iter().map(String::as_str));
        problems.unresolved(service.span(), &section.key("services"), what, instead);
    }
    written.into_iter().map(|service| Spanned::into_inner(service).into()).collect()
}

/// A list of texts that each mean something. A list that is written must not be empty: it would be met by everybody.
pub(super) fn parsed<T>(
    section: &mut Section<'_>,
    key: &'static str,
    example: &str,
    problems: &mut Problems<'_>,
) -> Vec<T>
where
    T: FromStr<Err: fmt::Display>,
{
    let at = section.span_of(key).filter(|_| section.is_list(key));
    let written = section.texts(key, example, problems);
    let instead = format!("write for example {key} = [\"{example}\"]");
    if let Some(at) = at.filter(|_| written.is_empty()) {
        problems.add(at, &section.key(key), "is an empty list", format!("{instead}, or leave the key out"));
    }
    let mut values = Vec::new();
    for text in written {
        match text.get_ref().parse() {
            Ok(value) => values.push(value),
            Err(error) => {
                let what = format!("holds {:?}, which {error}", text.get_ref());
                problems.add(text.span(), &section.key(key), what, instead.clone());
            }
        }
    }
    values
}

fn action(section: &mut Section<'_>, problems: &mut Problems<'_>) -> Option<Action> {
    let written = section.required_text("action", "primary", problems);
    let message_at = section.span_of("message");
    let message = message(section, problems);
    let written = written?;
    let action = match written.get_ref().as_str() {
        "primary" => Action::Primary,
        "secondary" => Action::Secondary,
        "intent" => Action::Intent,
        "reject" => return Some(Action::Reject { message: message.unwrap_or_else(|| DEFAULT_MESSAGE.to_owned()) }),
        other => {
            let what = format!("is {other:?}, which is no choice");
            let choices = ["primary", "secondary", "intent", "reject"];
            problems.add(written.span(), &section.key("action"), what, suggest(other, choices.into_iter()));
            return None;
        }
    };
    if let Some(at) = message_at {
        let what = "has no effect unless action is \"reject\"";
        problems.add(at, &section.key("message"), what, "remove it");
    }
    Some(action)
}

fn message(section: &mut Section<'_>, problems: &mut Problems<'_>) -> Option<String> {
    let message = section.text("message", DEFAULT_MESSAGE, problems)?;
    if message.get_ref().chars().count() > MESSAGE_CHARS_MAX {
        let instead = format!("write {MESSAGE_CHARS_MAX} characters at most");
        problems.add(message.span(), &section.key("message"), "is longer than drivers show", instead);
    }
    Some(message.into_inner())
}

const CONDITIONS: [&str; 6] = ["services", "logins", "applications", "hosts", "databases", "networks"];

const DEFAULT_MESSAGE: &str = "it is not wanted here";

/// What every driver shows whole; the rest of the error needs some room too.
const MESSAGE_CHARS_MAX: usize = 500;
