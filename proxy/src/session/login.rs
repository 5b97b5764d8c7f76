//! Which replica a client is logged in to, and the login there.

use std::sync::Arc;

use bytes::BytesMut;
use link_control::topology::{LinkView, ReplicaName};
use tds::login7::{FeatureId, Login7, OptionFlags3};
use tracing::{info, warn};

use super::Session;
use super::entry::{self, Entrance, Entry};
use super::error::{self, SessionError};
use super::refusal;
use crate::backend::{Backend, Dialogue, OnBehalf, Rejection};
use crate::config::{Action, Rule};
use crate::limits::{Limit, LoginPlace};
use crate::places::Place;
use crate::route::{self, NoRoute, Question, Role, Route};
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
    /// Among the sessions of the process and of the service.
    pub(super) places: [Place; 2],
}

/// A client with its backend.
pub(super) struct LoggedIn {
    pub(super) backend: Box<Backend>,
    pub(super) route: Route,
    /// The operator's rule that applied.
    pub(super) rule: Option<Arc<str>>,
    /// The replica that let the client in with its own credentials, where the backend is logged in with the proxy's.
    pub(super) proven_on: Option<ReplicaName>,
    /// Held while the session lasts.
    pub(super) places: [Place; 2],
    /// The same among the sessions of its login; `None` for one without a name, such as an Entra token's.
    pub(super) login_place: Option<LoginPlace>,
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
        let mut proof = None;
        loop {
            let route = match route::route(link, self.question(rule, &unusable)) {
                Ok(route) => route,
                Err(no_route) => return Err(last_error.unwrap_or_else(|| nowhere(link, no_route))),
            };
            let entrance = Entrance { login: &self, link, topology: &topology, route: &route };
            let entry = entrance.enter(&mut proof, dialogue).await;
            let proven_on = proof.as_ref().map(|proof| proof.on.clone());
            match entry {
                Ok(Entry::Accepted(accepted)) => {
                    self.log(&route, rule, proven_on.as_ref(), &accepted.backend, link);
                    let login_place = self.login_place()?;
                    let rule = rule.map(|rule| Arc::clone(&rule.name));
                    let (backend, answer) = (Box::new(accepted.backend), accepted.answer);
                    let places = self.places;
                    let logged_in = LoggedIn { backend, route, rule, proven_on, places, login_place, answer };
                    return Ok(Answer::LoggedIn(Box::new(logged_in)));
                }
                Ok(Entry::Rejected(rejection)) if self.passes_over(&route, &rejection, dialogue) => {
                    warn!(replica = %route.replica, number = rejection.number, "the secondary does not serve");
                }
                // Its text speaks of the proxy's login, and the client cannot do anything about that.
                Ok(Entry::Rejected(Rejection { number, .. })) if proven_on.is_some() => {
                    return Err(SessionError::IdentityRefused { replica: route.replica, number });
                }
                Ok(Entry::Rejected(rejection) | Entry::Unproven(rejection)) => return Ok(self.refused(rejection)),
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
        let max = self.sessions_per_login_max();
        if self.has_name() && self.session.service.usage.is_full(&self.login.user_name, max) {
            return Err(super::limit(Limit::LoginSessions, max));
        }
        Ok(())
    }

    /// A place among the sessions of this login, now that the replica believes that it is this login.
    fn login_place(&self) -> Result<Option<LoginPlace>, SessionError> {
        if !self.has_name() {
            return Ok(None);
        }
        let max = self.sessions_per_login_max();
        let place = self.session.service.usage.take_login(&self.login.user_name, max);
        place.map(Some).ok_or_else(|| super::limit(Limit::LoginSessions, max))
    }

    fn sessions_per_login_max(&self) -> usize {
        self.session.service.config.limits.sessions_per_login_max.unwrap_or(usize::MAX)
    }

    fn has_name(&self) -> bool {
        !self.login.user_name.is_empty()
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

    /// The replica's own refusal; a Windows login is told what a relay cannot do, which no server knows to be the reason.
    fn refused(&self, Rejection { number, answer }: Rejection) -> Answer {
        let answer = match entry::is_windows(self.login) {
            true => refusal::with_limits_of_relay(&answer, self.session.guard.id()),
            false => answer,
        };
        Answer::Refused { answer, number }
    }

    fn passes_over(&self, route: &Route, rejection: &Rejection, dialogue: &Dialogue<'_>) -> bool {
        route.role == Role::Secondary && !dialogue.has_spoken() && NOT_SERVING.contains(&rejection.number)
    }

    fn log(
        &self,
        route: &Route,
        rule: Option<&Rule>,
        proven_on: Option<&ReplicaName>,
        backend: &Backend,
        link: &LinkView,
    ) {
        info!(
            user = self.login.user_name,
            database = self.login.database,
            application = self.login.application_name,
            link = %link.name,
            replica = %route.replica,
            role = route.role.as_str(),
            reason = route.reason.as_str(),
            rule = rule.map(|rule| &*rule.name),
            proven_on = proven_on.map(ReplicaName::as_str),
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
