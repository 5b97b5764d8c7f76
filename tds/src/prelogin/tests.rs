//! PRELOGIN messages of real drivers, and both sides of the encryption agreement.

use super::*;
use proptest::prelude::*;

/// [MS-TDS] 4.1, without its packet header.
const SPECIFICATION_CLIENT: &str = "00 001A 0006 01 0020 0001 02 0021 0001 03 0022 0004 04 0026 0001 FF \
                                    090000000000 01 00 B80D0000 01";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[track_caller]
fn check_refused(hex: &str, want: &str) {
    let error = Prelogin::decode(&bytes(hex)).unwrap_err().to_string();
    assert!(error.contains(want), "{error}");
}

#[test]
fn the_specification_s_message_is_read_and_written_back_byte_for_byte() {
    let body = bytes(SPECIFICATION_CLIENT);
    let prelogin = Prelogin::decode(&body).unwrap();
    let want = Prelogin {
        version: Version { major: 9, minor: 0, build: 0, sub_build: 0 },
        encryption: Some(Encryption::On),
        instance: Some(Bytes::from_static(&[0])),
        thread_id: Some(Bytes::from_static(&[0xB8, 0x0D, 0, 0])),
        mars: Some(true),
        ..Prelogin::default()
    };
    assert_eq!(prelogin, want);
    assert_eq!(prelogin.encode(), body);
}

#[test]
fn the_answer_holds_the_options_the_client_sent_and_no_other() {
    let version = Version { major: 16, minor: 0, build: 4135, sub_build: 0 };
    let bare = Prelogin { encryption: Some(Encryption::On), ..Prelogin::default() };
    let want = bytes("00 000B 0006 01 0011 0001 FF 100010270000 01");
    assert_eq!(bare.answer(version, Encryption::On).encode(), want);
    let full = Prelogin {
        instance: Some(Bytes::from_static(b"MSSQLServer\0")),
        thread_id: Some(Bytes::from_static(&[1, 2, 3, 4])),
        mars: Some(true),
        trace_id: Some(TraceId { connection_id: [1; 16], activity_id: [2; 16], activity_sequence: 3 }),
        fed_auth_required: Some(true),
        nonce: Some([7; 32]),
        ..bare
    };
    let want = Prelogin {
        version,
        encryption: Some(Encryption::Required),
        instance: Some(Bytes::from_static(&[0])),
        thread_id: Some(Bytes::new()),
        mars: Some(false),
        fed_auth_required: Some(false),
        ..Prelogin::default()
    };
    assert_eq!(full.answer(version, Encryption::Required), want);
}

#[test]
fn a_client_certificate_is_told_apart_from_the_level() {
    let prelogin = Prelogin::decode(&bytes("00 000B 0006 01 0011 0001 FF 000000000000 83")).unwrap();
    assert_eq!((prelogin.encryption, prelogin.client_certificate), (Some(Encryption::Required), true));
}

#[test]
fn broken_lists_are_refused() {
    check_refused("", "PRELOGIN option needs 1 bytes");
    check_refused("FF", "the first PRELOGIN option is not VERSION");
    check_refused("01 0006 0001 FF 00", "the first PRELOGIN option is not VERSION");
    check_refused("00 0006 0006 000000000000", "PRELOGIN");
    check_refused("00 0006 0006 FF 0000000000", "PRELOGIN data needs 6 bytes");
    check_refused("00 FFFF 0006 FF 000000000000", "PRELOGIN data needs 65535 bytes");
    check_refused("00 0006 0005 FF 000000000000", "PRELOGIN VERSION needs 6 bytes");
    check_refused("00 000B 0006 00 000B 0006 FF 000000000000", "twice");
    check_refused("00 000B 0006 01 0011 0001 FF 000000000000 05", "PRELOGIN ENCRYPTION has the value 5");
    assert!(Prelogin::decode(&vec![0; PRELOGIN_BYTES_MAX + 1]).unwrap_err().to_string().contains("limit of 4088"));
}

#[test]
fn a_library_we_did_not_write_reads_what_we_answer() {
    let client = Prelogin { mars: Some(true), ..Prelogin::default() };
    let version = Version { major: 16, minor: 0, build: 4135, sub_build: 0 };
    for (ours, theirs) in [
        (Encryption::Off, tds_protocol::prelogin::EncryptionLevel::Off),
        (Encryption::On, tds_protocol::prelogin::EncryptionLevel::On),
        (Encryption::NotSupported, tds_protocol::prelogin::EncryptionLevel::NotSupported),
        (Encryption::Required, tds_protocol::prelogin::EncryptionLevel::Required),
    ] {
        let read = tds_protocol::PreLogin::decode(client.answer(version, ours).encode()).unwrap();
        assert_eq!((read.encryption, read.mars), (theirs, false));
        assert_eq!(read.server_version.unwrap().to_string(), "16.0.4135.0");
    }
}

#[test]
fn what_a_library_we_did_not_write_sends_is_read() {
    let theirs = tds_protocol::PreLogin {
        version: tds_protocol::version::TdsVersion::V7_4,
        encryption: tds_protocol::prelogin::EncryptionLevel::Required,
        instance: Some("SALES".to_owned()),
        thread_id: Some(0x0102_0304),
        mars: true,
        fed_auth_required: true,
        nonce: Some([9; 32]),
        ..tds_protocol::PreLogin::new()
    };
    let want = Prelogin {
        version: Version { major: 0x74, minor: 0, build: 4, sub_build: 0 },
        encryption: Some(Encryption::Required),
        instance: Some(Bytes::from_static(b"SALES\0")),
        thread_id: Some(Bytes::from_static(&[1, 2, 3, 4])),
        mars: Some(true),
        fed_auth_required: Some(true),
        nonce: Some([9; 32]),
        ..Prelogin::default()
    };
    assert_eq!(Prelogin::decode(&theirs.encode()).unwrap(), want);
}

