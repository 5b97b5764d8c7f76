//! Feature extensions: the block LOGIN7 asks with and FEATUREEXTACK answers with ([MS-TDS] 2.2.6.4, 2.2.7.11).

use crate::{DecodeError, read::Reader};
use bytes::{BufMut, Bytes};

const TERMINATOR: u8 = 0xFF;

/// Which feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeatureId {
    /// 0x01: the session can be recovered on a new connection.
    SessionRecovery,
    /// 0x02: federated authentication.
    FederatedAuthentication,
    /// 0x04: Always Encrypted.
    ColumnEncryption,
    /// 0x05: distributed transactions of Azure SQL.
    GlobalTransactions,
    /// 0x08: read-only intent together with a failover partner.
    AzureSqlSupport,
    /// 0x09: sensitivity labels in results.
    DataClassification,
    /// 0x0A: UTF-8 collations travel as they are.
    Utf8Support,
    /// 0x0B: the client caches addresses.
    AzureSqlDnsCaching,
    /// 0x0D: type json.
    Json,
    /// 0x0E: type vector.
    Vector,
    /// 0x0F: routing that names a database.
    EnhancedRouting,
    /// 0x10: the driver describes itself.
    UserAgent,
    /// Any other id; never 0xFF, which ends the block.
    Other(u8),
}

impl FeatureId {
    const KNOWN: [(Self, u8); 12] = [
        (Self::SessionRecovery, 0x01),
        (Self::FederatedAuthentication, 0x02),
        (Self::ColumnEncryption, 0x04),
        (Self::GlobalTransactions, 0x05),
        (Self::AzureSqlSupport, 0x08),
        (Self::DataClassification, 0x09),
        (Self::Utf8Support, 0x0A),
        (Self::AzureSqlDnsCaching, 0x0B),
        (Self::Json, 0x0D),
        (Self::Vector, 0x0E),
        (Self::EnhancedRouting, 0x0F),
        (Self::UserAgent, 0x10),
    ];

    /// The feature with this id.
    pub fn from_byte(byte: u8) -> Self {
        Self::KNOWN.iter().find(|(_, known)| *known == byte).map_or(Self::Other(byte), |(id, _)| *id)
    }

    /// Its id.
    pub fn to_byte(self) -> u8 {
        match self {
            Self::Other(byte) => byte,
            known => Self::KNOWN.iter().find(|(id, _)| *id == known).map_or(TERMINATOR, |(_, byte)| *byte),
        }
    }
}

/// One feature of the block.
#[derive(Clone, PartialEq, Eq)]
pub struct Feature {
    /// Which one.
    pub id: FeatureId,
    /// What is asked or answered; its form depends on the feature. May hold a token, so `Debug` shows its length only.
    pub data: Bytes,
}

impl std::fmt::Debug for Feature {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}({} bytes)", self.id, self.data.len())
    }
}

/// Reads features up to and with the terminator.
///
/// # Errors
/// A block that ends before its terminator.
pub fn decode(block: &mut Reader<'_>) -> Result<Vec<Feature>, DecodeError> {
    let mut features = Vec::new();
    loop {
        let id = block.u8("feature id")?;
        if id == TERMINATOR {
            return Ok(features);
        }
        let length = usize::try_from(block.u32("feature length")?).unwrap_or(usize::MAX);
        let data = Bytes::copy_from_slice(block.take(length, "feature data")?);
        features.push(Feature { id: FeatureId::from_byte(id), data });
    }
}

/// Appends features and the terminator.
pub fn put(out: &mut impl BufMut, features: &[Feature]) {
    for Feature { id, data } in features {
        out.put_u8(id.to_byte());
        out.put_u32_le(u32::try_from(data.len()).unwrap_or(u32::MAX));
        out.put_slice(data);
    }
    out.put_u8(TERMINATOR);
}
