//! LOGIN7 messages of real drivers, and what a hostile one may not do.

use super::*;
use proptest::prelude::*;
use tds_protocol::login7 as theirs;

/// [MS-TDS] 4.2 (osql of SQL Server 2005, user `sa`, no password), without its packet header.
const SPECIFICATION: &str = "88000000 02000972 00100000 00000007 00010000 00000000 E0030000 E0010000 09040000 \
    5E000800 6E000200 72000000 72000700 80000000 80000000 80000400 88000000 88000000 00508BE2B78F \
    88000000 88000000 88000000 00000000 \
    73006B006F00730074006F0076003100 73006100 4F00530051004C002D0033003200 4F00440042004300";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The specification's message with `bytes` written at `at`.
fn patched(at: usize, bytes_hex: &str) -> Vec<u8> {
    let mut message = bytes(SPECIFICATION);
    let patch = bytes(bytes_hex);
    message[at..at + patch.len()].copy_from_slice(&patch);
    message
}

#[track_caller]
fn check_refused(message: &[u8], want: &str) {
    let error = Login7::decode(message).unwrap_err().to_string();
    assert!(error.contains(want), "{error}");
}

#[test]
fn the_specification_s_message_is_read() {
    let want = Login7 {
        tds_version: TdsVersion::V7_2,
        packet_bytes: 4096,
        client_version: 0x0700_0000,
        client_process_id: 256,
        option_flags1: OptionFlags1(0xE0),
        option_flags2: OptionFlags2(0x03),
        time_zone_minutes: 480,
        locale_id: 0x409,
        host_name: "skostov1".to_owned(),
        application_name: "OSQL-32".to_owned(),
        library_name: "ODBC".to_owned(),
        client_id: [0x00, 0x50, 0x8B, 0xE2, 0xB7, 0x8F],
        ..Login7::new("sa", Password::default())
    };
    assert_eq!(Login7::decode(&bytes(SPECIFICATION)).unwrap(), want);
    assert_eq!(want.encode().unwrap(), bytes(SPECIFICATION));
}

#[test]
fn offsets_and_lengths_outside_the_message_are_refused() {
    check_refused(&[0x88, 0, 0], "LOGIN7 length needs 4 bytes");
    check_refused(&patched(0, "89000000"), "LOGIN7 message needs 137 bytes");
    check_refused(&patched(0, "00000200"), "limit of 131071");
    check_refused(&patched(0, "5D000000"), "LOGIN7 fixed part needs 94 bytes");
    check_refused(&patched(36, "5D000800"), "LOGIN7 HostName has the value 93");
    check_refused(&patched(36, "81000800"), "LOGIN7 HostName needs 16 bytes");
    check_refused(&patched(40, "FFFF0200"), "LOGIN7 UserName needs 65535 bytes");
    check_refused(&patched(44, "8800FFFF"), "LOGIN7 Password needs 131070 bytes");
    check_refused(&patched(78, "8800FFFF"), "LOGIN7 SSPI needs 65535 bytes");
    check_refused(&patched(27, "10"), "LOGIN7 FeatureExt needs 4456527 bytes");
}

#[test]
fn variable_data_may_come_in_any_order_and_overlap() {
    let shared = patched(40, "5E000800 5E000800");
    let login = Login7::decode(&shared).unwrap();
    assert_eq!((login.host_name.as_str(), login.user_name.as_str()), ("skostov1", "skostov1"));
    let swapped = Login7::decode(&patched(36, "6E000200 5E000800")).unwrap();
    assert_eq!((swapped.host_name.as_str(), swapped.user_name.as_str()), ("sa", "skostov1"));
    let padded = [bytes(SPECIFICATION), vec![0; 40]].concat();
    assert_eq!(Login7::decode(&padded).unwrap(), Login7::decode(&bytes(SPECIFICATION)).unwrap());
}

#[test]
fn a_login_of_tds_7_1_has_a_shorter_fixed_part() {
    let login = Login7 {
        tds_version: TdsVersion::V7_1Revision1,
        host_name: "jtds".to_owned(),
        ..Login7::new("sa", "geheim".into())
    };
    let message = login.encode().unwrap();
    assert_eq!(message[36..38], 86u16.to_le_bytes());
    assert_eq!(Login7::decode(&message).unwrap(), login);
    assert!(!login.tds_version.is_7_2_or_later() && TdsVersion::V8_0.is_7_2_or_later());
}

#[test]
fn nothing_secret_is_shown_by_debug() {
    let login = Login7 {
        new_password: "Even-More-Secret".into(),
        sspi: SspiData(Bytes::from_static(b"Kerberos-Ticket")),
        features: Some(vec![Feature {
            id: FeatureId::FederatedAuthentication,
            data: Bytes::from_static(b"Bearer-Token"),
        }]),
        ..Login7::new("app", "App_User_1".into())
    };
    let shown = format!("{login:?}");
    for secret in ["App_User_1", "Secret", "Kerberos", "Bearer"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("password: ***") && shown.contains("FederatedAuthentication(12 bytes)"), "{shown}");
}

#[test]
fn a_password_is_obfuscated_as_freetds_does_it() {
    // `tds7_crypt_pass` of FreeTDS 1.5 gives these bytes for "aA": nibbles swapped, then 0xA5.
    let mut out = Vec::new();
    Password::from("aA").put(&mut out);
    assert_eq!(out, [0xB3, 0xA5, 0xB1, 0xA5]);
    assert_eq!(Password::decode(&out, "password").unwrap().expose(), "aA");
}

