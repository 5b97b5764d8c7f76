//! Tokens by their first byte: rows, tokens that are told, and tokens that are stepped over.

use super::{Columns, Event, MessageHead, Scanner, State, TOKEN_BYTES_MAX, structure::Structure};
use crate::DecodeError;
use crate::read::Reader;
use crate::token::{Agreed, Done, DoneKind, FeatureExtAck, MessageKind, id};

/// Most features of a FEATUREEXTACK: their numbers are one byte, and one of those ends the list.
const FEATURES_MAX: usize = 255;

impl Scanner {
    /// Goes on at the front of a token, or inside one that is held.
    pub(super) fn token(&mut self, input: &mut &[u8], tell: &mut impl FnMut(Event<'_>)) -> Result<(), DecodeError> {
        if self.held.is_empty()
            && let Some((first, rest)) = input.split_first()
        {
            let structure = match *first {
                id::ROW | id::NBC_ROW => return self.rows(input, tell),
                id::COL_METADATA => Some(Structure::ColumnCount),
                id::RETURN_VALUE => Some(Structure::ReturnValue),
                id::ALT_METADATA => Some(Structure::AltHead),
                id::ALT_ROW => Some(Structure::AltRow),
                id::DATA_CLASSIFICATION => Some(Structure::LabelCount { last: false }),
                _ => None,
            };
            if let Some(structure) = structure {
                self.state = State::Structure(structure);
                *input = rest;
                return Ok(());
            }
        }
        let agreed = &mut self.agreed;
        let told = self.held.piece(input, TOKEN_BYTES_MAX, measure, |token, skip| {
            let Some((first, body)) = token.split_first() else { return Ok(skip) };
            event(*first, body, agreed).map(|event| {
                if let Some(event) = event {
                    tell(event);
                }
                skip
            })
        })?;
        self.skip = told.transpose()?.unwrap_or(0);
        Ok(())
    }

    /// Steps over the rows that are here; one that is cut goes on with the next chunk.
    fn rows(&mut self, input: &mut &[u8], tell: &mut impl FnMut(Event<'_>)) -> Result<(), DecodeError> {
        match self.columns {
            Columns::Known => {}
            Columns::None => return Err(DecodeError::Misplaced("a row without metadata before it")),
            Columns::Remembered => {
                self.state = State::Blind;
                self.tail = [0; Done::BYTES];
                tell(Event::Blind);
                return Ok(());
            }
        }
        *input = self.plan.skip_rows(input);
        match input.split_first() {
            Some((&id::ROW, rest)) => {
                *input = rest;
                self.enter(super::Rows::Result, input);
            }
            Some((&id::NBC_ROW, rest)) => {
                *input = rest;
                self.nulls.clear();
                self.bitmap(self.plan.bitmap_bytes(), input);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Reads a token that is told as a whole. Of the others only the length is read and returned, to be stepped over.
fn measure(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    match reader.u8("a token")? {
        id::DONE | id::DONE_PROC | id::DONE_IN_PROC => reader.take(Done::BYTES - 1, "DONE").map(|_| 0),
        id::RETURN_STATUS => reader.take(4, "RETURNSTATUS").map(|_| 0),
        id::ENV_CHANGE | id::ERROR | id::INFO | id::LOGIN_ACK => reader.us_varbyte("a token").map(|_| 0),
        id::SESSION_STATE => {
            let count = reader.u32("SESSIONSTATE length")?;
            reader.take(usize::try_from(count).unwrap_or(usize::MAX), "SESSIONSTATE").map(|_| 0)
        }
        id::FEATURE_EXT_ACK => measure_features(reader).map(|()| 0),
        id::TAB_NAME | id::COL_INFO | id::ORDER | id::SSPI => reader.u16("a token length").map(u64::from),
        id::FED_AUTH_INFO => reader.u32("FEDAUTHINFO length").map(u64::from),
        id::OFFSET => Ok(4),
        id::PROC_ID => Ok(8),
        other => Err(DecodeError::UnknownToken(other)),
    }
}

fn measure_features(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    for _ in 0..FEATURES_MAX {
        if reader.u8("a feature")? == 0xFF {
            return Ok(());
        }
        let count = reader.u32("feature length")?;
        reader.take(usize::try_from(count).unwrap_or(usize::MAX), "feature data")?;
    }
    Err(DecodeError::TooLarge { what: "the list of features", limit: FEATURES_MAX })
}

/// What a whole token tells, if anything.
fn event<'a>(first: u8, body: &'a [u8], agreed: &mut Agreed) -> Result<Option<Event<'a>>, DecodeError> {
    let mut reader = Reader::new(body);
    if let Some(kind) = DoneKind::from_byte(first) {
        return Done::decode(kind, &mut reader).map(|done| Some(Event::Done(done)));
    }
    Ok(Some(match first {
        id::RETURN_STATUS => Event::ReturnStatus(reader.i32("RETURNSTATUS")?),
        id::ENV_CHANGE => Event::EnvChange(Reader::new(reader.us_varbyte("ENVCHANGE")?).u8("ENVCHANGE type")?, body),
        id::ERROR => Event::Message(message_head(MessageKind::Error, &mut reader)?),
        id::INFO => Event::Message(message_head(MessageKind::Info, &mut reader)?),
        id::LOGIN_ACK => Event::LoginAck(body),
        id::SESSION_STATE => Event::SessionState(body),
        id::FEATURE_EXT_ACK => {
            *agreed = FeatureExtAck::decode(&mut reader)?.agreed();
            Event::FeatureExtAck(body)
        }
        _ => return Ok(None),
    }))
}

fn message_head(kind: MessageKind, reader: &mut Reader<'_>) -> Result<MessageHead, DecodeError> {
    let mut body = Reader::new(reader.us_varbyte("ERROR or INFO")?);
    Ok(MessageHead { kind, number: body.i32("message number")?, state: body.u8("state")?, class: body.u8("class")? })
}
