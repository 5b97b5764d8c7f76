//! ENVCHANGE: what changed in the session ([MS-TDS] 2.2.7.9).

mod codec;

use crate::types::Collation;

/// The types of ENVCHANGE.
pub mod kind {
    /// Database.
    pub const DATABASE: u8 = 1;
    /// Language.
    pub const LANGUAGE: u8 = 2;
    /// Character set, of TDS 7.0.
    pub const CHARSET: u8 = 3;
    /// Packet size.
    pub const PACKET_SIZE: u8 = 4;
    /// Locale of Unicode sorting, of TDS 7.0.
    pub const UNICODE_LOCALE: u8 = 5;
    /// Flags of Unicode sorting, of TDS 7.0.
    pub const UNICODE_FLAGS: u8 = 6;
    /// Collation.
    pub const COLLATION: u8 = 7;
    /// A transaction began.
    pub const BEGIN: u8 = 8;
    /// A transaction committed.
    pub const COMMIT: u8 = 9;
    /// A transaction rolled back.
    pub const ROLLBACK: u8 = 10;
    /// The session joined a distributed transaction.
    pub const ENLIST: u8 = 11;
    /// The session left a distributed transaction.
    pub const DEFECT: u8 = 12;
    /// The mirroring partner.
    pub const MIRROR: u8 = 13;
    /// A transaction became a distributed one.
    pub const PROMOTE: u8 = 15;
    /// The address of the transaction manager.
    pub const TRANSACTION_MANAGER: u8 = 16;
    /// A transaction ended.
    pub const TRANSACTION_ENDED: u8 = 17;
    /// The session was reset.
    pub const RESET: u8 = 18;
    /// The name of the user's instance.
    pub const USER_INSTANCE: u8 = 19;
    /// The client shall connect elsewhere.
    pub const ROUTING: u8 = 20;
    /// The client shall connect elsewhere, to another database.
    pub const ENHANCED_ROUTING: u8 = 21;
}

/// A change in the session's environment. A transaction descriptor is the wire's 8 bytes, little-endian; 0 is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvChange {
    /// The current database: new, old.
    Database(String, String),
    /// The language: new, old.
    Language(String, String),
    /// The packet size from the next message on: new, old, in bytes.
    PacketSize(u32, u32),
    /// The default collation: new, old.
    Collation(Option<Collation>, Option<Collation>),
    /// A transaction began.
    Begin(u64),
    /// A transaction committed.
    Commit(u64),
    /// A transaction rolled back.
    Rollback(u64),
    /// The session joined a distributed transaction.
    Enlist(u64),
    /// The session left a distributed transaction.
    Defect(u64),
    /// A transaction ended.
    TransactionEnded(u64),
    /// The transaction became a distributed one; the token of its coordinator.
    Promote(Vec<u8>),
    /// The mirroring partner: new, old.
    MirroringPartner(String, String),
    /// The name of the user's instance: new, old.
    UserInstance(String, String),
    /// RESETCONNECTION was done.
    ResetAcknowledged,
    /// The client shall connect elsewhere.
    Routing(Route),
    /// Any other type: the byte and what follows it.
    Other(u8, Vec<u8>),
}

/// Where a server sends a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Host name or address.
    pub server: String,
    /// TCP port.
    pub port: u16,
    /// The database there, in enhanced routing only.
    pub database: Option<String>,
}

impl EnvChange {
    /// Whether a client that sees this would go around us or fail: a partner or a route
    /// ([MS-TDS] 2.2.7.9 types 13, 20, 21).
    pub fn leads_elsewhere(kind: u8) -> bool {
        matches!(kind, kind::MIRROR | kind::ROUTING | kind::ENHANCED_ROUTING)
    }
}
