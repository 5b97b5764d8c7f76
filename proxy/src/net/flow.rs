//! One direction of a running session: whole packets through a bounded buffer, looked at once on their way.
//!
//! A packet leaves only when it arrived whole, so the receiving side never holds half a packet when the sending side
//! dies, and an own message can be put between two packets.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tds::DecodeError;
use tds::packet::{self, HEADER_BYTES, Header, PACKET_BYTES_MAX};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;

/// What a flow's buffer starts with while exchanges are small: the largest size that glibc serves from its fast lists.
const SMALL_BYTES: usize = 1024;
/// What it starts with after an exchange that needed more.
const MEDIUM_BYTES: usize = 4096;
/// How many bytes of packets go to a TLS leg before it is flushed.
const FLUSH_BYTES: usize = 64 * 1024;

/// Looks at each whole packet that passes: header and body.
pub(crate) trait Observer {
    /// Called once per packet, in order, before the packet is sent on.
    ///
    /// # Errors
    /// When the packet must not be sent on; it ends the session.
    fn packet(&mut self, header: Header, body: &[u8]) -> Result<(), DecodeError>;
}

/// Why a flow stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FlowError {
    /// The side we read from failed.
    #[error(transparent)]
    Read(io::Error),
    /// The side we read from broke the protocol.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The side we write to failed.
    #[error(transparent)]
    Write(io::Error),
}

/// Bytes on their way from one stream to the other.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Empty while idle: an idle session holds no buffer.
    bytes: Vec<u8>,
    /// First byte not sent yet.
    start: usize,
    /// Invariant: `start <= ready <= end <= bytes.len()`. Up to here the bytes are whole packets that were looked at.
    ready: usize,
    /// End of what was read.
    end: usize,
    /// The most that `end` was since the buffer was last given back.
    end_max: usize,
    /// What the next buffer starts with: exchanges resemble the ones before them.
    first_bytes: usize,
    /// The buffer never grows beyond this.
    bytes_max: usize,
    /// Bytes handed to a TLS stream since its last flush.
    unflushed: usize,
    /// The source has ended.
    ended: bool,
    /// Bytes the sink has taken since the session began.
    taken: u64,
}

impl Flow {
    /// An idle flow whose buffer may grow to `bytes_max`, though never below what one packet needs. `early` are bytes
    /// that were read already.
    pub(crate) fn new(bytes_max: usize, early: &[u8]) -> Self {
        let bytes_max = bytes_max.max(PACKET_BYTES_MAX + 1);
        let end = early.len();
        Self {
            bytes: early.to_vec(),
            start: 0,
            ready: 0,
            end,
            end_max: end,
            first_bytes: SMALL_BYTES,
            bytes_max,
            unflushed: 0,
            ended: false,
            taken: 0,
        }
    }

