//! The system's limit on open files, which is the limit on sessions that nobody thinks of: each takes two.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::{info, warn};

use crate::config::Limits;

/// Raises the process's own limit as far as the system lets it and `limits` need it, and says so where that is not enough.
pub fn raise(limits: &Limits) {
    let needed = needed(limits);
    let mut limit = getrlimit(Resource::Nofile);
    // `None` means no limit at all.
    let Some(current) = limit.current else { return };
    if current >= needed {
        return;
    }
    let allowed = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    limit.current = Some(allowed);
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) if allowed >= needed => info!(from = current, to = allowed, "raised the limit on open files"),
        Ok(()) => warn!(allowed, needed, "sessions_max needs more open files than the system allows; raise its limit"),
        Err(error) => warn!(%error, allowed = current, needed, "the limit on open files cannot be raised"),
    }
}

/// A socket for each client and each backend, and some for everything else.
fn needed(limits: &Limits) -> u64 {
    let sockets = 2 * limits.sessions_max + limits.handshakes_max + limits.login_queue_max;
    u64::try_from(sockets).unwrap_or(u64::MAX).saturating_add(OTHER_FILES)
}

/// Standard streams, listeners, the runtime's own, the admin interface's connections.
const OTHER_FILES: u64 = 256;
