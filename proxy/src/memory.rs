//! How much memory the process holds, so that new sessions can be refused before the kernel ends the process.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use crate::metrics;
use crate::shared::Shared;

/// Between two looks. A look reads one small file of the kernel's.
const INTERVAL: Duration = Duration::from_secs(1);

/// Notes how much memory the process holds, again and again.
pub(crate) async fn watch(shared: Arc<Shared>) {
    loop {
        sleep(INTERVAL).await;
        sample(&shared);
    }
}

/// Notes how much memory the process holds now. Where the system does not tell, a limit on it cannot be kept, which is said.
pub(crate) fn sample(shared: &Shared) {
    let limit = shared.setup().config.limits.memory_bytes_max;
    match resident_bytes() {
        Some(bytes) => {
            metrics::memory(bytes);
            shared.health.memory(bytes, limit);
        }
        None if limit.is_some() => {
            warn!("memory_bytes_max has no effect: the system does not tell what the process holds")
        }
        None => {}
    }
}

/// What is resident, as Linux tells it.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}
