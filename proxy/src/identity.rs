//! The proxy's own logins: to replicas whose clients prove themselves elsewhere, and for probes.
//!
//! | file | owns |
//! |---|---|
//! | `secret.rs` | passwords and tokens, read where the operator put them |
//! | `command.rs` | the program that prints a token |

pub(crate) mod command;
pub(crate) mod secret;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use link_control::topology::ReplicaName;
use tds::login7::{Feature, FeatureId, Login7, OptionFlags2, OptionFlags3, Password, SspiData};
use tokio::task::spawn_blocking;

use crate::backend;
use crate::config::{self, Credential, SqlLogin, TokenSource};
use command::{CommandError, TokenCommand};
use secret::{SecretError, Token};

/// The proxy's identity on a replica.
pub(crate) struct Identity {
    /// Where a client proves itself before this is used for it.
    pub(crate) proven_on: ReplicaName,
    provider: Provider,
}

enum Provider {
    Password(SqlLogin),
    TokenFile(PathBuf),
    TokenCommand(TokenCommand),
}

/// Why the proxy has no credential now. A later login may find one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Command(#[from] Arc<CommandError>),
    #[error("the file of a secret could not be read to its end")]
    Interrupted,
}

impl Identity {
    /// The identity as configured; nothing is read yet.
    pub(crate) fn new(config: &config::Identity) -> Self {
        let provider = match config.credential.clone() {
            Credential::Password(login) => Provider::Password(login),
            Credential::Token(TokenSource::File(path)) => Provider::TokenFile(path),
            Credential::Token(TokenSource::Command(command)) => Provider::TokenCommand(TokenCommand::new(command)),
        };
        Self { proven_on: config.proven_on.clone(), provider }
    }

    /// The client's login with the proxy's credential, as it is now, in place of the client's.
    ///
    /// # Errors
    /// There is no credential now.
    pub(crate) async fn login(&self, client: &Login7) -> Result<Login7, IdentityError> {
        let login = stripped(client);
        Ok(match &self.provider {
            Provider::Password(SqlLogin { user, password }) => {
                let password = password.clone();
                let password = read(move || secret::password(&password)).await?;
                Login7 { user_name: user.clone(), password, ..login }
            }
            Provider::TokenFile(path) => {
                let path = path.clone();
                with_token(login, &read(move || secret::token(&path)).await?)
            }
            Provider::TokenCommand(command) => with_token(login, &command.token().await?),
        })
    }
}

/// A login that only asks what a replica is, to `database`.
///
/// # Errors
/// There is no password now.
pub(crate) async fn probe_login(login: &SqlLogin, database: &str) -> Result<Login7, IdentityError> {
    let source = login.password.clone();
    let password = read(move || secret::password(&source)).await?;
    let mut probe = Login7::new(&login.user, password);
    probe.database = database.to_owned();
    probe.features = Some(backend::every_promise());
    probe.application_name = "tds-proxy probe".to_owned();
    Ok(probe)
}

/// Files may be on a slow disk, and nothing else may wait for that.
async fn read<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, SecretError> + Send + 'static,
) -> Result<T, IdentityError> {
    spawn_blocking(read).await.map_err(|_| IdentityError::Interrupted)?.map_err(IdentityError::from)
}

/// Everything a client said but who it is, and what must not be done with the proxy's rights on its behalf.
fn stripped(client: &Login7) -> Login7 {
    let mut login = client.clone();
    login.user_name.clear();
    login.password = Password::default();
    login.new_password = Password::default();
    login.sspi = SspiData::default();
    login.attach_database_file.clear();
    login.option_flags2 = login.option_flags2.without(OptionFlags2::INTEGRATED_SECURITY.with(OptionFlags2::USER_TYPE));
    login.option_flags3 = login.option_flags3.without(OptionFlags3::CHANGE_PASSWORD);
    if let Some(features) = &mut login.features {
        features.retain(|feature| feature.id != FeatureId::FederatedAuthentication);
    }
    login
}

fn with_token(mut login: Login7, token: &Token) -> Login7 {
    let feature = Feature { id: FeatureId::FederatedAuthentication, data: token.feature_data() };
    login.features.get_or_insert_default().insert(0, feature);
    login
}
