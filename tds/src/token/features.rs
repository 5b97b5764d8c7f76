//! FEATUREEXTACK: what the server agreed to ([MS-TDS] 2.2.7.11).

use super::id;
use crate::DecodeError;
use crate::login7::{Feature, FeatureId, feature};
use crate::read::Reader;
use bytes::{BufMut, Bytes, BytesMut};

/// All acknowledged features, in the order of the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeatureExtAck(pub Vec<Feature>);

impl FeatureExtAck {
    /// Reads what follows the token byte.
    ///
    /// # Errors
    /// A list that ends before its terminator.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        feature::decode(reader).map(Self)
    }

    /// Appends the token.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(id::FEATURE_EXT_ACK);
        feature::put(out, &self.0);
    }

    /// The data of a feature, if it was acknowledged.
    pub fn find(&self, id: FeatureId) -> Option<&Bytes> {
        self.0.iter().find(|feature| feature.id == id).map(|feature| &feature.data)
    }

    /// What this changes in the shape of later tokens.
    pub fn agreed(&self) -> super::Agreed {
        let version = |id| self.find(id).and_then(|data| data.first().copied());
        super::Agreed {
            column_encryption: version(FeatureId::ColumnEncryption).is_some_and(|version| version > 0),
            classification_ranks: version(FeatureId::DataClassification).is_some_and(|version| version >= 2),
        }
    }
}
