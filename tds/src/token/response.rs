//! A whole response, token by token with its rows: for clients and for whoever checks what a server wrote.

use super::{
    Agreed, Column, ColumnMetadata, Done, DoneKind, EnvChange, FeatureExtAck, FedAuthInfo, LoginAck, Message,
    MessageKind, ReturnValue, SessionState, id,
};
use crate::DecodeError;
use crate::read::Reader;
use crate::types::Form;
use crate::value::Value;

/// A token with everything in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// COLMETADATA.
    Columns(ColumnMetadata),
    /// ROW or NBCROW.
    Row(Vec<Value>),
    /// DONE, DONEPROC or DONEINPROC.
    Done(Done),
    /// ERROR or INFO.
    Message(Message),
    /// ENVCHANGE.
    EnvChange(EnvChange),
    /// LOGINACK.
    LoginAck(LoginAck),
    /// FEATUREEXTACK; what it says of later tokens applies from then on.
    FeatureExtAck(FeatureExtAck),
    /// RETURNSTATUS.
    ReturnStatus(i32),
    /// RETURNVALUE.
    ReturnValue(Box<ReturnValue>),
    /// ORDER: column numbers, from 1.
    Order(Vec<u16>),
    /// SSPI.
    Sspi(Vec<u8>),
    /// FEDAUTHINFO.
    FedAuthInfo(FedAuthInfo),
    /// SESSIONSTATE.
    SessionState(SessionState),
    /// TABNAME or COLINFO, which serve browse mode: the token byte and what it holds.
    Browse(u8, Vec<u8>),
}

/// Reads the tokens of a whole response. What is allocated is bounded by the size of the response, 256 times at worst
/// (a bit of an NBCROW is a [`Value::Null`]), so whoever collects it must limit it.
#[derive(Debug)]
pub struct Response<'a> {
    reader: Reader<'a>,
    agreed: Agreed,
    columns: Option<Vec<Column>>,
}

impl<'a> Response<'a> {
    /// Starts at the front of a response.
    pub fn new(bytes: &'a [u8], agreed: Agreed) -> Self {
        Self { reader: Reader::new(bytes), agreed, columns: None }
    }

    fn row(&mut self, bitmap: bool) -> Result<Token, DecodeError> {
        let columns = self.columns.as_ref().ok_or(DecodeError::Misplaced("a row without metadata before it"))?;
        let nulls = if bitmap { self.reader.take(columns.len().div_ceil(8), "bitmap of NULLs")? } else { &[] };
        let mut values = Vec::new();
        for (index, column) in columns.iter().enumerate() {
            let null = nulls.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1);
            values.push(match null {
                true => Value::Null,
                false => Value::decode(&column.type_info, Form::Column, &mut self.reader)?,
            });
        }
        Ok(Token::Row(values))
    }

    fn token(&mut self) -> Result<Token, DecodeError> {
        let byte = self.reader.u8("a token")?;
        let reader = &mut self.reader;
        Ok(match byte {
            id::COL_METADATA => {
                let metadata = ColumnMetadata::decode(reader, self.agreed)?;
                self.columns.clone_from(&metadata.columns);
                Token::Columns(metadata)
            }
            id::ROW => self.row(false)?,
            id::NBC_ROW => self.row(true)?,
            id::ERROR => Token::Message(Message::decode(MessageKind::Error, reader)?),
            id::INFO => Token::Message(Message::decode(MessageKind::Info, reader)?),
            id::ENV_CHANGE => Token::EnvChange(EnvChange::decode(reader)?),
            id::LOGIN_ACK => Token::LoginAck(LoginAck::decode(reader)?),
            id::FEATURE_EXT_ACK => {
                let ack = FeatureExtAck::decode(reader)?;
                self.agreed = ack.agreed();
                Token::FeatureExtAck(ack)
            }
            id::RETURN_STATUS => Token::ReturnStatus(reader.i32("RETURNSTATUS")?),
            id::RETURN_VALUE => Token::ReturnValue(Box::new(ReturnValue::decode(reader, self.agreed)?)),
            id::ORDER => {
                let (columns, _) = reader.us_varbyte("ORDER")?.as_chunks::<2>();
                Token::Order(columns.iter().map(|column| u16::from_le_bytes(*column)).collect())
            }
            id::SSPI => Token::Sspi(reader.us_varbyte("SSPI")?.to_vec()),
            id::FED_AUTH_INFO => Token::FedAuthInfo(FedAuthInfo::decode(reader)?),
            id::SESSION_STATE => Token::SessionState(SessionState::decode(reader)?),
            id::TAB_NAME | id::COL_INFO => Token::Browse(byte, reader.us_varbyte("TABNAME or COLINFO")?.to_vec()),
            other => match DoneKind::from_byte(other) {
                Some(kind) => Token::Done(Done::decode(kind, reader)?),
                None => return Err(DecodeError::UnknownToken(other)),
            },
        })
    }
}

impl Iterator for Response<'_> {
    type Item = Result<Token, DecodeError>;

    /// The next token. After an error there is nothing more to read.
    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let token = self.token();
        if token.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(token)
    }
}
