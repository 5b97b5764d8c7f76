//! Whole-program scenarios: a running proxy between scripted peers, one module a subject.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod draining;
mod failing;
mod limits;
mod logins;
mod relaying;
mod routing;
