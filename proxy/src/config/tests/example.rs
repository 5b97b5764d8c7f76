//! `config.example.toml` against the code, both ways: every key with its default, and no key left out.

use std::collections::BTreeSet;

use super::files::folder;
use super::*;

const EXAMPLE: &str = include_str!("../../../../config.example.toml");

/// The example with the keys that have no default, too.
fn with_optional_keys() -> String {
    let written = |line: &str| is_key(line) || line.starts_with('[');
    let uncomment = |line: &str| line.strip_prefix("# ").filter(|rest| written(rest)).unwrap_or(line).to_owned();
    EXAMPLE.lines().map(uncomment).collect::<Vec<_>>().join("\n")
}

/// `key = value` with a key as this file writes them, so that prose is not taken for one.
fn is_key(line: &str) -> bool {
    let plain = |key: &str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    line.split_once(" = ").is_some_and(|(key, _)| plain(key))
}

#[test]
fn the_example_is_right() {
    let folder = folder();
    Config::parse(EXAMPLE, folder.path()).unwrap();
    Config::parse(&with_optional_keys(), folder.path()).unwrap();
}

#[test]
fn leaving_a_key_out_means_the_value_the_example_shows() {
    let folder = folder();
    let whole = format!("{:#?}", Config::parse(EXAMPLE, folder.path()).unwrap());
    let lines: Vec<_> = EXAMPLE.lines().collect();
    let mut required = BTreeSet::new();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| is_key(line)) {
        let mut without = lines.clone();
        without.remove(index);
        match Config::parse(&without.join("\n"), folder.path()) {
            // Its default is no secondary, which would make a poor example.
            Ok(_) if line.starts_with("secondaries") => {}
            Ok(config) => assert_eq!(format!("{config:#?}"), whole, "the default is not what the example says: {line}"),
            Err(_) => assert!(required.insert(*line), "{line}"),
        }
    }
    let mut required: Vec<_> = required.iter().filter_map(|line| line.split(' ').next()).collect();
    required.sort_unstable();
    let mut want = vec!["certificate_file", "databases", "key_file", "link", "listen", "primary"];
    want.extend(["address"; 3]);
    // Of both rules: a name, an action, and a condition, without which a rule would be for everybody.
    want.extend(["name", "name", "action", "action", "applications", "logins"]);
    want.sort_unstable();
    assert_eq!(required, want);
}

/// The sections in `section`, which one of its kind may have and another not: `[replicas.mi.identity]`.
fn sections_in<'t>(section: &str, text: &'t str) -> impl Iterator<Item = &'t str> {
    let kind = section.trim_matches(['[', ']']).split('.').next().unwrap_or_default().to_owned();
    let named = section.matches('.').count() == 1;
    let inner = text.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
    inner.filter(move |inner| named && inner.starts_with(&kind)).filter_map(|inner| inner.split('.').nth(2))
}

#[test]
fn every_key_the_code_takes_is_in_the_example() {
    let folder = folder();
    let text = with_optional_keys();
    let mut sections: BTreeSet<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
    // The second replica only shows that there may be several; the first has every key.
    sections.remove("[replicas.mi]");
    for section in sections {
        // A section that is there several times, such as a rule, shows its keys in all of them together.
        let bodies = text.split(section).skip(1).filter_map(|rest| rest.split("\n[").next());
        // Of keys that stand for each other only one can be written; the others follow behind `# or: `.
        let lines = bodies.flat_map(str::lines).map(|line| line.strip_prefix("# or: ").unwrap_or(line));
        let keys = lines.filter(|line| is_key(line)).filter_map(|line| line.split(' ').next());
        let shown: BTreeSet<_> = keys.chain(sections_in(section, &text)).collect();
        let probed = text.replacen(section, &format!("{section}\nzzzzzzzzzzzzzzzz = 1"), 1);
        let errors = Config::parse(&probed, folder.path()).unwrap_err();
        let taken: BTreeSet<_> = errors.errors()[0].instead.trim_start_matches("known are: ").split(", ").collect();
        assert_eq!(shown, taken, "{section}");
    }
    let errors = Config::parse(&format!("zzzzzzzzzzzzzzzz = 1\n{text}"), folder.path()).unwrap_err();
    let taken = errors.errors()[0].instead.trim_start_matches("known are: ").split(", ").map(str::to_owned);
    let shown = text
        .lines()
        .filter_map(|line| line.strip_prefix('[')?.trim_start_matches('[').split(['.', ']']).next().map(str::to_owned));
    assert_eq!(shown.collect::<BTreeSet<_>>(), taken.collect::<BTreeSet<_>>());
}
