//! The TDS wire: bytes to values and back. No socket, no clock, no file.
//!
//! Everything here works on bytes that somebody else read and gives back values, or takes values and appends bytes.
//! Peers lie, so every length, count and offset is checked before it is used, and nothing is allocated on a peer's word.
//!
//! | module | [MS-TDS] | what |
//! |---|---|---|
//! | [`packet`] | 2.2.3 | packet headers, cutting packets from a buffer, cutting a message into packets |
//! | [`text`], [`read`] | 2.2.5.1 | UTF-16 strings, length-prefixed fields, a checked reader |
//! | [`prelogin`] | 2.2.6.5 | PRELOGIN options and the encryption agreement |
//! | [`login7`] | 2.2.6.4 | LOGIN7 with every field and feature extension |
//! | [`login_response`] | 2.2.6.2 | the tokens of a login response |
//! | [`request`] | 2.2.6.6–2.2.6.9 | ALL_HEADERS, batch text, RPC heads, transaction manager requests |
//! | [`rpc`] | 2.2.6.6 | remote procedure calls with every parameter, tables included |
//! | [`bulk`] | 2.2.6.1 | the rows of a bulk load, as they stream in |
//! | [`browser`] | [MC-SQLR] | which port an instance listens on: questions and answers by UDP |
//! | [`types`], [`value`] | 2.2.5.4–2.2.5.5 | TYPE_INFO and the values it describes |
//! | [`token`], [`scan`] | 2.2.7 | the tokens of a response, one by one or skipped as they stream past |
//! | [`write`](mod@write) | 2.2.7 | the tokens we originate |

// A peer's numbers must not overflow: outside tests all arithmetic says what it does then.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod browser;
pub mod bulk;
pub mod error;
pub mod login7;
pub mod login_response;
pub mod packet;
pub mod prelogin;
pub mod read;
pub mod request;
pub mod rpc;
pub mod scan;
pub mod text;
pub mod token;
pub mod types;
pub mod value;
pub mod write;

pub use error::DecodeError;
