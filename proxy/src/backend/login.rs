//! Logging a client in to a replica: its LOGIN7 made fit for this leg, redirects followed.

use std::io;

use bytes::BytesMut;
use tds::DecodeError;
use tds::login_response::LOGIN_RESPONSE_BYTES_MAX;
use tds::login7::{Feature, FeatureId, Login7, TdsVersion, TypeFlags};
use tds::packet::{self, Framing, PACKET_BYTES_LOGIN, PACKET_BYTES_MAX, PacketKind};
use tds::token::Agreed;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_rustls::TlsStream;

use super::application;
use super::connect::{self, Advertised, Connection, Leg, OnBehalf};
use super::dialogue::Dialogue;
use super::features::{self, Narrowed, Versions};
use super::response::{self, ForClient, Heard, LoginResponse, Owed, Verdict};
use super::target::{Place, Target};
use crate::config::{Encryption, Timeouts};
use crate::net::messages::{self, ReadError};
use crate::net::{Stream, wire::Wire};
use crate::session::error::{Phase, SessionError};

/// How often a login may be sent on to another address, as SqlClient has it.
const HOPS_MAX: usize = 10;

/// Features that may reach the client, because they change nothing but the tokens between it and this one backend.
/// The others would let a client go around the proxy, cache a replica's address, or reconnect to a session that is gone.
const FEATURES_PASSED: [FeatureId; 7] = [
    FeatureId::FederatedAuthentication,
    FeatureId::ColumnEncryption,
    FeatureId::DataClassification,
    FeatureId::Utf8Support,
    FeatureId::Json,
    FeatureId::Vector,
    FeatureId::UserAgent,
];

/// One client's login, tried on one replica.
pub(crate) struct Attempt<'a> {
    pub(crate) target: &'a Target,
    /// The login to send, fit for the leg only as it is sent.
    pub(crate) login: &'a Login7,
    /// What to put behind the application's name.
    pub(crate) application_name_suffix: &'a str,
    /// Whether to declare that the session only reads.
    pub(crate) read_only: bool,
    /// What the client asked for: nothing else is acknowledged to it.
    pub(crate) asked: &'a Login7,
    /// What the client is owed by the replica it proved itself to, where that was another. There exactly where `login`
    /// is the proxy's own: then nothing is asked of the client.
    pub(crate) owed: Option<&'a Owed>,
    /// What may be asked for so that it holds on every replica the session can reach.
    pub(crate) narrowed: Narrowed,
    /// The client speaks TDS 8.0.
    pub(crate) client_strict: bool,
    pub(crate) on_behalf: OnBehalf,
    /// The largest packet to ask the replica for.
    pub(crate) packet_bytes_max: usize,
    pub(crate) timeouts: &'a Timeouts,
}

/// A logged-in connection to a replica.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) stream: Stream,
    /// Bytes read behind the login response, normally none.
    pub(crate) early: BytesMut,
    /// The size of packets both sides use from now on.
    pub(crate) packet_bytes: usize,
    /// What was agreed that shapes the tokens of responses.
    pub(crate) agreed: Agreed,
    /// The session id the replica shows.
    pub(crate) spid: u16,
}

/// What a replica said to a login.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It let the client in; `answer` is the login response for the client.
    Accepted(Box<Accepted>),
    /// It did not.
    Rejected(Rejection),
}

/// A login that succeeded.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) backend: Backend,
    /// The login response for the client.
    pub(crate) answer: BytesMut,
    /// What the client is owed if it goes on elsewhere.
    pub(crate) owed: Owed,
    /// What was said of the replica.
    pub(crate) heard: Heard,
    /// The promises that were asked for.
    pub(crate) asked: Versions,
}

/// A replica's refusal of a login.
#[derive(Debug)]
pub(crate) struct Rejection {
    /// The number of its first error.
    pub(crate) number: i32,
    /// Its response for the client.
    pub(crate) answer: BytesMut,
}

