//! A logged-in connection to a replica, and how it comes to be.
//!
//! | file | owns |
//! |---|---|
//! | `target.rs` | a replica as the connector needs it |
//! | `connect.rs` | TCP, PRELOGIN, TLS as the operator wrote it |
//! | `dialogue.rs` | the further legs of Windows and Entra logins |
//! | `application.rs` | the application's name as the replica gets it |
//! | `features.rs` | what may be asked for, so that it holds everywhere |
//! | `login.rs` | the client's LOGIN7 made fit for this leg; redirects followed |
//! | `response.rs` | the login response, made fit for the client |

mod application;
mod connect;
mod dialogue;
mod features;
mod login;
mod response;
mod target;

pub(crate) use connect::{Advertised, OnBehalf, ask};
pub(crate) use dialogue::Dialogue;
pub(crate) use features::{Narrowed, PROMISES, Versions, every_promise};
pub(crate) use login::{Accepted, Attempt, Backend, Outcome, Rejection};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use response::{ForClient, Verdict, read as read_login_response};
pub(crate) use response::{Heard, Owed};
pub(crate) use target::Target;