    /// Whether the source said that nothing more will come.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end && self.unflushed == 0
    }

    /// Whether bytes of a packet that is not whole yet wait here.
    pub(crate) fn holds_part_of_a_packet(&self) -> bool {
        self.ready < self.end
    }

    /// Whether packets wait to be sent.
    pub(crate) fn has_packets(&self) -> bool {
        self.start < self.ready || self.unflushed > 0
    }

    /// Bytes the sink has taken since the session began; a stall shows as a number that stays.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Gives the buffer back if nothing is on its way.
    pub(crate) fn give_back(&mut self) {
        if self.start == self.end {
            self.first_bytes = if self.end_max > SMALL_BYTES { MEDIUM_BYTES } else { SMALL_BYTES };
            (self.start, self.ready, self.end, self.end_max) = (0, 0, 0, 0);
            self.bytes = Vec::new();
        }
    }

    /// Passes packets on as far as that goes without waiting, and leaves wakers behind for what it waits for.
    ///
    /// # Errors
    /// What failed, and on which side.
    pub(crate) fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        sink: &mut Stream,
        observer: &mut impl Observer,
    ) -> Result<(), FlowError> {
        loop {
            let _: Poll<()> = self.poll_drain(cx, sink)?;
            if self.poll_fill(cx, source, observer)?.is_pending() {
                return Ok(());
            }
        }
    }

    /// Reads once from `source` and shows every packet that became whole to `observer`. `Pending` when the source has
    /// nothing, the buffer is full, or the source has ended.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        observer: &mut impl Observer,
    ) -> Poll<Result<(), FlowError>> {
        if self.holds_part_of_a_packet() && self.start == 0 && self.ready == 0 {
            // Early bytes were read before there was an observer.
            self.look(observer)?;
        }
        if self.ended || !self.make_room() {
            return Poll::Pending;
        }
        let Some(spare) = self.bytes.get_mut(self.end..) else { return Poll::Pending };
        let room = spare.len();
        let mut read = ReadBuf::new(spare);
        ready!(Pin::new(source).poll_read(cx, &mut read)).map_err(FlowError::Read)?;
        let count = read.filled().len();
        if count == 0 {
            self.ended = true;
            return Poll::Ready(Ok(()));
        }
        self.end += count;
        self.end_max = self.end_max.max(self.end);
        self.look(observer)?;
        if count == room {
            self.grow();
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what is whole to `sink`. `Ready` when all of it left.
    fn poll_drain(&mut self, cx: &mut Context<'_>, sink: &mut Stream) -> Poll<Result<(), FlowError>> {
        let packet_by_packet = sink.writes_packet_by_packet();
        while self.start < self.ready {
            if packet_by_packet && self.unflushed >= FLUSH_BYTES {
                ready!(self.poll_flush(cx, sink))?;
            }
            let Some(whole) = self.bytes.get(self.start..self.ready) else { break };
            let next = if packet_by_packet { first_packet(whole) } else { whole };
            let sent = ready!(Pin::new(&mut *sink).poll_write(cx, next)).map_err(FlowError::Write)?;
            if sent == 0 {
                return Poll::Ready(Err(FlowError::Write(io::ErrorKind::WriteZero.into())));
            }
            self.start += sent;
            self.taken += sent as u64;
            if packet_by_packet {
                self.unflushed += sent;
            }
        }
        if self.unflushed > 0 {
            ready!(self.poll_flush(cx, sink))?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, sink: &mut Stream) -> Poll<Result<(), FlowError>> {
        ready!(Pin::new(sink).poll_flush(cx)).map_err(FlowError::Write)?;
        self.unflushed = 0;
        Poll::Ready(Ok(()))
    }

    /// Shows the packets that are whole by now.
    fn look(&mut self, observer: &mut impl Observer) -> Result<(), DecodeError> {
        while let Some(unseen) = self.bytes.get(self.ready..self.end) {
            let Some(header) = packet::peek(unseen, PACKET_BYTES_MAX)? else { break };
            let length = usize::from(header.length);
            observer.packet(header, unseen.get(HEADER_BYTES..length).unwrap_or_default())?;
            self.ready += length;
        }
        Ok(())
    }

    /// Makes sure that there is room to read into, by moving what is left to the front. False when the buffer is full
    /// of packets that must leave first.
    fn make_room(&mut self) -> bool {
        if self.bytes.is_empty() {
            // `vec![0; n]` would ask for zeroed memory, which glibc before 2.41 never serves from its fast lists.
            self.bytes.resize(self.first_bytes, 0);
        }
        if self.start == self.end {
            (self.start, self.ready, self.end) = (0, 0, 0);
        } else if self.start > 0 && (self.start == self.ready || self.end == self.bytes.len()) {
            // What is left is part of one packet, or the buffer's end was reached.
            self.bytes.copy_within(self.start..self.end, 0);
            self.ready -= self.start;
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.bytes.len() {
            self.grow();
        }
        self.end < self.bytes.len()
    }

    /// A source that fills the buffer gets a larger one: bulk data wants few system calls.
    fn grow(&mut self) {
        let larger = (self.bytes.len() * 4).clamp(SMALL_BYTES, self.bytes_max);
        if larger > self.bytes.len() {
            self.bytes.resize(larger, 0);
        }
    }
}

/// The first packet of `packets`, which are whole.
fn first_packet(packets: &[u8]) -> &[u8] {
    let length = match packets.first_chunk::<HEADER_BYTES>() {
        Some([_, _, high, low, ..]) => usize::from(u16::from_be_bytes([*high, *low])),
        None => packets.len(),
    };
    packets.get(..length).unwrap_or(packets)
}

#[cfg(test)]
mod tests;
