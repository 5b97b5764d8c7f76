//! Two simulated SQL Servers and the proxy in front of them. A simulation: it says so, and refuses what it cannot do.
//!
//! | module | what |
//! |---|---|
//! | [`engine`] | T-SQL over SQLite: databases, sessions, transactions, replication from `onprem` to `mi` |
//! | [`server`] | TDS in front of an engine: logins, encryption, requests, responses |
//! | [`tls`] | the certificates the servers show |

pub mod engine;
pub mod server;
pub mod tls;

/// The login every database of the sandbox knows.
pub const LOGIN: &str = "app";
/// Its password. Everybody may know it: the data is made up and the servers listen on the loopback interface only.
pub const PASSWORD: &str = "App_User_1";
/// The database with the example table `Orders`.
pub const DATABASE: &str = "SalesDB";
