//! ENVCHANGE to bytes and back.

use super::{EnvChange, Route, kind};
use crate::read::Reader;
use crate::token::{expect_end, id, put_counted};
use crate::types::Collation;
use crate::{DecodeError, text};
use bytes::{BufMut, BytesMut};

impl EnvChange {
    /// Reads what follows the token byte.
    ///
    /// # Errors
    /// A length that does not fit the fields of a known type.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut body = Reader::new(reader.us_varbyte("ENVCHANGE")?);
        let change = Self::decode_body(&mut body)?;
        expect_end(&body, "the length of an ENVCHANGE")?;
        Ok(change)
    }

    fn decode_body(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match body.u8("ENVCHANGE type")? {
            kind::DATABASE => texts(body, Self::Database)?,
            kind::LANGUAGE => texts(body, Self::Language)?,
            kind::MIRROR => texts(body, Self::MirroringPartner)?,
            kind::USER_INSTANCE => texts(body, Self::UserInstance)?,
            kind::PACKET_SIZE => Self::PacketSize(number(body)?, number(body)?),
            kind::COLLATION => Self::Collation(collation(body)?, collation(body)?),
            kind::BEGIN => began(body, Self::Begin)?,
            kind::ENLIST => began(body, Self::Enlist)?,
            kind::COMMIT => ended(body, Self::Commit)?,
            kind::ROLLBACK => ended(body, Self::Rollback)?,
            kind::DEFECT => ended(body, Self::Defect)?,
            kind::TRANSACTION_ENDED => ended(body, Self::TransactionEnded)?,
            kind::PROMOTE => {
                let count = usize::try_from(body.u32("transaction token length")?).unwrap_or(usize::MAX);
                let token = body.take(count, "transaction token")?.to_vec();
                body.b_varbyte("old value of a promotion")?;
                Self::Promote(token)
            }
            kind::RESET => {
                body.take(2, "values of a reset")?;
                Self::ResetAcknowledged
            }
            kind::ROUTING => Self::Routing(route(body, false)?),
            kind::ENHANCED_ROUTING => Self::Routing(route(body, true)?),
            other => {
                let rest = body.rest().to_vec();
                body.take(rest.len(), "ENVCHANGE")?;
                Self::Other(other, rest)
            }
        })
    }

    /// The type's byte.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Database(..) => kind::DATABASE,
            Self::Language(..) => kind::LANGUAGE,
            Self::PacketSize(..) => kind::PACKET_SIZE,
            Self::Collation(..) => kind::COLLATION,
            Self::Begin(_) => kind::BEGIN,
            Self::Commit(_) => kind::COMMIT,
            Self::Rollback(_) => kind::ROLLBACK,
            Self::Enlist(_) => kind::ENLIST,
            Self::Defect(_) => kind::DEFECT,
            Self::TransactionEnded(_) => kind::TRANSACTION_ENDED,
            Self::Promote(_) => kind::PROMOTE,
            Self::MirroringPartner(..) => kind::MIRROR,
            Self::UserInstance(..) => kind::USER_INSTANCE,
            Self::ResetAcknowledged => kind::RESET,
            Self::Routing(Route { database: None, .. }) => kind::ROUTING,
            Self::Routing(_) => kind::ENHANCED_ROUTING,
            Self::Other(kind, _) => *kind,
        }
    }

    /// Appends the token.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(id::ENV_CHANGE);
        put_counted(out, |out| {
            out.put_u8(self.kind());
            self.encode_values(out);
        });
    }

    fn encode_values(&self, out: &mut BytesMut) {
        match self {
            Self::Database(new, old)
            | Self::Language(new, old)
            | Self::MirroringPartner(new, old)
            | Self::UserInstance(new, old) => {
                text::put_b_varchar(out, new);
                text::put_b_varchar(out, old);
            }
            Self::PacketSize(new, old) => {
                text::put_b_varchar(out, &new.to_string());
                text::put_b_varchar(out, &old.to_string());
            }
            Self::Collation(new, old) => {
                for collation in [new, old] {
                    match collation {
                        Some(Collation(bytes)) => {
                            out.put_u8(5);
                            out.put_slice(bytes);
                        }
                        None => out.put_u8(0),
                    }
                }
            }
            Self::Begin(descriptor) | Self::Enlist(descriptor) => {
                out.put_u8(8);
                out.put_u64_le(*descriptor);
                out.put_u8(0);
            }
            Self::Commit(descriptor)
            | Self::Rollback(descriptor)
            | Self::Defect(descriptor)
            | Self::TransactionEnded(descriptor) => {
                out.put_u8(0);
                out.put_u8(8);
                out.put_u64_le(*descriptor);
            }
            Self::Promote(token) => {
                out.put_u32_le(u32::try_from(token.len()).unwrap_or(u32::MAX));
                out.put_slice(token);
                out.put_u8(0);
            }
            Self::ResetAcknowledged => out.put_slice(&[0, 0]),
            Self::Routing(route) => encode_route(route, out),
            Self::Other(_, rest) => out.put_slice(rest),
        }
    }
}