const OFFERS: [Encryption; 4] = [Encryption::Off, Encryption::On, Encryption::NotSupported, Encryption::Required];
const LEVELS: [Protection; 3] = [Protection::Clear, Protection::LoginOnly, Protection::Full];

#[track_caller]
fn check_agreement(offer: Encryption, at_least: Protection, certificate: bool, want: Option<(Encryption, Protection)>) {
    let got = agree(offer, at_least, certificate).ok().map(|agreed| (agreed.reply, agreed.protection));
    assert_eq!(got, want, "{offer:?} against at least {at_least:?}, certificate {certificate}");
}

#[test]
fn a_server_answers_every_offer_as_its_policy_says() {
    use Encryption::{NotSupported, Off, On, Required};
    use Protection::{Clear, Full, LoginOnly};
    for (offer, clear, login_only, full) in [
        (Off, (Off, LoginOnly), (Off, LoginOnly), (Required, Full)),
        (On, (On, Full), (On, Full), (On, Full)),
        (NotSupported, (NotSupported, Clear), (Required, Full), (Required, Full)),
        (Required, (On, Full), (On, Full), (On, Full)),
    ] {
        check_agreement(offer, Clear, true, Some(clear));
        check_agreement(offer, LoginOnly, true, Some(login_only));
        check_agreement(offer, Full, true, Some(full));
    }
}

#[test]
fn a_server_without_a_certificate_never_strips_encryption() {
    for offer in OFFERS {
        let clear = matches!(offer, Encryption::Off | Encryption::NotSupported);
        let want = clear.then_some((Encryption::NotSupported, Protection::Clear));
        check_agreement(offer, Protection::Clear, false, want);
        check_agreement(offer, Protection::LoginOnly, false, None);
        check_agreement(offer, Protection::Full, false, None);
    }
    check_agreement(Encryption::Strict, Protection::Clear, true, None);
}

#[test]
fn a_client_never_ends_up_with_less_than_it_was_told_to() {
    for wish in LEVELS {
        for reply in [OFFERS.as_slice(), &[Encryption::Strict]].concat() {
            assert!(settle(wish, reply).map_or(true, |got| got >= wish), "{wish:?} answered {reply:?}");
        }
    }
    assert_eq!(settle(Protection::Full, Encryption::Off), Err(Refusal::ServerEncryptsLess));
    assert_eq!(settle(Protection::LoginOnly, Encryption::NotSupported), Err(Refusal::ServerEncryptsLess));
    assert_eq!(settle(Protection::Clear, Encryption::Required), Err(Refusal::ServerRequires));
    assert_eq!(settle(Protection::LoginOnly, Encryption::On), Err(Refusal::BadAnswer));
}

#[test]
fn our_two_sides_agree_wherever_the_policies_allow_it() {
    for wish in LEVELS {
        for at_least in LEVELS {
            let agreed = agree(offer(wish), at_least, true).unwrap();
            let refused = wish == Protection::Clear && at_least > Protection::Clear;
            let want = if refused { Err(Refusal::ServerRequires) } else { Ok(agreed.protection) };
            assert_eq!(settle(wish, agreed.reply), want);
            assert!(agreed.protection >= at_least);
        }
    }
}

fn data(max: usize) -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..max).prop_map(Bytes::from)
}

prop_compose! {
    fn preloginer()(
        (major, minor, build, sub_build) in any::<(u8, u8, u16, u16)>(),
        encryption in prop::option::of(prop::sample::select(OFFERS.as_slice())),
        certificate: bool,
        instance in prop::option::of(data(64)),
        thread_id in prop::option::of(data(5)),
        (mars, fed_auth_required, nonce) in any::<(Option<bool>, Option<bool>, Option<[u8; 32]>)>(),
        trace in any::<Option<([u8; 16], [u8; 16], u32)>>(),
        unknown in prop::option::of((8u8..0xFF, data(32))),
    ) -> Prelogin {
        let version = Version { major, minor, build, sub_build };
        let trace_id = trace.map(|(connection_id, activity_id, activity_sequence)| {
            TraceId { connection_id, activity_id, activity_sequence }
        });
        let client_certificate = certificate && encryption.is_some();
        let unknown = unknown.into_iter().collect();
        Prelogin {
            version, encryption, client_certificate, instance, thread_id, mars, trace_id, fed_auth_required, nonce, unknown,
        }
    }
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(prelogin in preloginer()) {
        prop_assert_eq!(Prelogin::decode(&prelogin.encode()).unwrap(), prelogin);
    }

    #[test]
    fn whatever_is_accepted_survives_encoding(body in prop::collection::vec(any::<u8>(), 0..128), flip in any::<(usize, u8)>()) {
        let _ = Prelogin::decode(&body);
        let mut damaged = bytes(SPECIFICATION_CLIENT);
        let place = flip.0 % damaged.len();
        damaged[place] = flip.1;
        if let Ok(prelogin) = Prelogin::decode(&damaged) {
            prop_assert_eq!(Prelogin::decode(&prelogin.encode()).unwrap(), prelogin);
        }
    }
}
