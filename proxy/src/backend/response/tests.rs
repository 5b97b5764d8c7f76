//! Login responses and what is left of them for the client.

use bytes::Bytes;
use tds::login7::{Feature, FeatureId, Password};
use tds::token::env_change::Route;
use tds::token::{Done, DoneKind, DoneStatus, LoginAck};

use super::*;

/// A response in the making.
#[derive(Default)]
struct Response(BytesMut);

impl Response {
    fn change(mut self, change: EnvChange) -> Self {
        change.encode(&mut self.0);
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.put_slice(bytes);
        self
    }

    fn features(mut self, ids: &[FeatureId]) -> Self {
        FeatureExtAck(ids.iter().map(|id| named(*id)).collect()).encode(&mut self.0);
        self
    }

    fn ack(mut self) -> Self {
        let program = "Microsoft SQL Server".to_owned();
        LoginAck { interface: 1, tds_version: 0x7400_0004, program, version: [16, 0, 0x10, 0x27] }.encode(&mut self.0);
        self
    }

    fn error(mut self, number: i32) -> Self {
        Message::error(number, 1, 14, "no", "onprem").encode(&mut self.0);
        self
    }

    fn done(mut self) -> Self {
        Done { kind: DoneKind::Done, status: DoneStatus::default(), command: 0, rows: 0 }.encode(&mut self.0);
        self
    }
}

fn named(id: FeatureId) -> Feature {
    Feature { id, data: Bytes::from_static(&[1]) }
}

/// Reads `response` for a client that asked for UTF8_SUPPORT and COLUMNENCRYPTION.
fn understood(response: &Response, shown: Option<TdsVersion>) -> Result<LoginResponse, DecodeError> {
    let mut asked = Login7::new("app", Password::from("secret"));
    asked.features = Some(vec![named(FeatureId::Utf8Support), named(FeatureId::ColumnEncryption)]);
    read(&response.0, &ForClient { tds_version: shown, sent: &asked, asked: &asked, owed: None })
}

#[track_caller]
fn check(response: Response, verdict: Verdict, answer: Response) {
    let got = understood(&response, None).unwrap();
    assert_eq!(got.verdict, verdict);
    assert_eq!(got.answer, answer.0);
}

fn accepted(packet_bytes: Option<usize>, column_encryption: bool) -> Verdict {
    Verdict::Accepted { packet_bytes, agreed: Agreed { column_encryption, ..Agreed::default() } }
}

#[test]
fn what_every_driver_knows_passes_as_it_is() {
    let response = || {
        Response::default()
            .change(EnvChange::Database("SalesDB".to_owned(), "master".to_owned()))
            .change(EnvChange::PacketSize(8000, 4096))
            .ack()
            .features(&[FeatureId::Utf8Support])
            .done()
    };
    check(response(), accepted(Some(8000), false), response());
}

#[test]
fn what_leads_around_the_proxy_or_is_unknown_stays_here() {
    let response = Response::default()
        .change(EnvChange::MirroringPartner("partner".to_owned(), String::new()))
        .raw(&[0xE3, 3, 0, 99, 0, 0])
        .ack()
        .done();
    check(response, accepted(None, false), Response::default().ack().done());
}

#[test]
fn a_route_is_for_us() {
    let route = EnvChange::Routing(Route { server: "mi-1".to_owned(), port: 11_000, database: None });
    let verdict = Verdict::SentOn { host: "mi-1".to_owned(), port: 11_000 };
    check(Response::default().ack().change(route).done(), verdict, Response::default().ack().done());
}

#[test]
fn only_what_the_client_asked_for_is_acknowledged() {
    let granted = [FeatureId::Utf8Support, FeatureId::ColumnEncryption, FeatureId::SessionRecovery];
    let kept = Response::default().ack().features(&granted[..2]).done();
    check(Response::default().ack().features(&granted).done(), accepted(None, true), kept);
    let nothing = Response::default().ack().done();
    check(Response::default().ack().features(&granted[2..]).done(), accepted(None, false), nothing);
}

#[test]
fn a_refusal_is_the_replicas_own() {
    let response = || Response::default().error(18456).error(4060).done();
    check(response(), Verdict::Rejected { number: 18456 }, response());
}

#[test]
fn the_version_shown_is_the_client_legs() {
    let got = understood(&Response::default().ack().done(), Some(TdsVersion::V8_0)).unwrap();
    let LoginToken { body, .. } = LoginTokens::new(&got.answer).next().unwrap().unwrap();
    assert_eq!(LoginAck::decode(&mut Reader::new(body)).unwrap().tds_version, 0x0800_0000);
}

#[test]
fn a_response_that_is_cut_or_impossible_is_an_error() {
    let whole = Response::default().change(EnvChange::PacketSize(8000, 4096)).ack().done();
    for length in 0..whole.0.len() {
        let mut cut = Response::default();
        cut.0.put_slice(&whole.0[..length]);
        assert!(understood(&cut, None).is_err(), "cut at {length}");
    }
    for packet_bytes in [0, 511, 32_768, u32::MAX] {
        let response = Response::default().change(EnvChange::PacketSize(packet_bytes, 4096)).ack().done();
        assert!(understood(&response, None).is_err(), "packet size {packet_bytes}");
    }
    assert!(understood(&Response::default().raw(&[0xD1]).done(), None).is_err(), "a row in a login response");
}

/// What is left of `response`, the proxy's own login, for a client that is owed what `proof` said.
#[track_caller]
fn check_owed(asked: &[FeatureId], proof: Response, response: Response, answer: Response) {
    let mut client = Login7::new("", Password::default());
    client.features = Some(asked.iter().map(|id| named(*id)).collect());
    let proof = read(&proof.0, &ForClient { tds_version: None, sent: &client, asked: &client, owed: None }).unwrap();
    let mut own = Login7::new("svc", Password::default());
    own.features = Some(vec![named(FeatureId::FederatedAuthentication), named(FeatureId::Utf8Support)]);
    let client = ForClient { tds_version: None, sent: &own, asked: &client, owed: Some(&proof.owed) };
    assert_eq!(read(&response.0, &client).unwrap().answer, answer.0);
}

#[test]
fn a_client_hears_the_end_of_its_own_login_and_nothing_of_the_proxys() {
    let sspi = [0xED, 2, 0, 7, 8];
    let entra = FeatureId::FederatedAuthentication;
    let plain = || Response::default().ack().done();
    let federated = || Response::default().ack().features(&[entra]).done();
    check_owed(
        &[],
        Response::default().raw(&sspi).ack().done(),
        federated(),
        Response::default().raw(&sspi).ack().done(),
    );
    check_owed(&[entra], federated(), plain(), federated());
    check_owed(&[entra], federated(), federated(), federated());
    check_owed(&[], plain(), federated(), plain());
    let refused = || Response::default().error(18456).done();
    check_owed(&[entra], federated(), refused(), refused());
}

#[test]
fn nothing_is_acknowledged_that_was_narrowed_out_of_the_request() {
    let mut asked = Login7::new("app", Password::default());
    asked.features = Some(vec![named(FeatureId::Utf8Support), named(FeatureId::Json)]);
    let sent = Login7 { features: Some(vec![named(FeatureId::Utf8Support)]), ..asked.clone() };
    let response = Response::default().ack().features(&[FeatureId::Json, FeatureId::Utf8Support]).done();
    let client = ForClient { tds_version: None, sent: &sent, asked: &asked, owed: None };
    let want = Response::default().ack().features(&[FeatureId::Utf8Support]).done();
    assert_eq!(read(&response.0, &client).unwrap().answer, want.0);
}
