//! A logged-in client: one request after the other, and the attentions that may come at any time.
//!
//! The task that runs this owns the session. While a request runs, the engine's half of it is lent to a blocking thread;
//! an idle session holds no thread.

use super::packets::{PacketReader, write_packets};
use super::request::{self, Request};
use super::response::{Framing, Response};
use super::stop::StopFlag;
use super::stream::Stream;
use super::{Error, REQUEST_BYTES_MAX, bulk};
use crate::engine::front::{EngineSession, Interrupt};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use tds::packet::{self, Header, PacketKind, Status};
use tds::token::{Done, DoneKind, DoneStatus};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Batches of packets that may wait for the client.
const QUEUE: usize = 2;
/// The answer to a message that was not run: one DONE with the error bit.
pub(super) const NOT_RUN: Done = Done { kind: DoneKind::Done, status: DoneStatus::ERROR, command: 0, rows: 0 };

/// A client after its login.
pub(super) struct Client {
    pub(super) reader: PacketReader<ReadHalf<Stream>>,
    pub(super) writer: WriteHalf<Stream>,
    pub(super) encrypted: bool,
    pub(super) framing: Framing,
    pub(super) interrupt: Arc<dyn Interrupt>,
}

/// What the engine's thread gives back: its session, the response's last packets, and whether the client broke the protocol.
pub(super) type Finished = (Box<dyn EngineSession>, Bytes, Result<(), tds::DecodeError>);

/// How the packets of a message ended.
enum Collected {
    /// With the end of the message.
    Whole(Vec<u8>),
    /// The client said to ignore it.
    Ignored,
    /// An attention came in the middle of it.
    Attention,
}

impl Client {
    /// Answers requests until the client goes.
    pub(super) async fn serve(mut self, mut engine: Box<dyn EngineSession>) -> Result<(), Error> {
        while let Some((header, body)) = self.reader.next().await? {
            match header.kind {
                PacketKind::Attention => self.send(Done::ATTENTION).await?,
                PacketKind::BulkLoad => engine = bulk::load(&mut self, engine, header, body).await?,
                PacketKind::SqlBatch | PacketKind::Rpc | PacketKind::TransactionManager => {
                    engine = self.request(engine, header, body).await?;
                }
                other => return Err(Error::Unexpected(other)),
            }
        }
        Ok(())
    }

    async fn request(
        &mut self,
        mut engine: Box<dyn EngineSession>,
        header: Header,
        body: BytesMut,
    ) -> Result<Box<dyn EngineSession>, Error> {
        match self.collect(header, body).await? {
            Collected::Whole(message) => {
                let request = Request { kind: header.kind, status: header.status, message };
                let (mut response, packets, stop) = self.respond();
                let task = tokio::task::spawn_blocking(move || {
                    let outcome = request::run(engine.as_mut(), &request, &mut response);
                    (engine, response.finish(), outcome)
                });
                self.attend(packets, &stop, task).await
            }
            Collected::Ignored => {
                self.send(NOT_RUN).await?;
                Ok(engine)
            }
            Collected::Attention => {
                self.refuse_and_acknowledge().await?;
                Ok(engine)
            }
        }
    }

    /// Reads a message's packets to their end.
    async fn collect(&mut self, first: Header, body: BytesMut) -> Result<Collected, Error> {
        let mut message = Vec::from(body);
        let mut header = first;
        while !header.status.is_end_of_message() {
            let (next, body) = self.reader.next().await?.ok_or(Error::Closed)?;
            if next.kind == PacketKind::Attention {
                return Ok(Collected::Attention);
            }
            if next.kind != first.kind {
                return Err(Error::Unexpected(next.kind));
            }
            if message.len() + body.len() > REQUEST_BYTES_MAX {
                return Err(tds::DecodeError::TooLarge { what: "a request", limit: REQUEST_BYTES_MAX }.into());
            }
            message.extend_from_slice(&body);
            header = next;
        }
        let ignored = header.status.contains(Status::IGNORE);
        Ok(if ignored { Collected::Ignored } else { Collected::Whole(message) })
    }

    /// A response, its packets as they come, and the flag that stops it.
    pub(super) fn respond(&self) -> (Response, mpsc::Receiver<Bytes>, StopFlag) {
        let (sender, packets) = mpsc::channel(QUEUE);
        let stop = StopFlag::default();
        (Response::new(self.framing.clone(), sender, stop.clone()), packets, stop)
    }

    /// Sends a response as it comes and watches for an attention meanwhile. Gives the session back once the engine is done.
    pub(super) async fn attend(
        &mut self,
        mut packets: mpsc::Receiver<Bytes>,
        stop: &StopFlag,
        task: JoinHandle<Finished>,
    ) -> Result<Box<dyn EngineSession>, Error> {
        let mut guard = StopOnDrop::new(stop, &self.interrupt);
        let mut attention = false;
        let mut watching = true;
        loop {
            tokio::select! {
                biased;
                part = packets.recv() => match part {
                    Some(part) => write_packets(&mut self.writer, &part, self.encrypted).await?,
                    None => break,
                },
                next = self.reader.peek(), if watching => {
                    watching = false;
                    match next? {
                        Some(header) if header.kind == PacketKind::Attention => {
                            self.reader.next().await?;
                            attention = true;
                            guard.stop();
                        }
                        // A request sent ahead waits until this one is answered.
                        Some(_) => {}
                        None => return Err(Error::Closed),
                    }
                }
            }
        }
        let (engine, last, outcome) = task.await.map_err(|_| Error::Engine)?;
        guard.disarm();
        write_packets(&mut self.writer, &last, self.encrypted).await?;
        outcome?;
        if attention {
            self.send(Done::ATTENTION).await?;
        }
        Ok(engine)
    }

    /// The two messages that answer an attention in the middle of a request: nothing was run, and the acknowledgement.
    pub(super) async fn refuse_and_acknowledge(&mut self) -> Result<(), Error> {
        self.send(NOT_RUN).await?;
        self.send(Done::ATTENTION).await
    }

    /// Sends a message of one DONE.
    pub(super) async fn send(&mut self, done: Done) -> Result<(), Error> {
        let mut tokens = BytesMut::with_capacity(Done::BYTES);
        done.encode(&mut tokens);
        let framing = packet::Framing {
            spid: self.framing.spid,
            ..packet::Framing::new(PacketKind::TabularResult, self.framing.packet_bytes)
        };
        let mut packets = BytesMut::new();
        packet::put_message(&mut packets, framing, &tokens);
        write_packets(&mut self.writer, &packets, self.encrypted).await
    }
}

/// Stops the engine when the client is gone or the server shuts down, wherever the session's task happens to wait.
pub(super) struct StopOnDrop {
    stop: StopFlag,
    interrupt: Arc<dyn Interrupt>,
    armed: bool,
}

impl StopOnDrop {
    pub(super) fn new(stop: &StopFlag, interrupt: &Arc<dyn Interrupt>) -> Self {
        Self { stop: stop.clone(), interrupt: Arc::clone(interrupt), armed: true }
    }

    pub(super) fn stop(&self) {
        self.stop.set();
        self.interrupt.interrupt();
    }

    /// The engine is done, or somebody else watches over it.
    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if self.armed {
            self.stop();
        }
    }
}