impl Attempt<'_> {
    /// Connects and logs in, following redirects. What the replica asks of the client meanwhile goes through `dialogue`;
    /// without one, nothing may be asked.
    ///
    /// # Errors
    /// The replica cannot be reached or does not speak TDS. A refused login is no error but an [`Outcome`].
    pub(crate) async fn run(
        &self,
        mut dialogue: Option<&mut Dialogue<'_>>,
    ) -> Result<(Outcome, Advertised), SessionError> {
        let mut place = self.target.place.clone();
        for _ in 0..=HOPS_MAX {
            let connection = connect::connect(self.target, &place, self.on_behalf, self.timeouts).await?;
            let advertised = connection.advertised;
            match self.log_in(connection, &place, dialogue.as_deref_mut()).await? {
                Step::Done(outcome) => return Ok((outcome, advertised)),
                Step::SentOn(_) if dialogue.as_ref().is_some_and(|dialogue| dialogue.is_bound()) => {
                    return Err(SessionError::BoundLogin(self.target.name.clone()));
                }
                Step::SentOn(next) => place = next,
            }
        }
        Err(SessionError::TooManyHops { replica: self.target.name.clone(), hops: HOPS_MAX })
    }

    async fn log_in(
        &self,
        connection: Connection,
        place: &Place,
        mut dialogue: Option<&mut Dialogue<'_>>,
    ) -> Result<Step, SessionError> {
        let sent = self.fit(place, connection.advertised);
        let login = sent.encode().map_err(|error| self.io(io::Error::other(error)))?;
        let mut stream = send_login(connection.leg, &login).await.map_err(|error| self.io(error))?;
        let mut early = BytesMut::new();
        loop {
            let response = timeout(self.timeouts.backend_login, self.response(&sent, &mut stream, &mut early)).await;
            let (read, spid) = response.unwrap_or_else(|_| Err(connect::too_slow(&self.target.name, Phase::Login)))?;
            let answer = read.answer;
            return Ok(match read.verdict {
                Verdict::Asks(asked) => {
                    let Some(dialogue) = dialogue.as_deref_mut() else { return Err(self.asked_nobody()) };
                    let (kind, said) = dialogue.ask(asked, &answer).await?;
                    let sent = messages::write_message(&mut stream, kind, PACKET_BYTES_LOGIN, &said).await;
                    sent.map_err(|error| self.io(error))?;
                    continue;
                }
                Verdict::SentOn { host, port } => Step::SentOn(Place::redirected(&host, port)),
                Verdict::Rejected { number } => Step::Done(Outcome::Rejected(Rejection { number, answer })),
                Verdict::Accepted { packet_bytes, agreed } => {
                    let packet_bytes = packet_bytes.unwrap_or(PACKET_BYTES_LOGIN);
                    let backend = Backend { stream, early, packet_bytes, agreed, spid };
                    let asked = features::versions(sent.features.as_deref().unwrap_or_default());
                    let (owed, heard) = (read.owed, read.heard);
                    Step::Done(Outcome::Accepted(Box::new(Accepted { backend, answer, owed, heard, asked })))
                }
            });
        }
    }

    async fn response(
        &self,
        sent: &Login7,
        stream: &mut Stream,
        early: &mut BytesMut,
    ) -> Result<(LoginResponse, u16), SessionError> {
        let failed = |error| connect::read_failed(&self.target.name, Phase::Login, error);
        let message = messages::read_message(stream, early, PACKET_BYTES_MAX, LOGIN_RESPONSE_BYTES_MAX).await;
        let message = message.map_err(failed)?;
        let client = ForClient { tds_version: self.client_version(), sent, asked: self.asked, owed: self.owed };
        let read = response::read(&message.body, &client).map_err(|error| failed(ReadError::Decode(error)))?;
        Ok((read, message.first.spid))
    }

    /// The client's login as this replica gets it: everything the client said, but for what belongs to its own leg.
    fn fit(&self, place: &Place, advertised: Advertised) -> Login7 {
        let mut login = self.login.clone();
        login.server_name.clone_from(&place.host);
        login.application_name = application::name(&login.application_name, self.application_name_suffix);
        login.packet_bytes = self.packet_bytes_asked();
        login.type_flags = match self.read_only {
            true => login.type_flags.with(TypeFlags::READ_ONLY_INTENT),
            false => login.type_flags.without(TypeFlags::READ_ONLY_INTENT),
        };
        if self.target.encryption != Encryption::Strict && login.tds_version == TdsVersion::V8_0 {
            login.tds_version = TdsVersion::V7_4;
        }
        if let Some(features) = &mut login.features {
            features.retain(|feature| FEATURES_PASSED.contains(&feature.id));
            self.narrowed.narrow(features);
            features.iter_mut().for_each(|feature| echo(feature, advertised.fed_auth_required));
        }
        if login.features.as_ref().is_some_and(Vec::is_empty) {
            login.features = None;
        }
        login
    }

    /// Never more than what fits one TLS record, so that a packet is one record and both legs use the same size.
    fn packet_bytes_asked(&self) -> u32 {
        let most = u32::try_from(self.packet_bytes_max).unwrap_or(u32::MAX);
        match self.login.packet_bytes {
            // "The server's default" could be larger than what we may grant.
            0 => u32::try_from(PACKET_BYTES_LOGIN).unwrap_or(most).min(most),
            wanted => wanted.min(most),
        }
    }

    /// The version to show the client, whatever this leg speaks.
    fn client_version(&self) -> Option<TdsVersion> {
        match (self.client_strict && self.login.tds_version == TdsVersion::V8_0, self.target.encryption) {
            (true, _) => Some(TdsVersion::V8_0),
            (false, Encryption::Strict) => Some(TdsVersion::V7_4),
            (false, _) => None,
        }
    }

    /// A question in a login of the proxy's own, which no client may answer.
    fn asked_nobody(&self) -> SessionError {
        let asked = DecodeError::Misplaced("it asks for more than the proxy's own login");
        connect::read_failed(&self.target.name, Phase::Login, ReadError::Decode(asked))
    }

    fn io(&self, error: io::Error) -> SessionError {
        connect::read_failed(&self.target.name, Phase::Login, ReadError::Io(error))
    }
}

