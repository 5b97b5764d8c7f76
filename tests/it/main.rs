//! Whole-program scenarios, one module a subject, and checks of the code itself.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod announcing;
mod attentions;
mod backends;
mod browser;
mod differences;
mod draining;
mod entra;
mod failing;
mod identity;
mod judges;
mod limits;
mod logins;
mod misbehaviours;
mod relaying;
mod reloading;
mod routing;
mod rules;
mod stalls;
mod tidy;
