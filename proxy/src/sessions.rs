//! Who is connected: a registry that entries leave however their session's task ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::admin::{LoginView, SessionView};

/// All sessions of the process.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    live: DashMap<u64, Entry>,
    next_id: AtomicU64,
    left: Notify,
}

/// What is known of one session.
#[derive(Debug)]
struct Entry {
    client: SocketAddr,
    service: Arc<str>,
    since: Instant,
    /// There once it logged in.
    login: Option<LoginView>,
}

impl Entry {
    fn view(&self, id: u64) -> SessionView {
        SessionView {
            id,
            client: self.client.to_string(),
            service: self.service.to_string(),
            age_ms: u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            login: self.login.clone(),
        }
    }
}

impl Sessions {
    /// Adds a session; it is gone when the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>, client: SocketAddr, service: Arc<str>) -> SessionGuard {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        self.live.insert(id, Entry { client, service, since: Instant::now(), login: None });
        SessionGuard { id, client, sessions: Arc::clone(self) }
    }

    /// Every session at about this moment, by id, as the admin interface shows them.
    pub(crate) fn views(&self) -> Vec<SessionView> {
        let mut views: Vec<_> = self.live.iter().map(|entry| entry.view(*entry.key())).collect();
        views.sort_by_key(|view| view.id);
        views
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.live.len()
    }

    /// Waits until there is none.
    pub(crate) async fn gone(&self) {
        loop {
            let left = self.left.notified();
            if self.live.is_empty() {
                return;
            }
            left.await;
        }
    }
}

/// One session's place in the registry.
#[derive(Debug)]
pub(crate) struct SessionGuard {
    id: u64,
    client: SocketAddr,
    sessions: Arc<Sessions>,
}

impl SessionGuard {
    /// The session's number, never used twice in a process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Where its client is.
    pub(crate) fn client(&self) -> SocketAddr {
        self.client
    }

    /// Notes where its client is, if that is not whose connection it is.
    pub(crate) fn announced(&mut self, client: SocketAddr) {
        self.client = client;
        if let Some(mut entry) = self.sessions.live.get_mut(&self.id) {
            entry.client = client;
        }
    }

    /// Notes who logged in and where to.
    pub(crate) fn logged_in(&self, login: LoginView) {
        if let Some(mut entry) = self.sessions.live.get_mut(&self.id) {
            entry.login = Some(login);
        }
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.sessions.live.remove(&self.id);
        self.sessions.left.notify_waiters();
    }
}