/// The echo bit of a federated login repeats what the server said on its own leg, or the server refuses the login.
fn echo(feature: &mut Feature, required: bool) {
    if feature.id != FeatureId::FederatedAuthentication {
        return;
    }
    let mut data = BytesMut::from(&feature.data[..]);
    if let Some(options) = data.first_mut() {
        *options = (*options & !1) | u8::from(required);
    }
    feature.data = data.freeze();
}

enum Step {
    Done(Outcome),
    SentOn(Place),
}

async fn send_login(leg: Leg, login: &[u8]) -> io::Result<Stream> {
    match leg {
        Leg::Settled(mut stream) => {
            messages::write_message(&mut stream, PacketKind::Login7, PACKET_BYTES_LOGIN, login).await?;
            Ok(stream)
        }
        Leg::LoginOnly(tls) => send_first_packet_in_tls(*tls, login).await,
    }
}

/// Only the first packet of LOGIN7 is encrypted; then TLS is dropped without a goodbye, which the server would read as
/// a packet.
async fn send_first_packet_in_tls(mut tls: TlsStream<Wire>, login: &[u8]) -> io::Result<Stream> {
    let mut framed = BytesMut::new();
    packet::put_message(&mut framed, Framing::new(PacketKind::Login7, PACKET_BYTES_LOGIN), login);
    let rest = framed.split_off(framed.len().min(PACKET_BYTES_LOGIN));
    tls.write_all(&framed).await?;
    tls.flush().await?;
    let TlsStream::Client(tls) = tls else { return Err(io::Error::other("a client's TLS is not a client's")) };
    let (tcp, _) = tls.into_inner().0.into_parts();
    let mut stream = Stream::Plain(tcp);
    messages::write_packets(&mut stream, &rest).await?;
    Ok(stream)
}
