//! Mistakes and what is said about them; the example file held against the code.

mod example;
mod files;
mod identity;
mod names;
mod rules;

use std::path::Path;

use super::*;

/// The smallest configuration that is right, except for what `change` does to it.
const SMALLEST: &str = r#"
[replicas.onprem]
address = "sql01:1433"

[replicas.mi]
address = "mi.example.net:1433"

[links.sales]
databases = ["SalesDB"]
primary = "onprem"
secondaries = ["mi"]

[services.main]
listen = "127.0.0.1:1433"
link = "sales"
encryption = "off"
"#;

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, Path::new("/nonexistent"))
}

/// Puts `to` where the smallest configuration says `from`, and compares every complaint.
#[track_caller]
fn check(from: &str, to: &str, want: &[&str]) {
    assert_eq!(SMALLEST.matches(from).count(), 1, "{from:?} must be there once");
    check_text(&SMALLEST.replace(from, to), want);
}

#[track_caller]
fn check_text(text: &str, want: &[&str]) {
    let got = parse(text).expect_err("it has mistakes").to_string().replace("configuration:", "");
    assert_eq!(got.lines().collect::<Vec<_>>(), want);
}

#[test]
fn the_smallest_configuration_is_right() {
    let config = parse(SMALLEST).unwrap();
    assert_eq!(config.services.len(), 1);
    assert_eq!(config.admin, None);
    let primary = &config.links[0].primary;
    assert_eq!(config.replica(primary).map(|replica| replica.address.to_string()).as_deref(), Some("sql01:1433"));
    assert_eq!(config.replica(&"other".into()).map(|replica| replica.name.clone()), None);
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_known_one() {
    check(
        "link = ",
        "links = ",
        &[
            "13: services.main.link: is missing; write for example link = \"sales\"",
            "15: services.main.links: is not a key here; did you mean `link`?",
        ],
    );
}

#[test]
fn an_unknown_key_near_no_other_is_answered_with_the_list() {
    check(
        "[replicas.onprem]",
        "[log]\ncolour = true\n[replicas.onprem]",
        &["3: log.colour: is not a key here; known are: format, level"],
    );
}

#[test]
fn an_unknown_section_is_answered_with_the_nearest_known_one() {
    check("[services.main]", "[limit]\n[services.main]", &["13: limit: is not a key here; did you mean `limits`?"]);
}

#[test]
fn every_mistake_is_reported_in_the_order_of_the_file() {
    let text = r#"
[timeouts]
login_ms = "15s"
idle_ms = -1
[limits]
sessions_max = 0
[replicas.onprem]
address = "sql01,1433"
encryption = "ful"
[replicas.onprem2]
address = 1433
[links.sales]
databases = "SalesDB"
primary = "onpem"
secondaries = ["mi", 5]
[services.main]
encryption = "off"
"#;
    check_text(
        text,
        &[
            "3: timeouts.login_ms: is a string; write a whole number from 1 to 600000",
            "4: timeouts.idle_ms: is -1, out of range; write a whole number from 0 to 604800000",
            "6: limits.sessions_max: is 0, out of range; write a whole number from 1 to 1000000",
            "8: replicas.onprem.address: is \"sql01,1433\", which has a comma between host and port; write host:port, for \
         example address = \"sql01.corp.local:1433\"",
            "9: replicas.onprem.encryption: is \"ful\", which is no choice; did you mean `full`?",
            "11: replicas.onprem2.address: is an integer; write a text, for example address = \"sql01.corp.local:1433\"",
            "13: links.sales.databases: is a string; write a list, for example databases = [\"SalesDB\"]",
            "14: links.sales.primary: names the replica \"onpem\", which there is not; did you mean `onprem`?",
            "15: links.sales.secondaries: is an integer; write a text, for example secondaries = \"mi\"",
            "15: links.sales.secondaries: names the replica \"mi\", which there is not; known are: onprem, onprem2",
            "16: services.main.listen: is missing; write for example listen = \"0.0.0.0:1433\"",
            "16: services.main.link: is missing; write for example link = \"sales\"",
        ],
    );
}

#[test]
fn an_empty_file_lacks_its_three_sections() {
    check_text(
        "",
        &[
            "1: replicas: is missing; write at least one section [replicas.NAME]",
            "1: links: is missing; write at least one section [links.NAME]",
            "1: services: is missing; write at least one section [services.NAME]",
        ],
    );
}

#[test]
fn text_that_is_no_toml_is_reported_without_guesses_about_what_is_missing() {
    let text = SMALLEST.replace("primary = \"onprem\"", "primary = onprem");
    let errors = parse(&text).unwrap_err();
    let got: Vec<_> = errors.errors().iter().map(|error| (error.line, error.key.as_str())).collect();
    assert_eq!(got, [(Some(10), "")]);
}

#[test]
fn a_key_written_twice_is_reported() {
    let text = SMALLEST.replace("link = \"sales\"", "link = \"sales\"\nlink = \"sales\"");
    let errors = parse(&text).unwrap_err();
    assert_eq!(errors.errors().iter().map(|error| error.line).collect::<Vec<_>>(), [Some(16)], "{errors}");
}

#[test]
fn a_section_that_is_a_value_is_reported() {
    check(
        "[replicas.onprem]",
        "limits = 5\n[replicas.onprem]",
        &["2: limits: is an integer; write a section: [limits]"],
    );
}

#[test]
fn a_replica_with_two_roles_is_refused() {
    check(
        "[\"mi\"]",
        "[\"mi\", \"onprem\", \"mi\"]",
        &[
            "11: links.sales.secondaries: names onprem, which is the primary of the same link; give each replica one role",
            "11: links.sales.secondaries: names mi twice; name each secondary once",
        ],
    );
}

#[test]
fn a_database_in_two_links_is_refused_whatever_its_case() {
    check(
        "[services.main]",
        "[links.two]\ndatabases = [\n\"X\",\n\"SALESDB\"]\nprimary = \"mi\"\n[services.main]",
        &[
            "16: links.two.databases: names SALESDB, which link sales has already (line 9); put each database into one link",
        ],
    );
}

#[test]
fn system_and_nameless_databases_are_in_no_link() {
    check(
        "[\"SalesDB\"]",
        "[\"TempDB\", \"\"]",
        &[
            "9: links.sales.databases: names TempDB, which is in every instance and moves with none; name user databases only",
            "9: links.sales.databases: holds a name that is empty or too long; write 1 to 128 characters",
        ],
    );
    check(
        "[\"SalesDB\"]",
        "[]",
        &["9: links.sales.databases: names no database; write for example databases = [\"SalesDB\"]"],
    );
}

#[test]
fn two_listeners_on_one_address_are_refused() {
    let second = |listen: &str| format!("[services.b]\nlisten = \"{listen}\"\nlink = \"sales\"\nencryption = \"off\"");
    let refused = |listen: &str| {
        let want = format!(
            "14: services.b.listen: is {listen}, which admin.address takes already (line 3); give each \
                            listener an address of its own"
        );
        let text = SMALLEST.replace("[services.main]\n", &format!("{}\n[services.main]\n", second(listen)));
        check_text(
            &text
                .replacen('\n', "\n[admin]\naddress = \"127.0.0.1:9000\"\n", 1)
                .replace("\n\n[links", "\n[links")
                .replace("\n\n[services.b", "\n[services.b"),
            &[&want],
        );
    };
    refused("127.0.0.1:9000");
    refused("0.0.0.0:9000");
    refused("[::]:9000");
    for accepted in ["127.0.0.2:1433", "127.0.0.1:1434", "[::1]:1433"] {
        parse(&format!("{SMALLEST}{}", second(accepted))).unwrap();
    }
    let any_port = SMALLEST.replace("127.0.0.1:1433", "127.0.0.1:0");
    parse(&format!("{any_port}{}", second("127.0.0.1:0"))).unwrap();
}

#[test]
fn a_service_needs_an_ip_address_and_a_known_link() {
    check(
        "\"127.0.0.1:1433\"\nlink = \"sales\"",
        "\"localhost:1433\"\nlink = \"sale\"",
        &[
            "14: services.main.listen: is \"localhost:1433\", which is not an IP address and a port; write for example listen = \
         \"0.0.0.0:1433\"",
            "15: services.main.link: names the link \"sale\", which there is not; did you mean `sales`?",
        ],
    );
}

#[test]
fn a_name_that_cannot_be_a_label_is_refused() {
    check(
        "[services.main]",
        "[services.\"main service\"]",
        &["13: services.main service: is no name for a section; use 1 to 64 letters, digits, `_`, `-` and `.`"],
    );
}

#[test]
fn keys_without_effect_are_refused() {
    check(
        "\"sql01:1433\"",
        "\"sql01:1433\"\nencryption = \"off\"\ntrust = \"trust\"\nhost_name = \"a\"",
        &[
            "5: replicas.onprem.trust: has no effect while encryption is \"off\"; remove it, or encrypt the connection",
            "6: replicas.onprem.host_name: has no effect while encryption is \"off\"; remove it, or encrypt the connection",
        ],
    );
}

#[test]
fn strict_encryption_does_not_trust_blindly() {
    check(
        "\"sql01:1433\"",
        "\"sql01:1433\"\nencryption = \"strict\"\ntrust = \"trust\"",
        &[
            "5: replicas.onprem.trust: is \"trust\", but TDS 8.0 always verifies the certificate; write trust = \"verify\", with \
         ca_file if the CA is your own",
        ],
    );
}

#[test]
fn a_host_name_must_be_one() {
    check(
        "\"sql01:1433\"",
        "\"sql01:1433\"\nhost_name = \"sql01:1433\"",
        &[
            "4: replicas.onprem.host_name: is \"sql01:1433\", which no certificate can carry; write a DNS name or an IP address, \
         without a port",
        ],
    );
}

#[test]
fn a_log_level_must_be_a_filter() {
    let errors = parse(&format!("[log]\nlevel = \"loud=shout\"\n{SMALLEST}")).unwrap_err();
    let error = &errors.errors()[0];
    assert_eq!((error.line, error.key.as_str(), errors.errors().len()), (Some(2), "log.level", 1));
}

#[test]
fn zero_turns_a_timeout_off_only_where_that_is_said() {
    let config = parse(&format!("[timeouts]\nidle_ms = 0\nkeepalive_ms = 0\nstall_ms = 1500\n{SMALLEST}")).unwrap();
    assert_eq!(config.timeouts.idle, None);
    assert_eq!(config.timeouts.keepalive, None);
    assert_eq!(config.timeouts.stall, Some(Duration::from_millis(1500)));
    let errors = parse(&format!("[timeouts]\nlogin_ms = 0\n{SMALLEST}")).unwrap_err();
    assert_eq!(errors.errors().len(), 1);
}

#[test]
fn the_links_make_a_topology_that_is_accepted() {
    use link_control::topology::{Source, StaticSource, store};
    let config = parse(SMALLEST).unwrap();
    let (_writer, reader) = store(StaticSource::new(config.links).first(std::time::Instant::now())).unwrap();
    assert!(reader.snapshot().link_of("salesdb").is_some());
}

#[test]
fn the_summary_names_what_is_open() {
    let config = parse(&SMALLEST.replace("\"sql01:1433\"", "\"sql01:1433\"\ntrust = \"trust\"")).unwrap();
    let summary = config.to_string();
    for want in ["nothing is encrypted", "anybody could answer", "primary onprem, secondaries mi", "no admin interface"]
    {
        assert!(summary.contains(want), "{want:?} is not in:\n{summary}");
    }
}
