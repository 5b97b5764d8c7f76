//! `[[rules]]`: mistakes and what is said about them.

use super::*;

/// Puts a rule with these lines in front of the smallest configuration and compares every complaint.
#[track_caller]
fn check(lines: &str, want: &[&str]) {
    check_text(&format!("[[rules]]\n{lines}\n{SMALLEST}"), want);
}

#[test]
fn a_rule_is_read_as_it_is_written() {
    let text = "[[rules]]\nname = \"a\"\naction = \"reject\"\nservices = [\"main\"]\nnetworks = [\"10.0.0.0/8\"]\n";
    let config = parse(&format!("{text}{SMALLEST}")).unwrap();
    let rule = &config.rules[0];
    assert_eq!((&*rule.name, &*rule.services[0], rule.networks[0].to_string()), ("a", "main", "10.0.0.0/8".to_owned()));
    assert_eq!(rule.action, Action::Reject { message: "it is not wanted here".to_owned() });
}

#[test]
fn a_rule_needs_a_name_an_action_and_a_condition() {
    check(
        "",
        &[
            "1: rules.name: is missing; write for example name = \"management-tools\"",
            "1: rules: has no condition; write one of services, logins, applications, hosts, databases, networks; logins = \
             [\"*\"] is everybody",
            "1: rules.action: is missing; write for example action = \"primary\"",
        ],
    );
}

#[test]
fn an_empty_list_is_no_condition() {
    check(
        "name = \"a\"\naction = \"primary\"\nlogins = []",
        &["4: rules.logins: is an empty list; write for example logins = [\"report_*\"], or leave the key out"],
    );
}

#[test]
fn what_no_session_could_meet_is_refused() {
    check(
        "name = \"a b\"\naction = \"primry\"\nservices = [\"mai\"]\nnetworks = [\"10.1.2.3/8\"]\nhosts = [\"\"]",
        &[
            "2: rules.name: is \"a b\", which is no name for a rule; use 1 to 64 letters, digits, `_`, `-` and `.`",
            "3: rules.action: is \"primry\", which is no choice; did you mean `primary`?",
            "4: rules.services: names the service \"mai\", which there is not; did you mean `main`?",
            "5: rules.networks: holds \"10.1.2.3/8\", which has bits set behind its prefix; write for example networks = \
             [\"10.1.0.0/16\"]",
            "6: rules.hosts: holds \"\", which is an empty pattern; write for example hosts = [\"build-*\"]",
        ],
    );
}

#[test]
fn a_message_is_for_a_rejection_and_short() {
    check(
        "name = \"a\"\nlogins = [\"x\"]\naction = \"primary\"\nmessage = \"go away\"",
        &["5: rules.message: has no effect unless action is \"reject\"; remove it"],
    );
    let long = "x".repeat(501);
    check(
        &format!("name = \"a\"\nlogins = [\"x\"]\naction = \"reject\"\nmessage = \"{long}\""),
        &["5: rules.message: is longer than drivers show; write 500 characters at most"],
    );
}

#[test]
fn two_rules_of_one_name_are_refused() {
    let rule = "name = \"a\"\nlogins = [\"x\"]\naction = \"primary\"";
    check(
        &format!("{rule}\n[[rules]]\n{rule}"),
        &["6: rules.name: is a, as another rule is called already (line 2); give each rule a name of its own"],
    );
}

#[test]
fn rules_are_a_list_of_sections() {
    check_text(
        &format!("rules = 1\n{SMALLEST}"),
        &["1: rules: is an integer; write each as a section of its own: [[rules]]"],
    );
}