fn texts(body: &mut Reader<'_>, make: fn(String, String) -> EnvChange) -> Result<EnvChange, DecodeError> {
    let new = body.b_varchar("new value")?;
    Ok(make(new, body.b_varchar("old value")?))
}

/// A number written as decimal text; empty counts as 0.
fn number(body: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let text = body.b_varchar("packet size")?;
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| DecodeError::BadText { what: "packet size" })
}

fn collation(body: &mut Reader<'_>) -> Result<Option<Collation>, DecodeError> {
    let bytes = body.b_varbyte("collation")?;
    match <[u8; 5]>::try_from(bytes) {
        Ok(bytes) => Ok(Some(Collation(bytes))),
        Err(_) if bytes.is_empty() => Ok(None),
        Err(_) => Err(DecodeError::BadValue { what: "collation length", value: bytes.len() as u64 }),
    }
}

/// A descriptor of 8 bytes, or none, which counts as 0.
fn descriptor(body: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let bytes = body.b_varbyte("transaction descriptor")?;
    match <[u8; 8]>::try_from(bytes) {
        Ok(bytes) => Ok(u64::from_le_bytes(bytes)),
        Err(_) if bytes.is_empty() => Ok(0),
        Err(_) => Err(DecodeError::BadValue { what: "transaction descriptor length", value: bytes.len() as u64 }),
    }
}

fn began(body: &mut Reader<'_>, make: fn(u64) -> EnvChange) -> Result<EnvChange, DecodeError> {
    let new = descriptor(body)?;
    body.b_varbyte("old value")?;
    Ok(make(new))
}

fn ended(body: &mut Reader<'_>, make: fn(u64) -> EnvChange) -> Result<EnvChange, DecodeError> {
    body.b_varbyte("new value")?;
    Ok(make(descriptor(body)?))
}

fn route(body: &mut Reader<'_>, enhanced: bool) -> Result<Route, DecodeError> {
    let mut value = Reader::new(body.us_varbyte("routing")?);
    let protocol = value.u8("routing protocol")?;
    if protocol != 0 {
        return Err(DecodeError::BadValue { what: "routing protocol", value: u64::from(protocol) });
    }
    let port = value.u16("routing port")?;
    let server = value.us_varchar("routing server")?;
    let database = if enhanced { Some(value.us_varchar("routing database")?) } else { None };
    expect_end(&value, "the length of a route")?;
    body.us_varbyte("old value")?;
    Ok(Route { server, port, database })
}

fn encode_route(route: &Route, out: &mut BytesMut) {
    put_counted(out, |out| {
        out.put_u8(0);
        out.put_u16_le(route.port);
        text::put_us_varchar(out, &route.server);
        if let Some(database) = &route.database {
            text::put_us_varchar(out, database);
        }
    });
    out.put_u16_le(0);
}