#[test]
fn a_long_sspi_token_uses_the_long_length() {
    for length in [0, 1, 0xFFFE, 0xFFFF, 0x1_0000, 100_000] {
        let login = Login7 { sspi: SspiData(vec![7; length].into()), ..Login7::new("", Password::default()) };
        assert_eq!(Login7::decode(&login.encode().unwrap()).unwrap(), login);
    }
    let login = Login7 { sspi: SspiData(vec![7; LOGIN7_BYTES_MAX].into()), ..Login7::new("", Password::default()) };
    assert_eq!(login.encode(), Err(encode::TooLarge));
    let late = Login7 { attach_database_file: "x.mdf".to_owned(), sspi: SspiData(vec![7; 70_000].into()), ..login };
    assert_eq!(late.encode(), Err(encode::TooLarge));
}

#[test]
fn a_login_written_by_a_library_we_did_not_write_is_read() {
    let mut login = theirs::Login7::new()
        .with_sql_auth("app", "App_User_1")
        .with_database("SalesDB")
        .with_hostname("web-01")
        .with_app_name("orders")
        .with_server_name("sql.example.net")
        .with_language("Deutsch")
        .with_packet_size(8000)
        .with_read_only_intent(true)
        .with_feature(theirs::FeatureExtension { feature_id: theirs::FeatureId::Utf8Support, data: Bytes::new() })
        .with_feature(theirs::FeatureExtension {
            feature_id: theirs::FeatureId::ColumnEncryption,
            data: Bytes::from_static(&[3]),
        });
    login.client_pid = 77;
    let want = Login7 {
        packet_bytes: 8000,
        client_process_id: 77,
        option_flags1: OptionFlags1::USE_DATABASE.with(OptionFlags1::DATABASE_FATAL),
        option_flags2: OptionFlags2::ODBC.with(OptionFlags2::LANGUAGE_FATAL),
        type_flags: TypeFlags::READ_ONLY_INTENT,
        option_flags3: OptionFlags3::UNKNOWN_COLLATION_HANDLING,
        locale_id: 0x409,
        host_name: "web-01".to_owned(),
        application_name: "orders".to_owned(),
        server_name: "sql.example.net".to_owned(),
        library_name: "rust-mssql-driver".to_owned(),
        language: "Deutsch".to_owned(),
        database: "SalesDB".to_owned(),
        features: Some(vec![
            Feature { id: FeatureId::Utf8Support, data: Bytes::new() },
            Feature { id: FeatureId::ColumnEncryption, data: Bytes::from_static(&[3]) },
        ]),
        ..Login7::new("app", "App_User_1".into())
    };
    let read = Login7::decode(&login.encode()).unwrap();
    assert_eq!(read, want);
    assert_eq!(read.password.expose(), "App_User_1");
    assert!(read.is_read_only_intent() && read.feature(FeatureId::Utf8Support).is_some());
    assert!(read.feature(FeatureId::Json).is_none());
}

prop_compose! {
    fn texts()(texts in prop::collection::vec("\\PC{0,40}", 10)) -> Vec<String> { texts }
}

prop_compose! {
    fn features()(
        list in prop::collection::vec((0u8..0xFF, prop::collection::vec(any::<u8>(), 0..40)), 0..6),
    ) -> Vec<Feature> {
        list.into_iter().map(|(id, data)| Feature { id: FeatureId::from_byte(id), data: data.into() }).collect()
    }
}

prop_compose! {
    fn login7()(
        numbers in any::<[u32; 6]>(),
        flags in any::<[u8; 4]>(),
        time_zone_minutes: i32,
        client_id: [u8; 6],
        texts in texts(),
        sspi in prop::collection::vec(any::<u8>(), 0..300),
        features in prop::option::of(features()),
    ) -> Login7 {
        let [version, packet_bytes, client_version, client_process_id, connection_id, locale_id] = numbers;
        let tds_version = if version % 4 == 0 { TdsVersion::from_number(version) } else { TdsVersion::V7_4 };
        let new_password = if tds_version.is_7_2_or_later() { texts[9].as_str() } else { "" };
        Login7 {
            tds_version, packet_bytes, client_version, client_process_id, connection_id, locale_id,
            time_zone_minutes, client_id, features,
            option_flags1: OptionFlags1(flags[0]),
            option_flags2: OptionFlags2(flags[1]),
            type_flags: TypeFlags(flags[2]),
            option_flags3: OptionFlags3(flags[3]).without(flags::EXTENSION),
            host_name: texts[1].clone(),
            application_name: texts[3].clone(),
            server_name: texts[4].clone(),
            library_name: texts[5].clone(),
            language: texts[6].clone(),
            database: texts[7].clone(),
            sspi: SspiData(sspi.into()),
            attach_database_file: texts[8].clone(),
            new_password: new_password.into(),
            ..Login7::new(&texts[0], texts[2].as_str().into())
        }
    }
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(login in login7()) {
        prop_assert_eq!(Login7::decode(&login.encode().unwrap()).unwrap(), login);
    }

    #[test]
    fn whatever_is_accepted_survives_encoding(login in login7(), damage in prop::collection::vec((any::<usize>(), any::<u8>()), 0..4)) {
        let mut message = login.encode().unwrap().to_vec();
        for (at, byte) in damage {
            let at = at % message.len();
            message[at] = byte;
        }
        if let Ok(read) = Login7::decode(&message) {
            prop_assert_eq!(Login7::decode(&read.encode().unwrap()).unwrap(), read);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(message in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Login7::decode(&message);
    }
}
