//! Which replica a client is logged in to, and the login there.

use std::sync::Arc;

use bytes::BytesMut;
use link_control::topology::{LinkView, ReplicaName};
use tds::login7::{FeatureId, Login7, OptionFlags3};
use tracing::{info, warn};

use super::Session;
use super::error::{self, SessionError};
use crate::backend::{Attempt, Backend, Dialogue, OnBehalf, Outcome, Rejection};
use crate::config::{Action, Encryption, Rule};
use crate::places::Place;
use crate::route::{self, NoRoute, Question, Reason, Role, Route};
use crate::rules::{self, Visitor};

/// Refusals that say "this replica does not serve readers now": SQL Server's errors for databases that are not
/// readable, not there yet, or on a replica that changes its role.
const NOT_SERVING: [i32; 7] = [976, 978, 979, 983, 4060, 4221, 40613];

/// A login on its way.
pub(super) struct Login<'a> {
    pub(super) session: &'a Session,
    pub(super) login: &'a Login7,
    /// The client speaks TDS 8.0.
    pub(super) strict: bool,
    pub(super) on_behalf: OnBehalf,
    pub(super) place: Place,
}

/// A client with its backend.
pub(super) struct LoggedIn {
    pub(super) backend: Box<Backend>,
    pub(super) route: Route,
    /// The operator's rule that applied.
    pub(super) rule: Option<Arc<str>>,
    /// Held while the session lasts.
    pub(super) place: Place,
    /// The login response for the client.
    pub(super) answer: BytesMut,
}

/// What the client gets.
pub(super) enum Answer {
    LoggedIn(Box<LoggedIn>),
    /// The replica's own refusal.
    Refused {
        answer: BytesMut,
        number: i32,
    },
}

