//! The only place that touches sockets: plain and TLS streams, packets in and out, buffers that exist only while busy.
//!
//! | file | owns |
//! |---|---|
//! | `announcement.rs` | the PROXY protocol's header, before a session |
//! | `socket.rs` | TCP options, connecting |
//! | `wire.rs` | what lies under TLS: bare TCP, handshakes wrapped in PRELOGIN packets, record-wise reading |
//! | `tls.rs` | the rustls configurations, handshakes of both roles |
//! | `stream.rs` | a leg's stream, plain or TLS, behind one type |
//! | `messages.rs` | whole messages, for the login |
//! | `flow.rs` | one direction of a running session: whole packets through a bounded buffer |

pub(crate) mod announcement;
pub(crate) mod flow;
pub(crate) mod messages;
pub(crate) mod socket;
pub(crate) mod stream;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod tls;
pub(crate) mod wire;

pub(crate) use stream::Stream;
