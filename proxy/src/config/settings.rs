//! Reads the sections that concern the process itself: `[log]`, `[admin]`, `[runtime]`, `[limits]`, `[timeouts]`.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use tracing_subscriber::EnvFilter;

use super::problems::Problems;
use super::section::Section;
use super::{Limits, Log, LogFormat, Runtime, ServiceLimits, Timeouts};

pub(super) fn log(mut section: Section<'_>, problems: &mut Problems<'_>) -> Log {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let format = section.choice("format", LogFormat::Text, &formats, problems);
    let level = section.text("level", "info", problems).map_or_else(
        || "info".to_owned(),
        |level| {
            if let Err(error) = EnvFilter::try_new(level.get_ref()) {
                let instead = "write a level (error, warn, info, debug, trace) or a list such as \"info,proxy=debug\"";
                problems.add(level.span(), &section.key("level"), format!("is no log filter: {error}"), instead);
            }
            level.into_inner()
        },
    );
    section.finish(problems);
    Log { format, level }
}

pub(super) fn admin(section: Option<Section<'_>>, problems: &mut Problems<'_>) -> Option<Spanned<SocketAddr>> {
    let mut section = section?;
    let address = socket_address(&mut section, "address", "127.0.0.1:11480", problems);
    section.finish(problems);
    address
}

pub(super) fn runtime(mut section: Section<'_>, problems: &mut Problems<'_>) -> Runtime {
    let threads = size(&mut section, "worker_threads", 0, 0..=1024, problems);
    section.finish(problems);
    Runtime { worker_threads: (threads > 0).then_some(threads) }
}

pub(super) fn limits(mut section: Section<'_>, problems: &mut Problems<'_>) -> Limits {
    let s = &mut section;
    let limits = Limits {
        sessions_max: size(s, "sessions_max", 10_000, 1..=1_000_000, problems),
        handshakes_max: size(s, "handshakes_max", 256, 1..=100_000, problems),
        login_queue_max: size(s, "login_queue_max", 2_000, 0..=1_000_000, problems),
        // A LOGIN7 message is at most 128 KiB - 1 ([MS-TDS] 2.2.6.4); room above it would only serve liars.
        login_bytes_max: size(s, "login_bytes_max", 131_072, 4_096..=131_072, problems),
        // At least one packet of the greatest size must fit.
        relay_buffer_bytes: size(s, "relay_buffer_bytes", 65_536, 32_768..=16_777_216, problems),
        memory_bytes_max: Some(s.number("memory_bytes_max", 0, 0..=1 << 50, problems)).filter(|&bytes| bytes > 0),
    };
    section.finish(problems);
    limits
}

/// The keys of a service that limit it.
pub(super) fn service_limits(section: &mut Section<'_>, problems: &mut Problems<'_>) -> ServiceLimits {
    let mut sessions = |key| Some(size(section, key, 0, 0..=1_000_000, problems)).filter(|&max| max > 0);
    let (sessions_max, sessions_per_login_max) = (sessions("sessions_max"), sessions("sessions_per_login_max"));
    let mut rate = |key| u32::try_from(size(section, key, 0, 0..=1_000_000, problems)).ok().filter(|&max| max > 0);
    ServiceLimits {
        sessions_max,
        sessions_per_login_max,
        connections_per_second_max: rate("connections_per_second_max"),
        logins_per_second_max: rate("logins_per_second_max"),
    }
}

pub(super) fn timeouts(mut section: Section<'_>, problems: &mut Problems<'_>) -> Timeouts {
    let mut wait = |key, default, range| Duration::from_millis(section.number(key, default, range, problems));
    let off_if_zero = |wait: Duration| (!wait.is_zero()).then_some(wait);
    let timeouts = Timeouts {
        prelogin: wait("prelogin_ms", 10_000, MINUTES),
        tls_handshake: wait("tls_handshake_ms", 10_000, MINUTES),
        // Below the 15 s after which SqlClient, JDBC and ODBC give up by themselves, so that clients hear why.
        login: wait("login_ms", 14_000, MINUTES),
        backend_connect: wait("backend_connect_ms", 5_000, MINUTES),
        backend_login: wait("backend_login_ms", 10_000, MINUTES),
        idle: off_if_zero(wait("idle_ms", 0, OFF_OR_WEEK)),
        request: off_if_zero(wait("request_ms", 0, OFF_OR_WEEK)),
        stall: off_if_zero(wait("stall_ms", 0, OFF_OR_WEEK)),
        keepalive: off_if_zero(wait("keepalive_ms", 30_000, OFF_OR_WEEK)),
        drain: wait("drain_ms", 30_000, OFF_OR_WEEK),
        probe_interval: wait("probe_interval_ms", 5_000, 100..=600_000),
        watch_interval: off_if_zero(wait("watch_interval_ms", 2_000, 0..=600_000)),
    };
    section.finish(problems);
    timeouts
}

/// An address to listen on: an IP address and a port, since a name could mean several.
pub(super) fn socket_address(
    section: &mut Section<'_>,
    key: &'static str,
    example: &str,
    problems: &mut Problems<'_>,
) -> Option<Spanned<SocketAddr>> {
    let text = section.required_text(key, example, problems)?;
    match text.get_ref().parse() {
        Ok(address) => Some(Spanned::new(text.span(), address)),
        Err(_) => {
            let what = format!("is \"{}\", which is not an IP address and a port", text.get_ref());
            problems.add(text.span(), &section.key(key), what, format!("write for example {key} = \"{example}\""));
            None
        }
    }
}

/// A number of things in memory.
pub(super) fn size(
    section: &mut Section<'_>,
    key: &'static str,
    default: u64,
    range: RangeInclusive<u64>,
    problems: &mut Problems<'_>,
) -> usize {
    usize::try_from(section.number(key, default, range, problems)).expect("every range here ends below 32 bits")
}

const MINUTES: RangeInclusive<u64> = 1..=600_000;
const OFF_OR_WEEK: RangeInclusive<u64> = 0..=604_800_000;