impl Login<'_> {
    /// Finds a replica and logs in there. A secondary that does not serve is passed over if the service allows it.
    pub(super) async fn run(self, dialogue: &mut Dialogue<'_>) -> Result<Answer, SessionError> {
        self.check(dialogue)?;
        let rule = self.rule()?;
        // One picture for the whole login: a failover between two looks would mix two epochs.
        let topology = self.session.shared.topology_for(&self.session.setup);
        let service = &self.session.service.config;
        let link = topology.link_of(&self.login.database).or_else(|| topology.link(&service.link));
        let Some(link) = link else {
            return Err(SessionError::NoReplica { link: service.link.clone(), role: Role::Primary.as_str() });
        };
        let mut unusable: Vec<ReplicaName> = Vec::new();
        let mut last_error = None;
        loop {
            let route = match route::route(link, self.question(rule, &unusable)) {
                Ok(route) => route,
                Err(no_route) => return Err(last_error.unwrap_or_else(|| nowhere(link, no_route))),
            };
            match self.try_on(&route, dialogue).await {
                Ok(Outcome::Accepted { backend, answer }) => {
                    self.log(&route, rule, &backend, link);
                    let rule = rule.map(|rule| Arc::clone(&rule.name));
                    return Ok(Answer::LoggedIn(Box::new(LoggedIn {
                        backend,
                        route,
                        rule,
                        place: self.place,
                        answer,
                    })));
                }
                Ok(Outcome::Rejected(rejection)) if self.passes_over(&route, &rejection, dialogue) => {
                    warn!(replica = %route.replica, number = rejection.number, "the secondary does not serve");
                }
                Ok(Outcome::Rejected(Rejection { number, answer })) => return Ok(Answer::Refused { answer, number }),
                Err(error) if route.role == Role::Secondary && error.may_try_elsewhere() && !dialogue.has_spoken() => {
                    warn!(replica = %route.replica, error = %error::chain(&error), "the secondary cannot be used");
                    last_error = Some(error);
                }
                Err(error) => return Err(error),
            }
            unusable.push(route.replica);
        }
    }

    /// Refuses what could not work, before a replica is bothered with it.
    fn check(&self, dialogue: &Dialogue<'_>) -> Result<(), SessionError> {
        if !self.login.tds_version.is_7_2_or_later() {
            return Err(SessionError::TdsVersion(self.login.tds_version.number()));
        }
        if self.is_federated() && !dialogue.is_protected() {
            return Err(SessionError::TokenInClear("the client's connection"));
        }
        Ok(())
    }

    /// Whether the client proves itself with a Microsoft Entra token, which anybody who sees it could use.
    fn is_federated(&self) -> bool {
        self.login.feature(FeatureId::FederatedAuthentication).is_some()
    }

    /// The operator's rule for this session; an error if that turns it away.
    fn rule(&self) -> Result<Option<&Rule>, SessionError> {
        let visitor = Visitor {
            service: &self.session.service.config.name,
            address: self.session.guard.client().ip(),
            login: &self.login.user_name,
            application: &self.login.application_name,
            host: &self.login.host_name,
            database: &self.login.database,
        };
        let Some(rule) = rules::first_match(&self.session.setup.config.rules, visitor) else { return Ok(None) };
        self.session.setup.meters.rule_matched(&rule.name, rule.action.as_str());
        match &rule.action {
            Action::Reject { message } => {
                Err(SessionError::Rejected { rule: Arc::clone(&rule.name), message: message.clone() })
            }
            _ => Ok(Some(rule)),
        }
    }

    fn question<'q>(&self, rule: Option<&Rule>, unusable: &'q [ReplicaName]) -> Question<'q> {
        Question {
            read_only: self.login.is_read_only_intent(),
            ruled: rule.and_then(|rule| match rule.action {
                Action::Primary => Some(Role::Primary),
                Action::Secondary => Some(Role::Secondary),
                Action::Intent | Action::Reject { .. } => None,
            }),
            changes_password: self.login.option_flags3.contains(OptionFlags3::CHANGE_PASSWORD),
            secondary_missing: self.session.service.config.secondary_missing,
            unusable,
            turn: self.session.guard.id(),
        }
    }

    async fn try_on(&self, route: &Route, dialogue: &mut Dialogue<'_>) -> Result<Outcome, SessionError> {
        let setup = &self.session.setup;
        let target = setup.target(&route.replica)?;
        if self.is_federated() && target.encryption < Encryption::Full {
            return Err(SessionError::TokenInClear("the connection to its replica"));
        }
        let attempt = Attempt {
            target,
            login: self.login,
            application_name_suffix: &self.session.service.config.application_name_suffix,
            // A secondary may take only sessions that declare that they read, and a primary may send those away.
            read_only: match route.reason {
                Reason::Rule => route.role == Role::Secondary,
                _ => self.login.is_read_only_intent(),
            },
            client_strict: self.strict,
            on_behalf: OnBehalf { endpoints: self.session.endpoints, ..self.on_behalf },
            packet_bytes_max: self.session.service.config.packet_bytes_max,
            timeouts: &setup.config.timeouts,
        };
        let (outcome, advertised) = Box::pin(attempt.run(dialogue)).await?;
        if route.role == Role::Primary {
            self.session.service.advertised.store(advertised);
        }
        Ok(outcome)
    }

    fn passes_over(&self, route: &Route, rejection: &Rejection, dialogue: &Dialogue<'_>) -> bool {
        route.role == Role::Secondary && !dialogue.has_spoken() && NOT_SERVING.contains(&rejection.number)
    }

    fn log(&self, route: &Route, rule: Option<&Rule>, backend: &Backend, link: &LinkView) {
        info!(
            user = self.login.user_name,
            database = self.login.database,
            application = self.login.application_name,
            link = %link.name,
            replica = %route.replica,
            role = route.role.as_str(),
            reason = route.reason.as_str(),
            rule = rule.map(|rule| &*rule.name),
            backend_protection = backend.stream.protection(),
            "session logged in"
        );
    }
}

fn nowhere(link: &LinkView, no_route: NoRoute) -> SessionError {
    let role = match no_route {
        NoRoute::Primary => Role::Primary,
        NoRoute::Secondary => Role::Secondary,
    };
    SessionError::NoReplica { link: link.name.clone(), role: role.as_str() }
}
