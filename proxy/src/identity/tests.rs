//! Credentials: where they are read, what is kept of a client's login, when a program is run again.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::config::SecretSource;

fn folder(name: &str, text: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), text).unwrap();
    folder
}

#[track_caller]
fn check_file(content: &[u8], want: Result<&str, &str>) {
    let folder = folder("secret", content);
    let path = folder.path().join("secret");
    let got = secret::text(&path).map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"));
    assert_eq!(got.as_deref().map_err(String::as_str), want);
}

#[test]
fn a_secret_is_the_only_line_of_its_file() {
    check_file(b" with blanks \r\n", Ok(" with blanks "));
    check_file(b"\n", Err("FILE is empty"));
    check_file(b"user\nhush-hush\n", Err("FILE is no UTF-8 text of one line"));
    check_file(b"\xFFhush", Err("FILE is no UTF-8 text of one line"));
    check_file(&[b'x'; 32 * 1024 + 1], Err("FILE has more than 32768 bytes"));
}

#[test]
fn secrets_do_not_show_themselves() {
    assert_eq!(format!("{:?}", Token::new("hush-hush").unwrap()), "***");
    assert_eq!(Token::new("hush hush"), None, "what has blanks in it is a message, not a token");
    let unset = secret::password(&SecretSource::Environment("TDS_PROXY_NO_SUCH_VARIABLE".to_owned())).unwrap_err();
    assert_eq!(unset.to_string(), "the environment variable TDS_PROXY_NO_SUCH_VARIABLE is not set, or empty");
}

#[tokio::test]
async fn the_proxys_login_keeps_everything_of_the_clients_but_who_it_is() {
    let folder = folder("token", b"abc\n");
    let credential = Credential::Token(TokenSource::File(folder.path().join("token")));
    let identity = Identity::new(&config::Identity { proven_on: "onprem".into(), credential });
    let feature = |id, data: &'static [u8]| Feature { id, data: Bytes::from_static(data) };
    let client = Login7 {
        database: "SalesDB".to_owned(),
        option_flags2: OptionFlags2::ODBC.with(OptionFlags2::INTEGRATED_SECURITY),
        option_flags3: OptionFlags3::CHANGE_PASSWORD,
        new_password: Password::from("new"),
        sspi: SspiData(Bytes::from_static(b"ticket")),
        attach_database_file: "c:\\other.mdf".to_owned(),
        features: Some(vec![feature(FeatureId::FederatedAuthentication, b"theirs"), feature(FeatureId::Json, &[1])]),
        ..Login7::new("app", Password::from("secret"))
    };
    let want = Login7 {
        database: "SalesDB".to_owned(),
        option_flags2: OptionFlags2::ODBC,
        features: Some(vec![
            feature(FeatureId::FederatedAuthentication, b"\x02\x06\0\0\0a\0b\0c\0"),
            feature(FeatureId::Json, &[1]),
        ]),
        ..Login7::new("", Password::default())
    };
    assert_eq!(identity.login(&client).await.unwrap(), want);
}

/// A program that writes a line into `runs` in `folder` each time and then does `work`.
fn command(folder: &Path, work: &str) -> TokenCommand {
    let script = format!("echo run >> {}/runs; {work}", folder.display());
    TokenCommand::new(["/bin/sh", "-c", &script].map(str::to_owned).to_vec())
}

fn runs(folder: &TempDir) -> usize {
    fs::read_to_string(folder.path().join("runs")).unwrap().lines().count()
}

/// A JSON Web Token that ends so many seconds from now.
fn web_token(seconds: i64) -> String {
    let now = i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap();
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{}}}", now + seconds)))
}

#[tokio::test]
async fn a_token_that_lasts_is_asked_for_once() {
    let folder = tempfile::tempdir().unwrap();
    let command = command(folder.path(), &format!("sleep 0.2; echo {}", web_token(3600)));
    let (first, second, third) = tokio::join!(command.token(), command.token(), command.token());
    assert_eq!(first.unwrap(), second.unwrap());
    third.unwrap();
    assert_eq!(runs(&folder), 1);
}

#[tokio::test]
async fn a_token_that_ends_soon_is_renewed_before_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let command = command(folder.path(), &format!("echo {}", web_token(200)));
    command.token().await.unwrap();
    command.token().await.unwrap();
    assert_eq!(runs(&folder), 2);
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_used_while_it_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("failing");
    let work = format!("test -e {0} && exit 1; touch {0}; echo {1}", marker.display(), web_token(200));
    let command = command(folder.path(), &work);
    let token = command.token().await.unwrap();
    assert_eq!(command.token().await.unwrap(), token);
    assert_eq!(runs(&folder), 2);
}

#[tokio::test]
async fn a_program_that_fails_is_not_run_by_every_login_and_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let command = command(folder.path(), "echo hush-hush; exit 3");
    for _ in 0..3 {
        let error = command.token().await.unwrap_err();
        assert_eq!(error.to_string(), "the token command /bin/sh failed (exit status: 3)");
    }
    assert_eq!(runs(&folder), 1);
}

#[tokio::test]
async fn what_is_no_token_is_said_without_showing_it() {
    for output in ["", "please log in first", "{\\\"accessToken\\\":7}", "{\\\"error\\\":\\\"hush-hush\\\"}"] {
        let folder = tempfile::tempdir().unwrap();
        let error = command(folder.path(), &format!("echo \"{output}\"")).token().await.unwrap_err();
        assert_eq!(error.to_string(), "the token command /bin/sh printed no token");
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_that_hangs_is_killed_with_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let command = command(folder.path(), &format!("sleep 1000 & echo $! > {}; wait", pid_file.display()));
    // The clock stands until the child is there, for the clock of a test runs ahead of real processes.
    let started = async {
        while !fs::read_to_string(&pid_file).is_ok_and(|pid| pid.ends_with('\n')) {
            tokio::task::yield_now().await;
        }
    };
    let (token, ()) = tokio::join!(command.token(), started);
    assert_eq!(token.unwrap_err().to_string(), "the token command /bin/sh took longer than 10 s");
    let pid = fs::read_to_string(&pid_file).unwrap();
    let status = Path::new("/proc").join(pid.trim()).join("status");
    let ended = |text: String| text.contains("State:\tZ");
    while !fs::read_to_string(&status).map_or(true, ended) {
        tokio::task::yield_now().await;
    }
}

#[track_caller]
fn check_parse(output: &str, want: Option<(&str, u64)>) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let got = command::parse(output, now);
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    assert_eq!(got, want.map(|(token, ends)| (Token::new(token).unwrap(), at(ends))));
}

#[test]
fn tokens_are_understood_in_every_form_that_providers_print() {
    check_parse("abc\n", Some(("abc", 1_000_360)));
    check_parse(
        r#"{"accessToken":"abc","expiresOn":"2026-01-01 00:00:00.0","expires_on":1000900}"#,
        Some(("abc", 1_000_900)),
    );
    check_parse(r#"{"access_token":"abc","expires_on":"1000900"}"#, Some(("abc", 1_000_900)));
    check_parse(r#"{"token":"abc","expiresOn":"2026-01-01T00:00:00Z"}"#, Some(("abc", 1_000_360)));
    // {"exp":1000700} in the token itself, which is more to be trusted than what is said of it.
    check_parse(
        r#"{"accessToken":"e30.eyJleHAiOjEwMDA3MDB9.c2ln","expires_on":9}"#,
        Some(("e30.eyJleHAiOjEwMDA3MDB9.c2ln", 1_000_700)),
    );
    check_parse("", None);
    check_parse("two words", None);
}
