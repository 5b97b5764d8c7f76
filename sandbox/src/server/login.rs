//! LOGIN7 to a session of the engine, and the login response in the order SQL Server sends it ([MS-TDS] 2.2.6.2).

use super::greeting::VERSION;
use super::{Error, Settings};
use crate::engine::front::{EngineSession, LoginOptions};
use crate::engine::sink::Message;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use tds::login7::{Feature, FeatureId, Login7, OptionFlags2, Password, TdsVersion};
use tds::packet::{PACKET_BYTES_LOGIN, PACKET_BYTES_MAX, PACKET_BYTES_MIN};
use tds::token::{
    Done, DoneKind, DoneStatus, EnvChange, FeatureExtAck, LoginAck, Message as MessageToken, MessageKind,
};
use tds::types::Collation;

/// SQL_Latin1_General_CP1_CI_AS, the default collation of both servers.
const COLLATION: Collation = Collation([0x09, 0x04, 0xD0, 0x00, 0x34]);
/// Packets of an encrypted session stay below the largest TLS record.
const ENCRYPTED_PACKET_BYTES_MAX: usize = 16_383;
const LANGUAGE: &str = "us_english";
const INITIAL_DATABASE: &str = "master";
/// The state of a message that a feature is supported.
const SUPPORTED: Bytes = Bytes::from_static(&[1]);

/// Logs in. An error is what the client is to be told.
pub(super) async fn log_in(
    settings: &Settings,
    login: &Login7,
    user: String,
    password: Password,
    spid: u16,
) -> Result<Result<Box<dyn EngineSession>, Message>, Error> {
    if !login.tds_version.is_7_2_or_later() {
        return Ok(Err(message(50_000, "This simulated server speaks TDS 7.2 and later; the client asked for less.")));
    }
    if login.option_flags2.contains(OptionFlags2::INTEGRATED_SECURITY) {
        return Ok(Err(message(18_452, "Login failed. The simulated server has no integrated authentication.")));
    }
    let engine = Arc::clone(&settings.engine);
    let options = LoginOptions {
        session_id: spid,
        language: (!login.language.is_empty()).then(|| login.language.clone()),
        odbc: login.option_flags2.contains(OptionFlags2::ODBC),
        host_name: login.host_name.clone(),
        application_name: login.application_name.clone(),
    };
    let database = login.database.clone();
    let log_in = move || {
        let database = (!database.is_empty()).then_some(database.as_str());
        engine.login(&user, password.expose(), database, options)
    };
    tokio::task::spawn_blocking(log_in).await.map_err(|_| Error::Engine)
}

/// The refusal of a token, in SQL Server's words and with a reason, which a real one keeps to itself.
pub(super) fn unproven(why: &str) -> Message {
    message(18_456, &format!("Login failed for user '<token-identified principal>': {why}."))
}

fn message(number: i32, text: &str) -> Message {
    Message { number, state: 1, class: 14, text: text.to_owned(), procedure: String::new(), line: 1 }
}

/// The packet size of the session from here on.
pub(super) fn packet_bytes(login: &Login7, encrypted: bool) -> usize {
    let most = if encrypted { ENCRYPTED_PACKET_BYTES_MAX } else { PACKET_BYTES_MAX };
    match usize::try_from(login.packet_bytes) {
        Ok(0) => PACKET_BYTES_LOGIN,
        asked => asked.unwrap_or(most).clamp(PACKET_BYTES_MIN, most),
    }
}

/// The tokens of a login that succeeded.
pub(super) fn accepted(login: &Login7, database: &str, packet_bytes: usize, server: &str) -> Bytes {
    let mut tokens = BytesMut::new();
    EnvChange::Database(database.to_owned(), INITIAL_DATABASE.to_owned()).encode(&mut tokens);
    MessageToken::info(5701, 2, &format!("Changed database context to '{database}'."), server).encode(&mut tokens);
    EnvChange::Collation(Some(COLLATION), None).encode(&mut tokens);
    EnvChange::Language(LANGUAGE.to_owned(), String::new()).encode(&mut tokens);
    MessageToken::info(5703, 1, &format!("Changed language setting to {LANGUAGE}."), server).encode(&mut tokens);
    // Always, even when nothing changes: mssql-tds 0.3 panics without it.
    let (new, old) = (u32::try_from(packet_bytes).unwrap_or(u32::MAX), PACKET_BYTES_LOGIN as u32);
    EnvChange::PacketSize(new, old).encode(&mut tokens);
    let [build_high, build_low] = VERSION.build.to_be_bytes();
    LoginAck {
        interface: 1,
        tds_version: acknowledged(login.tds_version).number(),
        program: "Microsoft SQL Server".to_owned(),
        version: [VERSION.major, VERSION.minor, build_high, build_low],
    }
    .encode(&mut tokens);
    // The acknowledgement of a token is empty, because it came without a nonce to sign.
    let known = [(FeatureId::FederatedAuthentication, Bytes::new()), (FeatureId::Utf8Support, SUPPORTED)];
    let acknowledged = known.into_iter().filter(|(id, _)| login.feature(*id).is_some());
    let acknowledged: Vec<_> = acknowledged.map(|(id, data)| Feature { id, data }).collect();
    if !acknowledged.is_empty() {
        FeatureExtAck(acknowledged).encode(&mut tokens);
    }
    Done { kind: DoneKind::Done, status: DoneStatus::FINAL, command: 0, rows: 0 }.encode(&mut tokens);
    tokens.freeze()
}

/// The tokens of a login that failed.
pub(super) fn refused(message: Message, server: &str) -> Bytes {
    let mut tokens = BytesMut::new();
    let Message { number, state, class, text, procedure, line } = message;
    let (kind, server) = (MessageKind::Error, server.to_owned());
    MessageToken { kind, number, state, class, text, server, procedure, line }.encode(&mut tokens);
    Done { kind: DoneKind::Done, status: DoneStatus::ERROR, command: 0, rows: 0 }.encode(&mut tokens);
    tokens.freeze()
}

/// The version the session speaks: the client's, as far as it is known. Drivers that log in to TDS 8.0 as 7.4 expect 7.4.
fn acknowledged(asked: TdsVersion) -> TdsVersion {
    match asked {
        TdsVersion::V7_2 | TdsVersion::V7_3A | TdsVersion::V7_3B | TdsVersion::V8_0 => asked,
        _ => TdsVersion::V7_4,
    }
}
