//! Every answer of `route`, one question at a time.

use std::time::Instant;

use link_control::topology::{LinkView, Phase};

use super::*;

/// A session's side of the question, as a short text: `read-only`, `password`, `rule: primary`, nothing.
#[track_caller]
fn check(
    view: &LinkView,
    asked: &str,
    missing: SecondaryMissing,
    unusable: &[&str],
    want: Result<(&str, Reason), NoRoute>,
) {
    let unusable: Vec<ReplicaName> = unusable.iter().map(|name| ReplicaName::from(*name)).collect();
    let ruled = |role: Role| asked.contains(&format!("rule: {}", role.as_str())).then_some(role);
    let question = Question {
        read_only: asked.contains("read-only"),
        ruled: ruled(Role::Primary).or_else(|| ruled(Role::Secondary)),
        changes_password: asked.contains("password"),
        secondary_missing: missing,
        unusable: &unusable,
        turn: 0,
    };
    let got = route(view, question);
    let got = got.as_ref().map(|route| (route.replica.as_str(), route.reason)).map_err(|no_route| *no_route);
    assert_eq!(got, want);
}

fn view(primary: &str, secondaries: &[&str]) -> LinkView {
    LinkView {
        name: "sales".into(),
        databases: vec!["SalesDB".to_owned()],
        phase: Phase::Serving,
        primary: Some(primary.into()),
        secondaries: secondaries.iter().map(|name| ReplicaName::from(*name)).collect(),
        position: None,
        lag: None,
        updated: Instant::now(),
    }
}

const FALL_BACK: SecondaryMissing = SecondaryMissing::Primary;
const REFUSE: SecondaryMissing = SecondaryMissing::Refuse;

#[test]
fn a_session_that_declares_nothing_goes_to_the_primary() {
    check(&view("onprem", &["mi"]), "", FALL_BACK, &[], Ok(("onprem", Reason::NoIntent)));
}

#[test]
fn read_only_intent_goes_to_the_secondary() {
    check(&view("onprem", &["mi"]), "read-only", REFUSE, &[], Ok(("mi", Reason::ReadOnlyIntent)));
}

#[test]
fn a_password_change_goes_to_the_primary_whatever_the_intent() {
    check(&view("onprem", &["mi"]), "read-only password", REFUSE, &[], Ok(("onprem", Reason::PasswordChange)));
}

#[test]
fn without_a_secondary_the_service_decides() {
    check(&view("onprem", &[]), "read-only", FALL_BACK, &[], Ok(("onprem", Reason::SecondaryMissing)));
    check(&view("onprem", &[]), "read-only", REFUSE, &[], Err(NoRoute::Secondary));
}

#[test]
fn a_secondary_that_did_not_work_is_missing() {
    check(&view("onprem", &["mi"]), "read-only", FALL_BACK, &["mi"], Ok(("onprem", Reason::SecondaryMissing)));
    check(&view("onprem", &["mi", "dr"]), "read-only", REFUSE, &["mi"], Ok(("dr", Reason::ReadOnlyIntent)));
    check(&view("onprem", &["mi"]), "read-only", REFUSE, &["mi"], Err(NoRoute::Secondary));
}

#[test]
fn a_primary_that_did_not_work_is_not_replaced_by_a_secondary() {
    check(&view("onprem", &["mi"]), "", FALL_BACK, &["onprem"], Err(NoRoute::Primary));
}

#[test]
fn nobody_is_primary_while_the_link_is_not_serving() {
    let unknown = LinkView { phase: Phase::Unknown, primary: None, ..view("onprem", &["mi"]) };
    check(&unknown, "", FALL_BACK, &[], Err(NoRoute::Primary));
    let now = Instant::now();
    let holding = Phase::Holding { since: now, deadline: now, what: "planned failover".into() };
    let holding = LinkView { phase: holding, ..view("onprem", &["mi"]) };
    check(&holding, "", FALL_BACK, &[], Err(NoRoute::Primary));
    check(&holding, "read-only", FALL_BACK, &[], Ok(("mi", Reason::ReadOnlyIntent)));
}

#[test]
fn sessions_take_turns_over_the_secondaries() {
    let view = view("onprem", &["mi", "dr"]);
    let pick = |turn| {
        let question = Question {
            read_only: true,
            ruled: None,
            changes_password: false,
            secondary_missing: REFUSE,
            unusable: &[],
            turn,
        };
        route(&view, question).map(|route| route.replica.as_str().to_owned())
    };
    assert_eq!(pick(0), Ok("mi".to_owned()));
    assert_eq!(pick(1), Ok("dr".to_owned()));
    assert_eq!(pick(2), Ok("mi".to_owned()));
}

#[test]
fn a_rule_comes_before_the_intent() {
    let view = view("onprem", &["mi"]);
    check(&view, "read-only, rule: primary", FALL_BACK, &[], Ok(("onprem", Reason::Rule)));
    check(&view, "rule: secondary", FALL_BACK, &[], Ok(("mi", Reason::Rule)));
    check(&view, "read-only, rule: secondary", FALL_BACK, &[], Ok(("mi", Reason::Rule)));
}

#[test]
fn a_rule_to_a_secondary_that_is_missing_follows_the_service() {
    check(&view("onprem", &[]), "rule: secondary", FALL_BACK, &[], Ok(("onprem", Reason::SecondaryMissing)));
    check(&view("onprem", &["mi"]), "rule: secondary", REFUSE, &["mi"], Err(NoRoute::Secondary));
}

#[test]
fn no_rule_sends_a_password_change_to_a_secondary() {
    let asked = "password, rule: secondary";
    check(&view("onprem", &["mi"]), asked, FALL_BACK, &[], Ok(("onprem", Reason::PasswordChange)));
}
