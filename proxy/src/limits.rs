//! What a service's clients use of its limits: sessions, sessions of one login, connections and logins per second.
//!
//! A service has one listener, so a limit of the one is a limit of the other. What is in use outlives a reload; how much
//! may be is said each time.

use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use tokio::time::Instant;

use crate::places::{Place, Places};

/// A limit that refuses clients. The label `limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Sockets of clients, logged in or not.
    Connections,
    /// Connections to a service within a second.
    ConnectionRate,
    /// Logins to a service within a second.
    LoginRate,
    /// Logins that wait for their turn.
    LoginQueue,
    /// Logins whose turn does not come in time.
    LoginTurn,
    /// Sessions of the process.
    Sessions,
    /// Sessions of a service.
    ServiceSessions,
    /// Sessions of one login in a service.
    LoginSessions,
    /// Memory of the process.
    Memory,
}

impl Limit {
    /// The limit as the label says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionRate => "connection-rate",
            Self::LoginRate => "login-rate",
            Self::LoginQueue => "login-queue",
            Self::LoginTurn => "login-turn",
            Self::Sessions => "sessions",
            Self::ServiceSessions => "service-sessions",
            Self::LoginSessions => "login-sessions",
            Self::Memory => "memory",
        }
    }

    /// What there may be so many of, in words for who is refused.
    pub(crate) fn of_what(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionRate => "connections per second to this service",
            Self::LoginRate => "logins per second to this service",
            Self::LoginQueue => "waiting logins",
            Self::LoginTurn => "logins in progress",
            Self::Sessions => "sessions",
            Self::ServiceSessions => "sessions of this service",
            Self::LoginSessions => "sessions of this login",
            Self::Memory => "bytes of memory",
        }
    }
}

/// What is in use of a service's limits.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    pub(crate) sessions: Arc<Places>,
    pub(crate) connections: Bucket,
    pub(crate) logins: Bucket,
    /// By login name, folded: SQL Server tells names apart by case only where an operator chose so.
    by_login: DashMap<String, Arc<Places>>,
}

impl Usage {
    /// Whether a login of this name has `max` sessions already. A look, so that nobody who only knows a name can take the
    /// places of those who know its password.
    pub(crate) fn is_full(&self, login: &str, max: usize) -> bool {
        self.by_login.get(&login.to_lowercase()).is_some_and(|places| places.taken() >= max)
    }

    /// A place among the sessions of this login, unless `max` are taken. To be taken once a replica has let it in.
    pub(crate) fn take_login(self: &Arc<Self>, login: &str, max: usize) -> Option<LoginPlace> {
        let login = login.to_lowercase();
        let place = self.by_login.entry(login.clone()).or_default().take(max)?;
        Some(LoginPlace { place: Some(place), usage: Arc::clone(self), login })
    }
}

/// A place among the sessions of a login, taken until it is dropped.
#[derive(Debug)]
pub(crate) struct LoginPlace {
    place: Option<Place>,
    usage: Arc<Usage>,
    login: String,
}

impl Drop for LoginPlace {
    fn drop(&mut self) {
        self.place = None;
        self.usage.by_login.remove_if(&self.login, |_, places| places.taken() == 0);
    }
}

/// A token bucket that holds what one second gives.
#[derive(Debug, Default)]
pub(crate) struct Bucket(Mutex<Option<Level>>);

#[derive(Debug, Clone, Copy)]
struct Level {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A token, if there is one `now`, at so many per second. A bucket starts full.
    pub(crate) fn take(&self, now: Instant, per_second: u32) -> bool {
        let full = f64::from(per_second);
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = level.unwrap_or(Level { tokens: full, at: now });
        let gained = now.saturating_duration_since(before.at).as_secs_f64() * full;
        let tokens = (before.tokens + gained).min(full);
        let has_one = tokens >= 1.0;
        *level = Some(Level { tokens: if has_one { tokens - 1.0 } else { tokens }, at: now.max(before.at) });
        has_one
    }
}

#[cfg(test)]
mod tests {
    //! Buckets fill with time, and places of a login leave nothing behind.

    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_gives_a_second_s_worth_at_once_and_then_as_it_fills() {
        let (bucket, start) = (Bucket::default(), Instant::now());
        let taken = |after_ms| (0..10).filter(|_| bucket.take(start + Duration::from_millis(after_ms), 4)).count();
        assert_eq!([taken(0), taken(249), taken(250), taken(1_000), taken(60_000)], [4, 0, 1, 3, 4]);
    }

    #[test]
    fn a_clock_that_stands_gives_nothing() {
        let (bucket, start) = (Bucket::default(), Instant::now());
        assert!(bucket.take(start + Duration::from_secs(1), 1));
        assert!(!bucket.take(start, 1), "an earlier moment must not fill it");
    }

    #[test]
    fn a_login_has_its_places_whatever_its_case_and_gives_them_back() {
        let usage = Arc::new(Usage::default());
        let first = usage.take_login("App", 2).unwrap();
        let second = usage.take_login("app", 2).unwrap();
        assert!(usage.is_full("APP", 2) && usage.take_login("app", 2).is_none());
        assert!(!usage.is_full("other", 2));
        drop(first);
        assert!(!usage.is_full("app", 2));
        drop(second);
        assert!(usage.by_login.is_empty(), "names of who left are forgotten");
    }
}
