//! Reads `[replicas.NAME.identity]` and `[replicas.NAME.probe]`: the logins the proxy itself has, and where their
//! secrets are.

use std::path::PathBuf;

use link_control::topology::ReplicaName;
use toml::Spanned;

use super::Encryption;
use super::files::Files;
use super::problems::Problems;
use super::section::Section;
use crate::identity::secret;

/// `[replicas.NAME.identity]`: clients prove themselves elsewhere, and the proxy logs in here as itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The replica that takes the client's own login as proof. Another one, without an identity itself.
    pub proven_on: ReplicaName,
    /// What the proxy logs in with.
    pub credential: Credential,
}

/// What the proxy logs in to a replica with. Holds where secrets are, never one itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A SQL login.
    Password(SqlLogin),
    /// A Microsoft Entra token. Only where the connection is encrypted as a whole.
    Token(TokenSource),
}

/// A SQL login of the proxy's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlLogin {
    /// Its name.
    pub user: String,
    /// Its password. There was one when the configuration was checked.
    pub password: SecretSource,
}

/// Where a password is. It is read again for each login, so that it can be changed without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file; a line end after it does not belong to it.
    File(PathBuf),
    /// In an environment variable.
    Environment(String),
}

/// Where a token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// A file that somebody keeps fresh; it is read for each login.
    File(PathBuf),
    /// A program and its arguments, at least the program, which prints one.
    Command(Vec<String>),
}

/// A reference to another replica, to be checked once all are known.
pub(super) struct ProvenOn {
    pub(super) name: Spanned<String>,
    pub(super) key: String,
}

const USER: &str = "tds_proxy";

/// `[replicas.NAME.identity]`. The reference comes even where something else is wrong.
pub(super) fn read(
    mut section: Section<'_>,
    encryption: Encryption,
    files: &Files,
    problems: &mut Problems<'_>,
) -> (Option<Identity>, Option<ProvenOn>) {
    let key = section.key("proven_on");
    let proven_on = section.required_text("proven_on", "onprem", problems);
    let credential = credential(&mut section, encryption, files, problems);
    section.finish(problems);
    let identity = proven_on.as_ref().zip(credential);
    let identity =
        identity.map(|(name, credential)| Identity { proven_on: name.get_ref().as_str().into(), credential });
    (identity, proven_on.map(|name| ProvenOn { name, key }))
}

/// `[replicas.NAME.probe]`.
pub(super) fn probe(mut section: Section<'_>, files: &Files, problems: &mut Problems<'_>) -> Option<SqlLogin> {
    let only = one_of(&section, &PASSWORD_KEYS, problems);
    let login = sql_login(&mut section, files, problems);
    section.finish(problems);
    login.filter(|_| only)
}

fn credential(
    section: &mut Section<'_>,
    encryption: Encryption,
    files: &Files,
    problems: &mut Problems<'_>,
) -> Option<Credential> {
    let only = one_of(section, &CREDENTIAL_KEYS, problems);
    let token_at = ["token_file", "token_command"].into_iter().find_map(|key| Some((key, section.span_of(key)?)));
    let file = files.secret(section, "token_file", "mi.token", problems);
    let command = section.texts("token_command", "az", problems);
    let Some((key, at)) = token_at else {
        return sql_login(section, files, problems).map(Credential::Password).filter(|_| only);
    };
    if encryption < Encryption::Full {
        let what = "is a token, which anybody who sees it can use";
        problems.add(at.clone(), &section.key(key), what, "write encryption = \"full\" or \"strict\" for this replica");
    }
    if let Some(user) = section.text("user", USER, problems) {
        let what = "has no effect with a token, which says itself whose it is";
        problems.add(user.span(), &section.key("user"), what, "remove it");
    }
    section.know(&PASSWORD_KEYS);
    if key == "token_file" {
        return file.filter(|_| only).map(|path| Credential::Token(TokenSource::File(path)));
    }
    let command: Vec<_> = command.into_iter().map(Spanned::into_inner).collect();
    if command.first().is_none_or(String::is_empty) {
        let instead = "write the program and its arguments, for example [\"az\", \"account\", \"get-access-token\"]";
        problems.add(at, &section.key(key), "names no program", instead);
        return None;
    }
    Some(Credential::Token(TokenSource::Command(command))).filter(|_| only)
}

fn sql_login(section: &mut Section<'_>, files: &Files, problems: &mut Problems<'_>) -> Option<SqlLogin> {
    let user = section.required_text("user", USER, problems);
    let file = files.secret(section, "password_file", "mi.password", problems).map(SecretSource::File);
    let password = file.or_else(|| environment(section, problems));
    section.know(&PASSWORD_KEYS);
    Some(SqlLogin { user: user?.into_inner(), password: password? })
}

fn environment(section: &mut Section<'_>, problems: &mut Problems<'_>) -> Option<SecretSource> {
    let name = section.text("password_env", "TDS_PROXY_PASSWORD", problems)?;
    let source = SecretSource::Environment(name.get_ref().clone());
    match secret::password(&source) {
        Ok(_) => Some(source),
        Err(error) => {
            let instead = "set it where the proxy is started, or use password_file";
            problems.add(name.span(), &section.key("password_env"), format!("names nothing: {error}"), instead);
            None
        }
    }
}

/// Whether exactly one of `keys` is written; complains otherwise.
fn one_of(section: &Section<'_>, keys: &[&'static str], problems: &mut Problems<'_>) -> bool {
    let written: Vec<_> = keys.iter().filter(|key| section.has(key)).collect();
    match written.as_slice() {
        [_] => true,
        [] => {
            let first = keys.first().copied().unwrap_or_default();
            problems.missing(section.span(), &section.key(first), format!("write one of {}", keys.join(", ")));
            false
        }
        [first, others @ ..] => {
            for key in others {
                if let Some(at) = section.span_of(key) {
                    problems.add(at, &section.key(key), format!("stands beside {first}"), "remove one of the two");
                }
            }
            false
        }
    }
}

const PASSWORD_KEYS: [&str; 2] = ["password_file", "password_env"];
const CREDENTIAL_KEYS: [&str; 4] = ["password_file", "password_env", "token_file", "token_command"];
