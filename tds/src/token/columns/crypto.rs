//! What column encryption adds to metadata: the key table and each column's cipher ([MS-TDS] 2.2.7.4).

use crate::read::Reader;
use crate::types::{Form, TypeInfo};
use crate::{DecodeError, text};
use bytes::{BufMut, BytesMut};

/// The algorithm number that says a name follows.
const CUSTOM_ALGORITHM: u8 = 0;

/// One encrypted form of a column encryption key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CekValue {
    /// The encrypted key.
    pub encrypted_key: Vec<u8>,
    /// Name of the store of the master key.
    pub key_store: String,
    /// Where the master key is in its store.
    pub key_path: String,
    /// How the key is encrypted.
    pub algorithm: String,
}

/// A column encryption key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CekEntry {
    /// Database, key, version of the key.
    pub ids: [u32; 3],
    /// Version of the key's metadata.
    pub metadata_version: u64,
    /// The key, encrypted by each of its master keys.
    pub values: Vec<CekValue>,
}

impl CekEntry {
    pub(super) fn decode_table(reader: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        (0..reader.u16("key count")?).map(|_| Self::decode(reader)).collect()
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let ids = [reader.u32("key database")?, reader.u32("key")?, reader.u32("key version")?];
        let metadata_version = reader.u64("key metadata version")?;
        let values = (0..reader.u8("key value count")?)
            .map(|_| {
                Ok(CekValue {
                    encrypted_key: reader.us_varbyte("encrypted key")?.to_vec(),
                    key_store: reader.b_varchar("key store")?,
                    key_path: reader.us_varchar("key path")?,
                    algorithm: reader.b_varchar("key algorithm")?,
                })
            })
            .collect::<Result<_, DecodeError>>()?;
        Ok(Self { ids, metadata_version, values })
    }

    pub(super) fn encode_table(keys: &[Self], out: &mut BytesMut) {
        out.put_u16_le(u16::try_from(keys.len()).unwrap_or(u16::MAX));
        for key in keys.iter().take(usize::from(u16::MAX)) {
            key.ids.iter().for_each(|id| out.put_u32_le(*id));
            out.put_u64_le(key.metadata_version);
            out.put_u8(u8::try_from(key.values.len()).unwrap_or(u8::MAX));
            for value in key.values.iter().take(usize::from(u8::MAX)) {
                let count = u16::try_from(value.encrypted_key.len()).unwrap_or(u16::MAX);
                out.put_u16_le(count);
                out.put_slice(value.encrypted_key.get(..usize::from(count)).unwrap_or_default());
                text::put_b_varchar(out, &value.key_store);
                text::put_us_varchar(out, &value.key_path);
                text::put_b_varchar(out, &value.algorithm);
            }
        }
    }
}

/// How a column's or an output parameter's value is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CryptoMetadata {
    /// Which entry of the key table; absent in RETURNVALUE.
    pub key: Option<u16>,
    /// The user type of the plain value.
    pub user_type: u32,
    /// The type of the plain value.
    pub type_info: TypeInfo,
    /// The algorithm's number; 0 means it has a name.
    pub algorithm: u8,
    /// The algorithm's name, if its number is 0.
    pub algorithm_name: Option<String>,
    /// 1 deterministic, 2 randomized.
    pub encryption: u8,
    /// Version of the normalization.
    pub normalization: u8,
}

impl CryptoMetadata {
    pub(crate) fn decode(reader: &mut Reader<'_>, with_key: bool) -> Result<Self, DecodeError> {
        let key = if with_key { Some(reader.u16("key ordinal")?) } else { None };
        let user_type = reader.u32("user type of an encrypted column")?;
        let type_info = TypeInfo::decode(reader, Form::Column)?;
        let algorithm = reader.u8("encryption algorithm")?;
        let named = algorithm == CUSTOM_ALGORITHM;
        let algorithm_name = if named { Some(reader.b_varchar("encryption algorithm name")?) } else { None };
        let [encryption, normalization] = reader.array("encryption type and normalization")?;
        Ok(Self { key, user_type, type_info, algorithm, algorithm_name, encryption, normalization })
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) {
        if let Some(key) = self.key {
            out.put_u16_le(key);
        }
        out.put_u32_le(self.user_type);
        self.type_info.encode(Form::Column, out);
        out.put_u8(self.algorithm);
        if self.algorithm == CUSTOM_ALGORITHM {
            text::put_b_varchar(out, self.algorithm_name.as_deref().unwrap_or_default());
        }
        out.put_slice(&[self.encryption, self.normalization]);
    }
}
