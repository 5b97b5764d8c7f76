//! The proxy's own logins: what is taken, and what is wrong with the rest. No secret is ever shown.

use super::files::folder;
use super::*;

/// Parses the smallest configuration with `lines` for the replica `mi`, whose secrets are in the folder.
fn parsed(lines: &str) -> Result<Config, Vec<String>> {
    let folder = folder();
    let text = SMALLEST.replace("address = \"mi.example.net:1433\"", lines);
    Config::parse(&text, folder.path()).map_err(|errors| {
        let path = format!("{}/", folder.path().display());
        errors
            .errors()
            .iter()
            .map(|error| format!("{}: {}; {}", error.key, error.what, error.instead).replace(&path, ""))
            .collect()
    })
}

/// Complains about an identity with these lines.
#[track_caller]
fn check(lines: &str, want: &[&str]) {
    let got = parsed(&format!("address = \"mi:1433\"\n[replicas.mi.identity]\n{lines}")).map(drop).unwrap_err();
    assert_eq!(got, want);
}

fn identity(lines: &str) -> Credential {
    let config = parsed(&format!("address = \"mi:1433\"\n[replicas.mi.identity]\nproven_on = \"onprem\"\n{lines}"));
    config.unwrap().replica(&"mi".into()).and_then(|replica| replica.identity.clone()).unwrap().credential
}

#[test]
fn an_identity_is_a_login_or_a_token() {
    let Credential::Password(login) = identity("user = \"svc\"\npassword_file = \"mi.password\"") else { panic!() };
    assert_eq!(login.user, "svc");
    let Credential::Token(TokenSource::File(path)) = identity("token_file = \"words.txt\"") else { panic!() };
    assert!(path.ends_with("words.txt"));
    let command = vec!["az".to_owned(), "account".to_owned()];
    assert_eq!(identity("token_command = [\"az\", \"account\"]"), Credential::Token(TokenSource::Command(command)));
}

#[test]
fn a_proof_must_be_somewhere_else() {
    let lines = |on: &str| format!("proven_on = \"{on}\"\nuser = \"svc\"\npassword_file = \"mi.password\"");
    let key = "replicas.mi.identity.proven_on";
    check(
        &lines("mi"),
        &[&format!("{key}: names the replica itself; name the replica that knows the clients' logins")],
    );
    check(
        &lines("onpren"),
        &[&format!("{key}: names the replica \"onpren\", which there is not; did you mean `onprem`?")],
    );
    let other = "[replicas.third]\naddress = \"third:1433\"\n[replicas.third.identity]\n";
    check(
        &format!("{}\n{other}{}", lines("third"), lines("onprem")),
        &[&format!(
            "{key}: names third, where clients do not log in with their own credentials either; name the replica that \
             knows the clients' logins"
        )],
    );
}

#[test]
fn there_is_exactly_one_secret() {
    let start = "proven_on = \"onprem\"\nuser = \"svc\"\n";
    check(
        start,
        &["replicas.mi.identity.password_file: is missing; write one of password_file, password_env, token_file, \
           token_command"],
    );
    check(
        &format!("{start}password_file = \"mi.password\"\npassword_env = \"PATH\""),
        &["replicas.mi.identity.password_env: stands beside password_file; remove one of the two"],
    );
    check(
        "proven_on = \"onprem\"\npassword_file = \"mi.password\"",
        &["replicas.mi.identity.user: is missing; write for example user = \"tds_proxy\""],
    );
    check(
        &format!("{start}token_file = \"words.txt\""),
        &["replicas.mi.identity.user: has no effect with a token, which says itself whose it is; remove it"],
    );
}

#[test]
fn a_secret_that_is_not_there_is_a_mistake() {
    let start = "proven_on = \"onprem\"\nuser = \"svc\"\n";
    let instead = "name a file that this user may read, with the secret as its only line";
    let key = "replicas.mi.identity.password_file";
    check(
        &format!("{start}password_file = \"none\""),
        &[&format!("{key}: names no secret: none cannot be read: No such file or directory (os error 2); {instead}")],
    );
    check(
        &format!("{start}password_file = \"empty.txt\""),
        &[&format!("{key}: names no secret: empty.txt is empty; {instead}")],
    );
    check(
        &format!("{start}password_file = \"server.pem\""),
        &[&format!("{key}: names no secret: server.pem is no UTF-8 text of one line; {instead}")],
    );
    check(
        &format!("{start}password_env = \"TDS_PROXY_NO_SUCH_VARIABLE\""),
        &[
            "replicas.mi.identity.password_env: names nothing: the environment variable TDS_PROXY_NO_SUCH_VARIABLE is not \
           set, or empty; set it where the proxy is started, or use password_file",
        ],
    );
    check(
        "proven_on = \"onprem\"\ntoken_command = []",
        &["replicas.mi.identity.token_command: names no program; write the program and its arguments, for example \
           [\"az\", \"account\", \"get-access-token\"]"],
    );
}

#[test]
fn a_token_wants_a_connection_that_is_encrypted_as_a_whole() {
    let identity = "[replicas.mi.identity]\nproven_on = \"onprem\"\ntoken_file = \"words.txt\"";
    let got = parsed(&format!("address = \"mi:1433\"\nencryption = \"login-only\"\n{identity}")).map(drop).unwrap_err();
    let want = "replicas.mi.identity.token_file: is a token, which anybody who sees it can use; write encryption = \"full\" \
                or \"strict\" for this replica";
    assert_eq!(got, [want]);
}

#[test]
fn probes_log_in_with_a_password_only() {
    let lines = "address = \"mi:1433\"\n[replicas.mi.probe]\nuser = \"watcher\"\n";
    let config = parsed(&format!("{lines}password_file = \"mi.password\"")).unwrap();
    assert_eq!(config.replica(&"mi".into()).and_then(|replica| replica.probe.as_ref()).unwrap().user, "watcher");
    assert!(!format!("{config:?}").contains("hush-hush"));
    let got = parsed(&format!("{lines}token_file = \"words.txt\"")).map(drop).unwrap_err();
    let missing = "replicas.mi.probe.password_file: is missing; write one of password_file, password_env";
    assert_eq!(
        got,
        [missing, "replicas.mi.probe.token_file: is not a key here; known are: user, password_file, password_env"]
    );
}
