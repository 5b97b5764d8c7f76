//! A logged-in connection to a replica, and how it comes to be.
//!
//! | file | owns |
//! |---|---|
//! | `target.rs` | a replica as the connector needs it |
//! | `connect.rs` | TCP, PRELOGIN, TLS as the operator wrote it |
//! | `login.rs` | the client's LOGIN7 made fit for this leg; redirects followed |
//! | `response.rs` | the login response, made fit for the client |

mod connect;
mod login;
mod response;
mod target;

pub(crate) use connect::ask_version;
pub(crate) use login::{Attempt, Backend, Outcome, Rejection};
pub(crate) use target::Target;
