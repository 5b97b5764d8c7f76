//! What whole-program tests stand on: a proxy in front of scripted servers, and a client that says exactly what a test
//! tells it to.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on shall panic"
)]

pub mod fake_server;
pub mod program;
pub mod raw_client;
pub mod running_proxy;
pub mod shown_certificate;
pub mod tap;
pub mod wrapped_client;
