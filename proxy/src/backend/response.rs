//! A replica's login response, made fit for the client. Pure.
//!
//! Passed on as they are: errors, messages, the acknowledgement, the settings every driver knows. Kept here: what would
//! send the client around the proxy (mirroring partner, routing) and what drivers refuse when they do not know it.

use bytes::{BufMut, Bytes, BytesMut};
use tds::DecodeError;
use tds::login_response::{LoginToken, LoginTokenKind, LoginTokens};
use tds::login7::{Feature, FeatureId, Login7, TdsVersion};
use tds::read::Reader;
use tds::token::{Agreed, EnvChange, FeatureExtAck, Message, MessageKind};
use tds::types::Collation;

use super::features::{self, Versions};

/// What a response means for us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The login succeeded.
    Accepted {
        /// The packet size the replica decided on; `None` if it kept the size of the login.
        packet_bytes: Option<usize>,
        /// What the acknowledged features change in the shape of later tokens.
        agreed: Agreed,
    },
    /// The login failed with this error, 0 if the replica gave none.
    Rejected {
        /// SQL Server's error number.
        number: i32,
    },
    /// The login goes on: `answer` is a question to the client.
    Asks(Asked),
    /// The login is to be repeated elsewhere.
    SentOn {
        /// The host, which may name an instance.
        host: String,
        /// Its port.
        port: u16,
    },
}

/// What a replica wants of the client before it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The next leg of an SSPI exchange.
    Sspi,
    /// A token, from the authority that FEDAUTHINFO names.
    FederatedToken,
}

/// What the answer to a client depends on.
pub(crate) struct ForClient<'a> {
    /// The version to show in place of the replica's.
    pub(crate) tds_version: Option<TdsVersion>,
    /// What was sent to the replica: nothing else may be acknowledged.
    pub(crate) sent: &'a Login7,
    /// What the client asked for: nothing else may be acknowledged to it.
    pub(crate) asked: &'a Login7,
    /// What the client is still owed by the replica it proved itself to, where this is another.
    pub(crate) owed: Option<&'a Owed>,
}

/// What ends a client's own part of a login: it must hear this, whichever replica it ends up on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owed {
    /// The last SSPI leg, as a token.
    sspi: Bytes,
    /// The acknowledgement of its federated login.
    federated: Option<Feature>,
}

/// What a login response says of the replica.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The database the session begins in.
    pub(crate) database: String,
    /// That database's default collation.
    pub(crate) collation: Option<Collation>,
    /// The session's language.
    pub(crate) language: String,
    /// The promises it made.
    pub(crate) promises: Versions,
}

/// A response that was understood.
#[derive(Debug)]
pub(crate) struct LoginResponse {
    pub(crate) verdict: Verdict,
    /// The tokens for the client.
    pub(crate) answer: BytesMut,
    pub(crate) heard: Heard,
    /// What the client would be owed if it went on elsewhere.
    pub(crate) owed: Owed,
}

/// Reads the whole response of a replica.
///
/// # Errors
/// Tokens that are cut, unknown, or missing.
pub(crate) fn read(response: &[u8], client: &ForClient<'_>) -> Result<LoginResponse, DecodeError> {
    let mut notes = Notes::default();
    let mut answer = BytesMut::with_capacity(response.len());
    if let Some(owed) = client.owed {
        answer.put_slice(&owed.sspi);
    }
    for token in LoginTokens::new(response) {
        let token = token?;
        match token.kind {
            LoginTokenKind::EnvChange => notes.setting(token, &mut answer)?,
            LoginTokenKind::LoginAck => notes.acknowledge(token, client, &mut answer)?,
            LoginTokenKind::FeatureExtAck => notes.features(token, client, &mut answer)?,
            LoginTokenKind::Error => {
                notes.error = notes.error.or(Some(error_number(token)?));
                answer.put_slice(token.raw);
            }
            LoginTokenKind::Info => answer.put_slice(token.raw),
            LoginTokenKind::Done => {
                notes.done = true;
                if let Some(feature) = notes.unacknowledged(client) {
                    FeatureExtAck(vec![feature]).encode(&mut answer);
                }
                answer.put_slice(token.raw);
            }
            LoginTokenKind::Sspi => notes.question(token, Asked::Sspi, &mut answer),
            LoginTokenKind::FedAuthInfo => notes.question(token, Asked::FederatedToken, &mut answer),
            // Session recovery is never asked for.
            LoginTokenKind::SessionState => {}
        }
    }
    if !notes.done && notes.asked.is_none() {
        return Err(DecodeError::Misplaced("the login response does not end with DONE"));
    }
    let (heard, owed) = (std::mem::take(&mut notes.heard), std::mem::take(&mut notes.owed));
    Ok(LoginResponse { verdict: notes.verdict(), answer, heard, owed })
}

