//! A login on one replica: with what the client brought, or, where the replica has an identity of the proxy's, with that,
//! once the client has proven itself elsewhere.

use link_control::topology::{LinkView, ReplicaName, Topology};
use tds::login7::{FeatureId, Login7, OptionFlags2};

use super::error::SessionError;
use super::login::Login;
use crate::backend::{Accepted, Attempt, Dialogue, OnBehalf, Outcome, Owed, Rejection, Target};
use crate::config::Encryption;
use crate::identity::Identity;
use crate::learned::Lesson;
use crate::route::{Reason, Role, Route};

/// A client let in by a replica with its own credentials. Made by that alone, and needed for every login with an identity
/// of the proxy's: no client reaches such a replica without it.
pub(super) struct Proof {
    pub(super) on: ReplicaName,
    owed: Owed,
}

/// What became of a login on one replica.
pub(super) enum Entry {
    Accepted(Box<Accepted>),
    Rejected(Rejection),
    /// The replica where the client should have proven itself refused it; the other was not asked.
    Unproven(Rejection),
}

/// The login on its way, and where to.
pub(super) struct Entrance<'a> {
    pub(super) login: &'a Login<'a>,
    pub(super) link: &'a LinkView,
    pub(super) topology: &'a Topology,
    pub(super) route: &'a Route,
}

impl Entrance<'_> {
    /// Logs in where the route leads. A `proof` from an earlier try is used again, and a new one left there.
    pub(super) async fn enter(
        &self,
        proof: &mut Option<Proof>,
        dialogue: &mut Dialogue<'_>,
    ) -> Result<Entry, SessionError> {
        let target = self.login.session.setup.target(&self.route.replica)?;
        let outcome = match &target.identity {
            None => {
                *proof = None;
                self.attempt(target, self.login.login, None, Some(dialogue)).await?
            }
            Some(identity) => {
                if proof.as_ref().is_none_or(|proof| proof.on != identity.proven_on) {
                    match self.prove(identity, dialogue).await? {
                        Ok(new) => *proof = Some(new),
                        Err(rejection) => return Ok(Entry::Unproven(rejection)),
                    }
                }
                let Some(proof) = proof else { return Err(SessionError::Unproven(target.name.clone())) };
                self.enter_as_proxy(target, identity, proof).await?
            }
        };
        Ok(match outcome {
            Outcome::Accepted(accepted) => Entry::Accepted(accepted),
            Outcome::Rejected(rejection) => Entry::Rejected(rejection),
        })
    }

    /// Has the client log in where its own credentials count. That connection ends here.
    async fn prove(
        &self,
        identity: &Identity,
        dialogue: &mut Dialogue<'_>,
    ) -> Result<Result<Proof, Rejection>, SessionError> {
        let target = self.login.session.setup.target(&identity.proven_on)?;
        Ok(match self.attempt(target, self.login.login, None, Some(dialogue)).await? {
            Outcome::Accepted(accepted) => Ok(Proof { on: identity.proven_on.clone(), owed: accepted.owed }),
            Outcome::Rejected(rejection) => Err(rejection),
        })
    }

    async fn enter_as_proxy(
        &self,
        target: &Target,
        identity: &Identity,
        proof: &Proof,
    ) -> Result<Outcome, SessionError> {
        let own = identity.login(self.login.login).await;
        let own = own.map_err(|source| SessionError::Identity { replica: target.name.clone(), source })?;
        self.attempt(target, &own, Some(&proof.owed), None).await
    }

    async fn attempt(
        &self,
        target: &Target,
        login: &Login7,
        owed: Option<&Owed>,
        dialogue: Option<&mut Dialogue<'_>>,
    ) -> Result<Outcome, SessionError> {
        let Login { session, login: asked, strict, on_behalf, .. } = self.login;
        let federated = login.feature(FeatureId::FederatedAuthentication).is_some();
        if federated && target.encryption < Encryption::Full {
            return Err(SessionError::TokenInClear("the connection to its replica"));
        }
        let on_behalf = OnBehalf { endpoints: session.endpoints, ..*on_behalf };
        let own = OnBehalf { fed_auth: federated.then_some(true), ..on_behalf };
        let learned = &session.shared.learned;
        let attempt = Attempt {
            target,
            login,
            asked,
            application_name_suffix: &session.service.config.application_name_suffix,
            // A secondary may take only sessions that declare that they read, and a primary may send those away.
            read_only: match self.route.reason {
                Reason::Rule => self.route.role == Role::Secondary,
                _ => asked.is_read_only_intent(),
            },
            owed,
            narrowed: learned.narrowed(self.link),
            client_strict: *strict,
            on_behalf: if owed.is_some() { own } else { on_behalf },
            packet_bytes_max: session.service.config.packet_bytes_max,
            timeouts: &session.setup.config.timeouts,
        };
        let (outcome, advertised) = Box::pin(attempt.run(dialogue)).await?;
        if target.name == self.route.replica && self.route.role == Role::Primary {
            session.service.advertised.store(advertised);
        }
        learned.version(&target.name, advertised.version, self.topology);
        if let Outcome::Accepted(accepted) = &outcome {
            learned.login(&target.name, &Lesson::new(advertised.version, accepted, false), self.topology);
        }
        Ok(outcome)
    }
}

/// Whether this login is a Windows login, relayed from the client.
pub(super) fn is_windows(login: &Login7) -> bool {
    login.option_flags2.contains(OptionFlags2::INTEGRATED_SECURITY)
}
