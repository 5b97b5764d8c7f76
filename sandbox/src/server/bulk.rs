//! Bulk load: rows go to the engine as their packets arrive, so that a load of any size takes constant memory.

use super::Error;
use super::response::Response;
use super::session::{Client, Finished, NOT_RUN, StopOnDrop};
use crate::engine::front::EngineSession;
use crate::engine::sink::{Message, Sink, StatementEnd, Stop};
use bytes::BytesMut;
use tds::DecodeError;
use tds::bulk::{BulkEvent, BulkLoad};
use tds::packet::{Header, PacketKind, Status};
use tokio::sync::mpsc;

/// `CurCmd` of a bulk load.
const BULK_INSERT: u16 = 0xF0;
/// Packets that may wait for the engine.
const QUEUE: usize = 16;
/// Largest row taken.
const ROW_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What the session's task hands to the engine's thread.
enum Part {
    Rows(BytesMut),
    /// The message ended. Without it the load was broken off.
    End,
}

/// How the packets of the load ended.
enum Ended {
    Whole,
    Ignored,
    Attention,
}

/// Takes a bulk load whose first packet is here, and answers it.
pub(super) async fn load(
    client: &mut Client,
    engine: Box<dyn EngineSession>,
    header: Header,
    body: BytesMut,
) -> Result<Box<dyn EngineSession>, Error> {
    let (response, packets, stop) = client.respond();
    let (parts, received) = mpsc::channel(QUEUE);
    let task = tokio::task::spawn_blocking(move || run(engine, received, response));
    let mut guard = StopOnDrop::new(&stop, &client.interrupt);
    match feed(client, parts, header, body).await? {
        Ended::Whole => {
            guard.disarm();
            client.attend(packets, &stop, task).await
        }
        ended => {
            guard.stop();
            let (engine, ..) = task.await.map_err(|_| Error::Engine)?;
            match ended {
                Ended::Attention => client.refuse_and_acknowledge().await?,
                _ => client.send(NOT_RUN).await?,
            }
            Ok(engine)
        }
    }
}

/// Passes packets on until the message ends. An engine that gave up early does not stop it: the client still sends.
async fn feed(
    client: &mut Client,
    parts: mpsc::Sender<Part>,
    mut header: Header,
    mut body: BytesMut,
) -> Result<Ended, Error> {
    loop {
        match header.kind {
            PacketKind::BulkLoad if header.status.contains(Status::IGNORE) => return Ok(Ended::Ignored),
            PacketKind::BulkLoad => {
                let _ = parts.send(Part::Rows(body)).await;
            }
            PacketKind::Attention => return Ok(Ended::Attention),
            other => return Err(Error::Unexpected(other)),
        }
        if header.status.is_end_of_message() {
            let _ = parts.send(Part::End).await;
            return Ok(Ended::Whole);
        }
        (header, body) = client.reader.next().await?.ok_or(Error::Closed)?;
    }
}

/// Why the rows were not stored.
#[derive(Debug)]
enum Failed {
    /// The client broke the load off.
    BrokenOff,
    /// The engine does not take a row.
    Refused(Message),
    /// The client broke the protocol.
    Protocol(DecodeError),
}

impl From<DecodeError> for Failed {
    fn from(error: DecodeError) -> Self {
        Self::Protocol(error)
    }
}

impl From<Message> for Failed {
    fn from(message: Message) -> Self {
        Self::Refused(message)
    }
}

/// Stores the rows as they come and answers once the message has ended. Runs on the engine's thread.
fn run(mut engine: Box<dyn EngineSession>, mut parts: mpsc::Receiver<Part>, mut response: Response) -> Finished {
    let mut outcome = Ok(());
    // Nobody hears of a failure any more if the client is gone: hence what `told` is worth is not looked at.
    let told = match store(engine.as_mut(), &mut parts) {
        Ok(()) => engine.end_bulk(&mut response),
        Err(failed) => {
            engine.abort_bulk();
            match failed {
                Failed::BrokenOff => Ok(()),
                Failed::Refused(message) => {
                    read_to_end(&mut parts);
                    let end = StatementEnd { command: BULK_INSERT, rows: None, failed: true };
                    response.message(message).and_then(|()| response.end(end))
                }
                Failed::Protocol(error) => {
                    read_to_end(&mut parts);
                    outcome = Err(error);
                    let text = "The bulk load data stream is incorrect. The connection is closed.";
                    response.error(4804, 20, text)
                }
            }
        }
    };
    let (Ok(()) | Err(Stop)) = told;
    (engine, response.finish(), outcome)
}

/// Gives every row to the engine.
fn store(engine: &mut dyn EngineSession, parts: &mut mpsc::Receiver<Part>) -> Result<(), Failed> {
    let mut load = BulkLoad::new(ROW_BYTES_MAX);
    loop {
        match parts.blocking_recv() {
            Some(Part::Rows(body)) => load.feed(&body),
            Some(Part::End) => return Ok(load.finish()?),
            None => return Err(Failed::BrokenOff),
        }
        while let Some(event) = load.next_event()? {
            match event {
                BulkEvent::Columns(columns) => engine.begin_bulk(&columns)?,
                BulkEvent::Row(values) => engine.bulk_row(&values)?,
                BulkEvent::Done => {}
            }
        }
    }
}

/// Takes what the client still sends of a load that has failed.
fn read_to_end(parts: &mut mpsc::Receiver<Part>) {
    while matches!(parts.blocking_recv(), Some(Part::Rows(_))) {}
}
