//! What a topology promises: checked pictures, growing epochs, and lookups that ignore case.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use proptest::prelude::*;

use super::*;

fn link(name: &str, databases: &[&str], primary: &str, secondaries: &[&str]) -> LinkView {
    LinkView {
        name: name.into(),
        databases: databases.iter().map(|&database| database.to_owned()).collect(),
        phase: Phase::Serving,
        primary: Some(primary.into()),
        secondaries: secondaries.iter().map(|&replica| replica.into()).collect(),
        position: None,
        lag: None,
        updated: Instant::now(),
    }
}

#[track_caller]
fn check_refused(links: Vec<LinkView>, want: &str) {
    let (mut writer, reader) = store(vec![link("start", &["Start"], "a", &[])]).unwrap();
    let error = writer.publish(links).unwrap_err();
    assert_eq!(error.to_string(), want);
    assert_eq!(reader.snapshot().epoch(), Epoch::FIRST, "a refused picture must leave the current one");
    assert!(reader.snapshot().link_of("start").is_some(), "a refused picture must leave the current one");
}

#[test]
fn a_replica_with_both_roles_is_refused() {
    check_refused(vec![link("l", &["D"], "a", &["b", "a"])], "replica a is primary and secondary of link l");
}

#[test]
fn a_database_in_two_links_is_refused_whatever_its_case() {
    let links = vec![link("one", &["Sales"], "a", &[]), link("two", &["SALES"], "b", &[])];
    check_refused(links, "database SALES is in link one and in link two");
}

#[test]
fn a_database_listed_twice_is_refused() {
    check_refused(vec![link("l", &["D", "d"], "a", &[])], "database d is in link l and in link l");
}

#[test]
fn a_link_that_appears_twice_is_refused() {
    check_refused(vec![link("l", &["D"], "a", &[]), link("l", &["E"], "b", &[])], "link l appears twice");
}

#[test]
fn a_secondary_listed_twice_is_refused() {
    check_refused(vec![link("l", &["D"], "a", &["b", "b"])], "replica b is twice a secondary of link l");
}

#[test]
fn a_link_that_serves_must_have_a_primary() {
    let links = vec![LinkView { primary: None, ..link("l", &["D"], "a", &[]) }];
    check_refused(links, "link l is serving without a primary");
}

#[test]
fn an_unknown_role_is_never_shown_as_a_primary() {
    let links = vec![LinkView { phase: Phase::Unknown, ..link("l", &["D"], "a", &[]) }];
    check_refused(links, "link l names a primary although its roles are unknown");
}

#[test]
fn a_database_is_found_whatever_the_case_of_its_name() {
    let (_writer, reader) =
        store(vec![link("hr", &["HrDB"], "a", &[]), link("sales", &["Bestellungen_ÄÖ", "SalesDB"], "b", &["a"])])
            .unwrap();
    let picture = reader.snapshot();
    let name_of = |database: &str| picture.link_of(database).map(|link| link.name.as_str());
    assert_eq!(name_of("salesdb"), Some("sales"));
    assert_eq!(name_of("SALESDB"), Some("sales"));
    assert_eq!(name_of("bestellungen_äö"), Some("sales"));
    assert_eq!(name_of("hrdb"), Some("hr"));
    assert_eq!(name_of("hrdb "), None);
    assert_eq!(name_of("master"), None);
    assert_eq!(name_of(""), None);
}

#[test]
fn a_snapshot_stays_as_it_was_when_a_new_picture_comes() {
    let (mut writer, reader) = store(vec![link("l", &["D"], "a", &["b"])]).unwrap();
    let before = reader.snapshot();
    let epoch = writer.publish(vec![link("l", &["D"], "b", &["a"])]).unwrap();
    assert_eq!(epoch.value(), before.epoch().value() + 1);
    let primary = |picture: &Topology| picture.link(&"l".into()).and_then(|link| link.primary.clone());
    assert_eq!(primary(&before), Some("a".into()));
    assert_eq!(primary(&reader.snapshot()), Some("b".into()));
}

