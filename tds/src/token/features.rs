//! FEATUREEXTACK: what the server agreed to ([MS-TDS] 2.2.7.11).

use super::id;
use crate::DecodeError;
use crate::read::Reader;
use bytes::{BufMut, Bytes, BytesMut};

const TERMINATOR: u8 = 0xFF;

/// The features of LOGIN7 and FEATUREEXTACK.
pub mod feature {
    /// Session recovery.
    pub const SESSION_RECOVERY: u8 = 0x01;
    /// Federated authentication.
    pub const FED_AUTH: u8 = 0x02;
    /// Column encryption (Always Encrypted).
    pub const COLUMN_ENCRYPTION: u8 = 0x04;
    /// Global transactions.
    pub const GLOBAL_TRANSACTIONS: u8 = 0x05;
    /// Azure SQL support.
    pub const AZURE_SQL_SUPPORT: u8 = 0x08;
    /// Data classification.
    pub const DATA_CLASSIFICATION: u8 = 0x09;
    /// UTF-8 collations.
    pub const UTF8_SUPPORT: u8 = 0x0A;
    /// DNS caching.
    pub const DNS_CACHING: u8 = 0x0B;
    /// The json type.
    pub const JSON_SUPPORT: u8 = 0x0D;
    /// The vector type.
    pub const VECTOR_SUPPORT: u8 = 0x0E;
    /// Routing to a database.
    pub const ENHANCED_ROUTING: u8 = 0x0F;
    /// The client's user agent.
    pub const USER_AGENT: u8 = 0x10;
}

/// One acknowledged feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Its number, one of [`feature`].
    pub id: u8,
    /// Its data.
    pub data: Bytes,
}

/// All acknowledged features, in the order of the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeatureExtAck(pub Vec<Feature>);

impl FeatureExtAck {
    /// Reads what follows the token byte.
    ///
    /// # Errors
    /// Too few bytes, or more features than there are numbers.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut features = Vec::new();
        loop {
            let feature = reader.u8("feature")?;
            if feature == TERMINATOR {
                return Ok(Self(features));
            }
            if features.len() >= usize::from(TERMINATOR) {
                return Err(DecodeError::TooLarge { what: "the list of features", limit: usize::from(TERMINATOR) });
            }
            let count = usize::try_from(reader.u32("feature length")?).unwrap_or(usize::MAX);
            features.push(Feature { id: feature, data: Bytes::copy_from_slice(reader.take(count, "feature data")?) });
        }
    }

    /// Appends the token.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(id::FEATURE_EXT_ACK);
        for feature in &self.0 {
            out.put_u8(feature.id);
            out.put_u32_le(u32::try_from(feature.data.len()).unwrap_or(u32::MAX));
            out.put_slice(&feature.data);
        }
        out.put_u8(TERMINATOR);
    }

    /// The data of a feature, if it was acknowledged.
    pub fn find(&self, id: u8) -> Option<&Bytes> {
        self.0.iter().find(|feature| feature.id == id).map(|feature| &feature.data)
    }

    /// What this changes in the shape of later tokens.
    pub fn agreed(&self) -> super::Agreed {
        let version = |id| self.find(id).and_then(|data| data.first().copied());
        super::Agreed {
            column_encryption: version(feature::COLUMN_ENCRYPTION).is_some_and(|version| version > 0),
            classification_ranks: version(feature::DATA_CLASSIFICATION).is_some_and(|version| version >= 2),
        }
    }
}
