//! ALL_HEADERS: what batches, calls and transaction manager requests begin with from TDS 7.2 on ([MS-TDS] 2.2.5.3).

use crate::{DecodeError, read::Reader, text};
use bytes::{BufMut, BytesMut};

const QUERY_NOTIFICATION: u16 = 1;
const TRANSACTION_DESCRIPTOR: u16 = 2;
const TRACE_ACTIVITY: u16 = 3;
/// Bytes of a header before its data.
const HEADER_BYTES: u32 = 6;

/// The transaction a request runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransactionDescriptor {
    /// The descriptor of the last ENVCHANGE 8 or 11; 0 is autocommit.
    pub descriptor: u64,
    /// Requests outstanding on the connection, this one included; 1 without MARS.
    pub outstanding_requests: u32,
}

/// A subscription to changes of the request's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryNotification {
    /// The subscriber's own id for it.
    pub id: String,
    /// The service that is told.
    pub deployment: String,
    /// When it ends by itself.
    pub timeout_ms: Option<u32>,
}

/// The activity a request belongs to, for traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceActivity {
    /// Its id.
    pub activity_id: [u8; 16],
    /// Sequence number within it.
    pub sequence: u32,
}

/// The headers of a request, each at most once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllHeaders {
    /// The transaction. Required by [MS-TDS], but its absence is left to the reader to judge.
    pub transaction: Option<TransactionDescriptor>,
    /// A query notification.
    pub query_notification: Option<QueryNotification>,
    /// A trace activity.
    pub trace_activity: Option<TraceActivity>,
}

impl AllHeaders {
    /// Headers for a request in the transaction `descriptor`, 0 for none.
    pub fn in_transaction(descriptor: u64) -> Self {
        Self { transaction: Some(TransactionDescriptor { descriptor, outstanding_requests: 1 }), ..Self::default() }
    }

    /// Reads the headers from the front of a request. Types [MS-TDS] does not define are skipped.
    ///
    /// # Errors
    /// A length that does not fit, or a header twice.
    pub fn decode(request: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let total = request.u32("ALL_HEADERS length")?;
        let mut list = Reader::new(request.take(counted(total, 4, "ALL_HEADERS length")?, "ALL_HEADERS")?);
        let mut headers = Self::default();
        while !list.is_empty() {
            let length = list.u32("header length")?;
            let kind = list.u16("header type")?;
            let data = list.take(counted(length, HEADER_BYTES, "header length")?, "header data")?;
            headers.set(kind, &mut Reader::new(data))?;
        }
        Ok(headers)
    }

    fn set(&mut self, kind: u16, data: &mut Reader<'_>) -> Result<(), DecodeError> {
        let twice = match kind {
            QUERY_NOTIFICATION => self.query_notification.replace(QueryNotification::decode(data)?).is_some(),
            TRANSACTION_DESCRIPTOR => {
                let descriptor = data.u64("transaction descriptor")?;
                let outstanding_requests = data.u32("outstanding request count")?;
                self.transaction.replace(TransactionDescriptor { descriptor, outstanding_requests }).is_some()
            }
            TRACE_ACTIVITY => {
                let activity_id = data.array("trace activity")?;
                let sequence = data.u32("trace activity")?;
                self.trace_activity.replace(TraceActivity { activity_id, sequence }).is_some()
            }
            _ => return Ok(()),
        };
        if twice { Err(DecodeError::Misplaced("a header of ALL_HEADERS is sent twice")) } else { Ok(()) }
    }

    /// Appends the headers with their lengths.
    pub fn put(&self, out: &mut impl BufMut) {
        let mut list = BytesMut::new();
        if let Some(notification) = &self.query_notification {
            let data = notification.encode();
            put_header(&mut list, QUERY_NOTIFICATION, &data);
        }
        if let Some(TransactionDescriptor { descriptor, outstanding_requests }) = self.transaction {
            let mut data = BytesMut::with_capacity(12);
            data.put_u64_le(descriptor);
            data.put_u32_le(outstanding_requests);
            put_header(&mut list, TRANSACTION_DESCRIPTOR, &data);
        }
        if let Some(TraceActivity { activity_id, sequence }) = self.trace_activity {
            let mut data = BytesMut::with_capacity(20);
            data.put_slice(&activity_id);
            data.put_u32_le(sequence);
            put_header(&mut list, TRACE_ACTIVITY, &data);
        }
        out.put_u32_le(u32::try_from(list.len()).unwrap_or(u32::MAX).saturating_add(4));
        out.put_slice(&list);
    }
}

impl QueryNotification {
    fn decode(data: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = text::decode(data.us_varbyte("notification id")?, "notification id")?;
        let deployment = text::decode(data.us_varbyte("notification deployment")?, "notification deployment")?;
        let timeout_ms = if data.is_empty() { None } else { Some(data.u32("notification timeout")?) };
        Ok(Self { id, deployment, timeout_ms })
    }

    fn encode(&self) -> BytesMut {
        let mut data = BytesMut::new();
        for part in [&self.id, &self.deployment] {
            let part = text::cut(part, usize::from(u16::MAX / 2));
            data.put_u16_le(u16::try_from(text::units(part).saturating_mul(2)).unwrap_or(u16::MAX));
            text::put(&mut data, part);
        }
        self.timeout_ms.into_iter().for_each(|timeout_ms| data.put_u32_le(timeout_ms));
        data
    }
}

fn put_header(out: &mut BytesMut, kind: u16, data: &[u8]) {
    out.put_u32_le(u32::try_from(data.len()).unwrap_or(u32::MAX).saturating_add(HEADER_BYTES));
    out.put_u16_le(kind);
    out.put_slice(data);
}

/// What is left of a length that counts `own` bytes of its own.
fn counted(length: u32, own: u32, what: &'static str) -> Result<usize, DecodeError> {
    match length.checked_sub(own) {
        Some(left) => Ok(usize::try_from(left).unwrap_or(usize::MAX)),
        None => Err(DecodeError::BadValue { what, value: u64::from(length) }),
    }
}
