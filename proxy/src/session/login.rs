//! Which replica a client is logged in to, and the login there.

use bytes::BytesMut;
use link_control::topology::{LinkView, ReplicaName};
use tds::login7::{FeatureId, Login7, OptionFlags2, OptionFlags3};
use tds::prelogin::TraceId;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{info, warn};

use super::Session;
use super::error::{self, SessionError};
use crate::backend::{Attempt, Backend, Outcome, Rejection};
use crate::route::{self, NoRoute, Question, Role, Route};

/// Refusals that say "this replica does not serve readers now": SQL Server's errors for databases that are not
/// readable, not there yet, or on a replica that changes its role.
const NOT_SERVING: [i32; 7] = [976, 978, 979, 983, 4060, 4221, 40613];

/// A login on its way.
pub(super) struct Login<'a> {
    pub(super) session: &'a Session,
    pub(super) login: &'a Login7,
    /// The client speaks TDS 8.0.
    pub(super) strict: bool,
    pub(super) trace_id: Option<TraceId>,
    pub(super) place: OwnedSemaphorePermit,
}

/// A client with its backend.
pub(super) struct LoggedIn {
    pub(super) backend: Box<Backend>,
    pub(super) route: Route,
    /// Held while the session lasts.
    pub(super) place: OwnedSemaphorePermit,
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
    pub(super) async fn run(self) -> Result<Answer, SessionError> {
        self.check()?;
        // One picture for the whole login: a failover between two looks would mix two epochs.
        let topology = self.session.shared.topology.snapshot();
        let service = &self.session.service.config;
        let link = topology.link_of(&self.login.database).or_else(|| topology.link(&service.link));
        let Some(link) = link else {
            return Err(SessionError::NoReplica { link: service.link.clone(), role: Role::Primary.as_str() });
        };
        let mut unusable: Vec<ReplicaName> = Vec::new();
        let mut last_error = None;
        loop {
            let route = match route::route(link, self.question(&unusable)) {
                Ok(route) => route,
                Err(no_route) => return Err(last_error.unwrap_or_else(|| nowhere(link, no_route))),
            };
            match self.try_on(&route).await {
                Ok(Outcome::Accepted { backend, answer }) => {
                    self.log(&route, &backend, link);
                    return Ok(Answer::LoggedIn(Box::new(LoggedIn { backend, route, place: self.place, answer })));
                }
                Ok(Outcome::Rejected(rejection)) if self.passes_over(&route, &rejection) => {
                    warn!(replica = %route.replica, number = rejection.number, "the secondary does not serve");
                }
                Ok(Outcome::Rejected(Rejection { number, answer })) => return Ok(Answer::Refused { answer, number }),
                Err(error) if route.role == Role::Secondary && error.may_try_elsewhere() => {
                    warn!(replica = %route.replica, error = %error::chain(&error), "the secondary cannot be used");
                    last_error = Some(error);
                }
                Err(error) => return Err(error),
            }
            unusable.push(route.replica);
        }
    }

    /// Refuses what could not work, before a replica is bothered with it.
    fn check(&self) -> Result<(), SessionError> {
        if !self.login.tds_version.is_7_2_or_later() {
            return Err(SessionError::TdsVersion(self.login.tds_version.number()));
        }
        if self.login.option_flags2.contains(OptionFlags2::INTEGRATED_SECURITY) {
            return Err(SessionError::Authentication("Windows authentication"));
        }
        if self.login.feature(FeatureId::FederatedAuthentication).is_some() {
            return Err(SessionError::Authentication("Microsoft Entra authentication"));
        }
        Ok(())
    }

    fn question<'q>(&self, unusable: &'q [ReplicaName]) -> Question<'q> {
        Question {
            read_only: self.login.is_read_only_intent(),
            changes_password: self.login.option_flags3.contains(OptionFlags3::CHANGE_PASSWORD),
            secondary_missing: self.session.service.config.secondary_missing,
            unusable,
            turn: self.session.guard.id(),
        }
    }

    async fn try_on(&self, route: &Route) -> Result<Outcome, SessionError> {
        let shared = &self.session.shared;
        let target = shared.target(&route.replica)?;
        let attempt = Attempt {
            target,
            login: self.login,
            client_strict: self.strict,
            trace_id: self.trace_id,
            packet_bytes_max: self.session.service.config.packet_bytes_max,
            timeouts: &shared.config.timeouts,
        };
        let (outcome, version) = Box::pin(attempt.run()).await?;
        if route.role == Role::Primary {
            self.session.service.version.store(version);
        }
        Ok(outcome)
    }

    fn passes_over(&self, route: &Route, rejection: &Rejection) -> bool {
        route.role == Role::Secondary && NOT_SERVING.contains(&rejection.number)
    }

    fn log(&self, route: &Route, backend: &Backend, link: &LinkView) {
        info!(
            user = self.login.user_name,
            database = self.login.database,
            application = self.login.application_name,
            link = %link.name,
            replica = %route.replica,
            role = route.role.as_str(),
            reason = route.reason.as_str(),
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
