//! What is learned from logins, what is promised then, and what differs.

use std::time::Instant;

use link_control::topology::{Phase, TopologyReader, store};
use tds::login7::FeatureId;
use tds::types::Collation;

use super::*;

const LATIN: Collation = Collation::SQL_LATIN1_GENERAL_CP1_CI_AS;
const POLISH: Collation = Collation([0x15, 0x04, 0xD0, 0x00, 0x00]);

fn topology() -> TopologyReader {
    let link = LinkView {
        name: "sales".into(),
        databases: vec!["SalesDB".to_owned()],
        phase: Phase::Serving,
        primary: Some("onprem".into()),
        secondaries: vec!["mi".into()],
        position: None,
        lag: None,
        updated: Instant::now(),
    };
    store(vec![link]).unwrap().1
}

/// A replica of version 16 let somebody in.
struct Seen {
    replica: &'static str,
    heard: Heard,
    asked: Versions,
    major: u8,
    probe: bool,
}

fn seen(replica: &'static str) -> Seen {
    let heard = Heard { database: "SalesDB".to_owned(), language: "us_english".to_owned(), ..Heard::default() };
    Seen { replica, heard, asked: Versions::new(), major: 16, probe: true }
}

impl Seen {
    fn promised(mut self, id: FeatureId, asked: u8, granted: Option<u8>) -> Self {
        self.asked.push((id, asked));
        self.heard.promises.extend(granted.map(|granted| (id, granted)));
        self
    }

    fn collation(mut self, database: &str, collation: Collation) -> Self {
        self.heard.database = database.to_owned();
        self.heard.collation = Some(collation);
        self
    }
}

fn learned(logins: &[Seen]) -> (Learned, TopologyReader) {
    let (learned, topology) = (Learned::default(), topology());
    for Seen { replica, heard, asked, major, probe } in logins {
        let version = Version { major: *major, ..Version::default() };
        let lesson = Lesson { version, heard, asked, probe: *probe };
        learned.login(&(*replica).into(), &lesson, &topology.snapshot());
    }
    (learned, topology)
}

#[track_caller]
fn check_narrowed(logins: &[Seen], want: &[(FeatureId, u8)]) {
    let (learned, topology) = learned(logins);
    assert_eq!(learned.narrowed(&topology.snapshot().links()[0]).0, want);
}

#[test]
fn what_is_not_known_narrows_nothing() {
    check_narrowed(&[], &[]);
    check_narrowed(&[seen("onprem").promised(FeatureId::Json, 1, Some(1))], &[]);
}

#[test]
fn a_promise_goes_as_far_as_the_replica_that_goes_least_far() {
    let encryption = FeatureId::ColumnEncryption;
    let logins = || [seen("onprem").promised(encryption, 3, Some(3)), seen("mi").promised(encryption, 3, Some(1))];
    check_narrowed(&logins(), &[(encryption, 1)]);
    check_narrowed(&[seen("mi").promised(FeatureId::Json, 1, None)], &[(FeatureId::Json, 0)]);
    check_narrowed(&[seen("elsewhere").promised(FeatureId::Json, 1, None)], &[]);
}

#[test]
fn a_replica_that_was_asked_for_less_is_not_taken_to_go_no_further() {
    let encryption = FeatureId::ColumnEncryption;
    check_narrowed(&[seen("mi").promised(encryption, 1, Some(1))], &[]);
    let first = || seen("mi").promised(encryption, 3, Some(2));
    check_narrowed(&[first(), seen("mi").promised(encryption, 1, Some(1))], &[(encryption, 2)]);
    check_narrowed(&[first(), seen("mi").promised(encryption, 3, Some(3))], &[]);
}

#[test]
fn another_version_of_a_replica_promises_anew() {
    let refused = || seen("mi").promised(FeatureId::Json, 1, None);
    check_narrowed(&[refused(), Seen { major: 17, ..seen("mi") }], &[]);
}

#[track_caller]
fn check_differences(logins: &[Seen], want: &[(&str, &str)]) {
    let (learned, _) = learned(logins);
    let got = learned.view().differences;
    let got: Vec<_> =
        got.iter().map(|difference| (difference.what, difference.text.split(';').next().unwrap())).collect();
    assert_eq!(got, want);
}

#[test]
fn replicas_that_are_alike_or_unknown_do_not_differ() {
    check_differences(&[seen("onprem").collation("SalesDB", LATIN)], &[]);
    let alike = |name| seen(name).collation("SalesDB", LATIN).promised(FeatureId::Json, 1, Some(1));
    check_differences(&[alike("onprem"), alike("mi")], &[]);
    // A session of another language, or in a database that is in no link, says nothing of the replicas.
    let mut german = Seen { probe: false, ..seen("mi").collation("Private", POLISH) };
    german.heard.language = "Deutsch".to_owned();
    check_differences(&[seen("onprem").collation("Private", LATIN), german], &[]);
}

#[test]
fn every_difference_is_said_with_who_has_what() {
    check_differences(
        &[seen("onprem"), Seen { major: 17, ..seen("mi") }],
        &[("version", "the major version is 16 on onprem, 17 on mi")],
    );
    let collations = "the default collation of salesdb is 0904D00034 (locale 0x0409, sort order 52) on onprem, \
                      1504D00000 (locale 0x0415, sort order 0) on mi";
    check_differences(
        &[seen("onprem").collation("SalesDB", LATIN), seen("mi").collation("salesdb", POLISH)],
        &[("collation", collations)],
    );
    let mut german = seen("mi");
    german.heard.language = "Deutsch".to_owned();
    check_differences(
        &[seen("onprem"), german],
        &[("language", "the language of the probes' login is us_english on onprem, Deutsch on mi")],
    );
    check_differences(
        &[seen("onprem").promised(FeatureId::Json, 1, Some(1)), seen("mi").promised(FeatureId::Json, 1, None)],
        &[("features", "Json goes to version 1 on onprem, 0 on mi")],
    );
}

#[test]
fn a_difference_ends_when_the_replicas_are_alike_again() {
    let newer = |name| Seen { major: 17, ..seen(name) };
    check_differences(&[seen("onprem"), newer("mi"), newer("onprem")], &[]);
}