#[derive(Default)]
struct Notes {
    packet_bytes: Option<usize>,
    agreed: Agreed,
    sent_on: Option<(String, u16)>,
    acknowledged: bool,
    error: Option<i32>,
    asked: Option<Asked>,
    done: bool,
    heard: Heard,
    owed: Owed,
    /// The client was told of its federated login.
    federated_told: bool,
}

impl Notes {
    fn setting(&mut self, token: LoginToken<'_>, answer: &mut BytesMut) -> Result<(), DecodeError> {
        match EnvChange::decode(&mut Reader::new(token.body))? {
            EnvChange::Routing(route) => {
                self.sent_on = Some((route.server, route.port));
                return Ok(());
            }
            EnvChange::MirroringPartner(..) | EnvChange::Other(..) => return Ok(()),
            EnvChange::PacketSize(new, _) => self.packet_bytes = Some(packet_bytes(new)?),
            EnvChange::Database(new, _) => self.heard.database = new,
            EnvChange::Language(new, _) => self.heard.language = new,
            EnvChange::Collation(new, _) => self.heard.collation = new,
            _ => {}
        }
        answer.put_slice(token.raw);
        Ok(())
    }

    fn question(&mut self, token: LoginToken<'_>, asked: Asked, answer: &mut BytesMut) {
        self.asked = Some(asked);
        if asked == Asked::Sspi {
            self.owed.sspi = Bytes::copy_from_slice(token.raw);
        }
        answer.put_slice(token.raw);
    }

    fn acknowledge(
        &mut self,
        token: LoginToken<'_>,
        client: &ForClient<'_>,
        answer: &mut BytesMut,
    ) -> Result<(), DecodeError> {
        self.acknowledged = true;
        let start = answer.len();
        answer.put_slice(token.raw);
        // Identifier, length and interface come before the version ([MS-TDS] 2.2.7.14).
        let Some(version) = answer.get_mut(start + 4..start + 8) else {
            return Err(DecodeError::Truncated { what: "LOGINACK", want: 8, have: token.raw.len() });
        };
        if let Some(shown) = client.tds_version {
            version.copy_from_slice(&shown.number().to_be_bytes());
        }
        Ok(())
    }

    fn features(
        &mut self,
        token: LoginToken<'_>,
        client: &ForClient<'_>,
        answer: &mut BytesMut,
    ) -> Result<(), DecodeError> {
        let mut acknowledged = FeatureExtAck::decode(&mut Reader::new(token.body))?;
        self.agreed = acknowledged.agreed();
        acknowledged.0.retain(|feature| client.sent.feature(feature.id).is_some());
        self.heard.promises = features::versions(&acknowledged.0);
        let federated = acknowledged.0.iter().position(|feature| feature.id == FeatureId::FederatedAuthentication);
        self.owed.federated = federated.and_then(|at| acknowledged.0.get(at).cloned());
        if let Some(owed) = client.owed {
            // The replica speaks of the proxy's login here, the client waits to hear of its own.
            acknowledged.0.retain(|feature| feature.id != FeatureId::FederatedAuthentication);
            acknowledged.0.extend(owed.federated.clone());
            self.federated_told = true;
        }
        acknowledged.0.retain(|feature| client.asked.feature(feature.id).is_some());
        // tedious fails a login whose acknowledgements hold nothing it knows, so an empty list is not sent at all.
        if !acknowledged.0.is_empty() {
            acknowledged.encode(answer);
        }
        Ok(())
    }

    /// What the client must still hear of its own login before the end.
    fn unacknowledged(&mut self, client: &ForClient<'_>) -> Option<Feature> {
        if self.federated_told || !self.acknowledged {
            return None;
        }
        self.federated_told = true;
        client.owed?.federated.clone()
    }

    fn verdict(self) -> Verdict {
        match (self.sent_on, self.acknowledged, self.asked, self.error) {
            (Some((host, port)), true, ..) => Verdict::SentOn { host, port },
            (None, true, ..) => Verdict::Accepted { packet_bytes: self.packet_bytes, agreed: self.agreed },
            (_, false, Some(asked), None) => Verdict::Asks(asked),
            (_, false, _, error) => Verdict::Rejected { number: error.unwrap_or_default() },
        }
    }
}

fn error_number(token: LoginToken<'_>) -> Result<i32, DecodeError> {
    Message::decode(MessageKind::Error, &mut Reader::new(token.body)).map(|error| error.number)
}

fn packet_bytes(named: u32) -> Result<usize, DecodeError> {
    let range = tds::packet::PACKET_BYTES_MIN..=tds::packet::PACKET_BYTES_MAX;
    let bytes = usize::try_from(named).ok().filter(|bytes| range.contains(bytes));
    bytes
        .ok_or_else(|| DecodeError::BadValue { what: "the packet size of the login response", value: u64::from(named) })
}

#[cfg(test)]
mod tests;
