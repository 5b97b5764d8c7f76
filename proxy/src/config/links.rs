//! Reads `[links.NAME]`: which databases move together, and who holds which role.

use std::collections::BTreeMap;

use link_control::topology::{StaticLink, fold};
use toml::Spanned;

use super::problems::{Problems, suggest};
use super::replicas::Replicas;
use super::section::{Named, Section};

/// By name; `None` where a mistake was reported, so that a service that names it is not blamed for it.
pub(super) type Links = BTreeMap<String, Option<StaticLink>>;

/// Every database seen so far, case-folded, with the line and link it was seen in.
type Databases = BTreeMap<String, (usize, String)>;

pub(super) fn read(sections: Vec<Named<'_>>, replicas: &Replicas, problems: &mut Problems<'_>) -> Links {
    let mut databases = Databases::new();
    let read = |Named { name, section }| {
        let link = read_one(&name, section, replicas, &mut databases, problems);
        (name, link)
    };
    sections.into_iter().map(read).collect()
}

fn read_one(
    name: &str,
    mut section: Section<'_>,
    replicas: &Replicas,
    databases: &mut Databases,
    problems: &mut Problems<'_>,
) -> Option<StaticLink> {
    let names = read_databases(name, &mut section, databases, problems);
    let primary = section.required_text("primary", "onprem", problems);
    let secondaries = section.texts("secondaries", "mi", problems);

    let primary_key = section.key("primary");
    let primary = primary.filter(|primary| is_known(primary, &primary_key, replicas, problems));
    let key = section.key("secondaries");
    for (index, secondary) in secondaries.iter().enumerate() {
        is_known(secondary, &key, replicas, problems);
        let name = secondary.get_ref();
        if primary.as_ref().is_some_and(|primary| primary.get_ref() == name) {
            let what = format!("names {name}, which is the primary of the same link");
            problems.add(secondary.span(), &key, what, "give each replica one role");
        }
        if secondaries.iter().take(index).any(|earlier| earlier.get_ref() == name) {
            problems.add(secondary.span(), &key, format!("names {name} twice"), "name each secondary once");
        }
    }
    section.finish(problems);
    Some(StaticLink {
        name: name.into(),
        databases: names,
        primary: primary?.get_ref().as_str().into(),
        secondaries: secondaries.iter().map(|secondary| secondary.get_ref().as_str().into()).collect(),
    })
}

fn read_databases(
    link: &str,
    section: &mut Section<'_>,
    databases: &mut Databases,
    problems: &mut Problems<'_>,
) -> Vec<String> {
    let key = section.key("databases");
    let example = "write for example databases = [\"SalesDB\"]";
    if !section.has("databases") {
        problems.missing(section.span(), &key, example);
    }
    let at = section.span_of("databases");
    let was_list = section.is_list("databases");
    let written = section.texts("databases", "SalesDB", problems);
    if let Some(at) = at.filter(|_| was_list && written.is_empty()) {
        problems.add(at, &key, "names no database", example);
    }
    for database in &written {
        check_database(link, database, &key, databases, problems);
    }
    written.into_iter().map(Spanned::into_inner).collect()
}

fn check_database(
    link: &str,
    database: &Spanned<String>,
    key: &str,
    databases: &mut Databases,
    problems: &mut Problems<'_>,
) {
    let name = database.get_ref();
    let folded = fold(name);
    if !(1..=SYSNAME_CHARS_MAX).contains(&name.encode_utf16().count()) {
        problems.add(database.span(), key, "holds a name that is empty or too long", "write 1 to 128 characters");
        return;
    }
    if SYSTEM_DATABASES.contains(&folded.as_str()) {
        let what = format!("names {name}, which is in every instance and moves with none");
        problems.add(database.span(), key, what, "name user databases only");
    }
    let line = problems.line(database.span().start);
    if let Some((first_line, first_link)) = databases.get(&folded) {
        let what = format!("names {name}, which link {first_link} has already (line {first_line})");
        problems.add(database.span(), key, what, "put each database into one link");
    } else {
        databases.insert(folded, (line, link.to_owned()));
    }
}

fn is_known(replica: &Spanned<String>, key: &str, replicas: &Replicas, problems: &mut Problems<'_>) -> bool {
    let known = replicas.contains_key(replica.get_ref());
    if !known {
        let what = format!("names the replica {:?}, which there is not", replica.get_ref());
        problems.unresolved(replica.span(), key, what, suggest(replica.get_ref(), replicas.keys().map(String::as_str)));
    }
    known
}

/// Databases that each instance has of its own.
const SYSTEM_DATABASES: [&str; 4] = ["master", "model", "msdb", "tempdb"];

/// The length of SQL Server's `sysname`, in UTF-16 units.
const SYSNAME_CHARS_MAX: usize = 128;