#[test]
fn the_static_source_says_what_the_operator_wrote() {
    let source = StaticSource::new(vec![StaticLink {
        name: "l".into(),
        databases: vec!["D".to_owned()],
        primary: "a".into(),
        secondaries: vec!["b".into()],
    }]);
    let now = Instant::now();
    assert_eq!(source.first(now), vec![LinkView { updated: now, ..link("l", &["D"], "a", &["b"]) }]);
}

#[test]
fn readers_on_other_threads_see_epochs_only_grow() {
    let (mut writer, reader) = store(vec![link("l", &["D"], "a", &["b"])]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = || {
            let reader = reader.clone();
            let mut last = reader.snapshot().epoch();
            while !done.load(Ordering::Relaxed) {
                let seen = reader.snapshot().epoch();
                assert!(seen >= last, "the epoch fell from {last} to {seen}");
                last = seen;
            }
        };
        let watchers = [scope.spawn(watch), scope.spawn(watch)];
        for _ in 0..10_000 {
            writer.publish(vec![link("l", &["D"], "b", &["a"])]).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for watcher in watchers {
            watcher.join().unwrap();
        }
    });
    assert_eq!(reader.snapshot().epoch().value(), 10_001);
}

/// Pictures as a confused source might publish them: few names, so that contradictions are frequent.
fn any_picture() -> impl Strategy<Value = Vec<LinkView>> {
    let replica = || prop::sample::select(vec!["a", "b", "c"]);
    let database = prop::sample::select(vec!["D", "d", "E", "F", "ß"]);
    let phase = prop::sample::select(vec![0_u8, 1, 2]);
    let view = (
        prop::sample::select(vec!["one", "two", "three"]),
        prop::collection::vec(database, 0..3),
        phase,
        prop::option::of(replica()),
        prop::collection::vec(replica(), 0..3),
    );
    prop::collection::vec(view, 0..3).prop_map(|views| {
        let now = Instant::now();
        let build = |(name, databases, phase, primary, secondaries): (&str, Vec<&str>, u8, Option<&str>, Vec<&str>)| {
            let phase = match phase {
                0 => Phase::Serving,
                1 => Phase::Holding { since: now, deadline: now, what: "test".into() },
                _ => Phase::Unknown,
            };
            LinkView { phase, primary: primary.map(Into::into), ..link(name, &databases, "a", &secondaries) }
        };
        views.into_iter().map(build).collect()
    })
}

proptest! {
    #[test]
    fn no_sequence_of_publishes_lowers_the_epoch_or_shows_two_primaries(
        pictures in prop::collection::vec(any_picture(), 1..20)
    ) {
        let (mut writer, reader) = store(Vec::new()).unwrap();
        for picture in pictures {
            let before = reader.snapshot();
            let published = writer.publish(picture.clone());
            let after = reader.snapshot();
            match published {
                Ok(epoch) => {
                    prop_assert!(epoch > before.epoch());
                    prop_assert_eq!(after.epoch(), epoch);
                    prop_assert_eq!(after.links().len(), picture.len());
                }
                Err(_) => prop_assert_eq!(&after, &before),
            }
            for database in ["D", "d", "E", "F", "ß"] {
                let claims = |link: &&LinkView| link.databases.iter().any(|name| fold(name) == fold(database));
                let owners: Vec<_> = after.links().iter().filter(claims).collect();
                prop_assert!(owners.len() <= 1, "{} has {} links, so it could have two primaries", database, owners.len());
                prop_assert_eq!(after.link_of(database), owners.first().copied());
            }
            for link in after.links() {
                prop_assert!(!link.primary.as_ref().is_some_and(|primary| link.secondaries.contains(primary)));
                prop_assert!(link.phase != Phase::Unknown || link.primary.is_none());
            }
        }
    }
}
