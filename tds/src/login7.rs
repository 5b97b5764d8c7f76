//! LOGIN7 with every field and feature extension, both ways ([MS-TDS] 2.2.6.4).
//!
//! A login is decoded leniently where drivers differ (the order of the variable data, overlaps, what follows the message)
//! and encoded in one canonical form. What is secret in it never reaches `Debug`.

mod decode;
mod encode;
pub mod feature;
pub mod flags;
pub mod password;
#[cfg(test)]
mod tests;

pub use encode::TooLarge;
pub use feature::{Feature, FeatureId};
pub use flags::{OptionFlags1, OptionFlags2, OptionFlags3, TypeFlags};
pub use password::Password;

use bytes::Bytes;

/// Longest LOGIN7 message ([MS-TDS] 2.2.6.4: 128K−1 bytes).
pub const LOGIN7_BYTES_MAX: usize = 128 * 1024 - 1;

/// Bytes before the variable data from TDS 7.2 on.
const FIXED_BYTES: usize = 94;
/// The same before TDS 7.2, which has neither a new password nor the long SSPI length.
const FIXED_BYTES_BEFORE_7_2: usize = 86;

/// A TDS version as LOGIN7 (little-endian) and LOGINACK (big-endian) carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TdsVersion {
    /// SQL Server 7.0.
    V7_0,
    /// SQL Server 2000.
    V7_1,
    /// SQL Server 2000 SP1.
    V7_1Revision1,
    /// SQL Server 2005; the first this project talks to.
    V7_2,
    /// SQL Server 2008.
    V7_3A,
    /// SQL Server 2008 R2.
    V7_3B,
    /// SQL Server 2012 to 2025.
    V7_4,
    /// TLS first ("strict").
    V8_0,
    /// Any other number.
    Other(u32),
}

impl TdsVersion {
    const KNOWN: [(Self, u32); 8] = [
        (Self::V7_0, 0x7000_0000),
        (Self::V7_1, 0x7100_0000),
        (Self::V7_1Revision1, 0x7100_0001),
        (Self::V7_2, 0x7209_0002),
        (Self::V7_3A, 0x730A_0003),
        (Self::V7_3B, 0x730B_0003),
        (Self::V7_4, 0x7400_0004),
        (Self::V8_0, 0x0800_0000),
    ];

    /// The version with this number.
    pub fn from_number(number: u32) -> Self {
        Self::KNOWN.iter().find(|(_, known)| *known == number).map_or(Self::Other(number), |(version, _)| *version)
    }

    /// Its number.
    pub fn number(self) -> u32 {
        match self {
            Self::Other(number) => number,
            known => Self::KNOWN.iter().find(|(version, _)| *version == known).map_or(0, |(_, number)| *number),
        }
    }

    /// Whether requests begin with ALL_HEADERS and DONE counts have 8 bytes: TDS 7.2 and later.
    pub fn is_7_2_or_later(self) -> bool {
        self == Self::V8_0 || self.number() >= 0x7200_0000
    }
}

/// A LOGIN7 message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login7 {
    /// The highest version the client speaks.
    pub tds_version: TdsVersion,
    /// The packet size it wants in bytes; 0 leaves it to the server.
    pub packet_bytes: u32,
    /// Version of the client's program, as the client wrote it.
    pub client_version: u32,
    /// The client's process id.
    pub client_process_id: u32,
    /// Always 0 from current drivers.
    pub connection_id: u32,
    /// Byte order, database and language notices.
    pub option_flags1: OptionFlags1,
    /// ODBC defaults, integrated security.
    pub option_flags2: OptionFlags2,
    /// OLE DB defaults, read-only intent.
    pub type_flags: TypeFlags,
    /// Password change, collations. Whether features follow is [`Self::features`] alone.
    pub option_flags3: OptionFlags3,
    /// Minutes from UTC; unused by servers.
    pub time_zone_minutes: i32,
    /// Locale of the client.
    pub locale_id: u32,
    /// The client's machine.
    pub host_name: String,
    /// The login's name, empty with integrated or federated authentication.
    pub user_name: String,
    /// Its password.
    pub password: Password,
    /// The application.
    pub application_name: String,
    /// The server's name as the application wrote it.
    pub server_name: String,
    /// The driver.
    pub library_name: String,
    /// The language, empty for the login's default.
    pub language: String,
    /// The database, empty for the login's default.
    pub database: String,
    /// The client's MAC address, or what the driver puts there.
    pub client_id: [u8; 6],
    /// The first leg of an SSPI exchange, empty for none.
    pub sspi: SspiData,
    /// A database file to attach.
    pub attach_database_file: String,
    /// The password to change to; meant only with [`OptionFlags3::CHANGE_PASSWORD`].
    pub new_password: Password,
    /// The feature extensions in their order; `None` if the message has no such block.
    pub features: Option<Vec<Feature>>,
}

impl Login7 {
    /// A login by name and password with TDS 7.4 and nothing else asked for.
    pub fn new(user_name: &str, password: Password) -> Self {
        Self {
            tds_version: TdsVersion::V7_4,
            packet_bytes: 0,
            client_version: 0,
            client_process_id: 0,
            connection_id: 0,
            option_flags1: OptionFlags1::default(),
            option_flags2: OptionFlags2::default(),
            type_flags: TypeFlags::default(),
            option_flags3: OptionFlags3::default(),
            time_zone_minutes: 0,
            locale_id: 0,
            host_name: String::new(),
            user_name: user_name.to_owned(),
            password,
            application_name: String::new(),
            server_name: String::new(),
            library_name: String::new(),
            language: String::new(),
            database: String::new(),
            client_id: [0; 6],
            sspi: SspiData::default(),
            attach_database_file: String::new(),
            new_password: Password::default(),
            features: None,
        }
    }

    /// Whether the session declared that it only reads (`ApplicationIntent=ReadOnly`).
    pub fn is_read_only_intent(&self) -> bool {
        self.type_flags.contains(TypeFlags::READ_ONLY_INTENT)
    }

    /// The feature extension with this id, if the client asked for it.
    pub fn feature(&self, id: FeatureId) -> Option<&Feature> {
        self.features.iter().flatten().find(|feature| feature.id == id)
    }
}

/// An SSPI token. Not shown by `Debug`: it may be replayed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SspiData(pub Bytes);

impl std::fmt::Debug for SspiData {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SspiData({} bytes)", self.0.len())
    }
}
