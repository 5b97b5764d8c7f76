//! Heads of requests, whole and in pieces.

use super::*;
use crate::DecodeError;
use crate::packet::PacketKind;
use crate::read::Reader;
use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use std::borrow::Cow;
use tds_protocol::rpc as theirs;

const LIMIT_BYTES: usize = 4096;

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn text(text: &str) -> Statement<'static> {
    Statement::Text(Cow::Owned(utf16(text)))
}

fn batch(descriptor: u64, sql: &str) -> Vec<u8> {
    let mut body = BytesMut::new();
    AllHeaders::in_transaction(descriptor).put(&mut body);
    crate::text::put(&mut body, sql);
    body.to_vec()
}

/// A call with these bytes after its name.
fn call(name: &str, parameters: &[u8]) -> Vec<u8> {
    let mut body = BytesMut::new();
    AllHeaders::in_transaction(7).put(&mut body);
    crate::text::put_us_varchar(&mut body, name);
    body.put_u16_le(0);
    body.put_slice(parameters);
    body.to_vec()
}

/// An nvarchar(max) parameter in chunks of one character.
fn chunked(name: &str, value: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    crate::text::put_b_varchar(&mut out, name);
    out.put_slice(&[0, 0xE7, 0xFF, 0xFF, 9, 4, 0xD0, 0, 0x34]);
    out.put_u64_le(u64::MAX - 1);
    for unit in value.encode_utf16() {
        out.put_u32_le(2);
        out.put_u16_le(unit);
    }
    out.put_u32_le(0);
    out.to_vec()
}

/// Feeds `body` cut at `cuts` and gives the head and how many pieces it took.
fn read(
    kind: PacketKind,
    limit: usize,
    body: &[u8],
    cuts: &[usize],
) -> Result<(RequestHead<'static>, usize), DecodeError> {
    let mut reader = HeadReader::new(kind, limit);
    let mut edges: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).chain([0, body.len()]).collect();
    edges.sort_unstable();
    for (fed, edge) in edges.windows(2).enumerate() {
        let piece = &body[edge[0]..edge[1]];
        let last = fed + 2 == edges.len();
        if let Some(head) = reader.feed(piece, last)? {
            return Ok((owned(head), fed + 1));
        }
        assert!(reader.kept_bytes() <= limit, "kept {} bytes", reader.kept_bytes());
    }
    panic!("the message ended without a head or an error");
}

fn owned(head: RequestHead<'_>) -> RequestHead<'static> {
    let own = |statement| match statement {
        Statement::Text(text) => Statement::Text(Cow::Owned(text.into_owned())),
        Statement::TooLong => Statement::TooLong,
        Statement::None => Statement::None,
    };
    let RequestHead { headers, head } = head;
    let head = match head {
        Head::Batch(statement) => Head::Batch(own(statement)),
        Head::Call { procedure, statement } => Head::Call { procedure, statement: own(statement) },
        Head::Transaction(request) => Head::Transaction(request),
        Head::BulkLoad => Head::BulkLoad,
    };
    RequestHead { headers, head }
}

#[track_caller]
fn check_call(body: &[u8], procedure: Procedure, statement: Statement<'static>) {
    let (head, _) = read(PacketKind::Rpc, LIMIT_BYTES, body, &[]).unwrap();
    assert_eq!(head.head, Head::Call { procedure, statement });
}

#[test]
fn the_specification_s_batch_is_read() {
    // [MC-SMP] 4.3 carries this TDS batch: SET QUOTED_IDENTIFIER OFF, no transaction.
    let hex = "16000000 12000000 0200 0000000000000000 01000000 5300450054002000";
    let digits: String = hex.split_whitespace().collect();
    let body: Vec<u8> =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    let (head, _) = read(PacketKind::SqlBatch, LIMIT_BYTES, &body, &[]).unwrap();
    assert_eq!(head, RequestHead { headers: AllHeaders::in_transaction(0), head: Head::Batch(text("SET ")) });
}

#[test]
fn a_batch_beyond_the_limit_has_no_text() {
    let body = batch(5, &"x".repeat(100));
    let (head, fed) = read(PacketKind::SqlBatch, 64, &body, &[30, 60, 90, 120]).unwrap();
    assert_eq!(head.head, Head::Batch(Statement::TooLong));
    assert_eq!(fed, 3, "the third piece crosses the limit");
    assert_eq!(read(PacketKind::SqlBatch, body.len(), &body, &[]).unwrap().0.head, Head::Batch(text(&"x".repeat(100))));
    assert!(read(PacketKind::SqlBatch, 10, &body, &[]).unwrap_err().to_string().contains("limit of 10"));
}

#[test]
fn the_descriptor_is_known_before_the_text_is() {
    let body = batch(42, &"SELECT 1 ".repeat(50));
    let mut reader = HeadReader::new(PacketKind::SqlBatch, LIMIT_BYTES);
    assert_eq!(reader.feed(&body[..20], false).unwrap(), None);
    assert_eq!(reader.descriptor(), None);
    assert_eq!(reader.feed(&body[20..40], false).unwrap(), None);
    assert_eq!(reader.descriptor(), Some(42));
}

#[test]
fn calls_by_number_and_by_name_give_their_statement() {
    use Procedure::{Known, Named};
    let sql = "SELECT * FROM Orders WHERE OrderID = @P1";
    let one = chunked("", sql);
    let named = [chunked("@params", "@P1 int"), chunked("@stmt", sql)].concat();
    let handle = [0u8, 1, 0x26, 4, 0];
    let prepare = [handle.as_slice(), &chunked("", "@P1 int"), &chunked("", sql)].concat();
    check_call(&call("sp_executesql", &one), Known(ProcId::ExecuteSql), text(sql));
    check_call(&call("[SYS].[Sp_ExecuteSql]", &one), Known(ProcId::ExecuteSql), text(sql));
    check_call(&call("sp_prepexec", &prepare), Known(ProcId::PrepExec), text(sql));
    check_call(&call("sp_prepare", &prepare), Known(ProcId::Prepare), text(sql));
    check_call(&call("sp_executesql", &named), Known(ProcId::ExecuteSql), Statement::None);
    check_call(&call("sp_executesql", &[]), Known(ProcId::ExecuteSql), Statement::None);
    check_call(&call("sp_execute", &handle), Known(ProcId::Execute), Statement::None);
    check_call(&call("other.dbo.sp_executesql", &one), Named("other.dbo.sp_executesql".to_owned()), Statement::None);
    check_call(&call("dbo.AddOrder", &[0xFF]), Named("dbo.AddOrder".to_owned()), Statement::None);
}

#[test]
fn a_short_text_a_null_and_ntext_are_read_too() {
    let collation = [9, 4, 0xD0, 0, 0x34];
    let value = utf16("SELECT 1");
    let short = [&[0, 0, 0xE7, 0x40, 0x1F], collation.as_slice(), &[16, 0], &value].concat();
    check_call(&call("sp_executesql", &short), Procedure::Known(ProcId::ExecuteSql), text("SELECT 1"));
    let null = [&[0, 0, 0xE7, 0x40, 0x1F], collation.as_slice(), &[0xFF, 0xFF]].concat();
    check_call(&call("sp_executesql", &null), Procedure::Known(ProcId::ExecuteSql), Statement::None);
    let n_text = [&[0, 0, 0x63, 16, 0, 0, 0], collation.as_slice(), &[16, 0, 0, 0], &value].concat();
    check_call(&call("sp_executesql", &n_text), Procedure::Known(ProcId::ExecuteSql), text("SELECT 1"));
    let varchar = [&[0, 0, 0xA7, 0x40, 0x1F], collation.as_slice(), &[16, 0], &value].concat();
    check_call(&call("sp_executesql", &varchar), Procedure::Known(ProcId::ExecuteSql), Statement::None);
}

#[test]
fn an_endless_statement_is_given_up_at_the_limit() {
    let body = call("sp_executesql", &chunked("", &"x".repeat(1000)));
    let (head, fed) = read(PacketKind::Rpc, 512, &body, &[100, 400, 600, 3000]).unwrap();
    let procedure = Procedure::Known(ProcId::ExecuteSql);
    assert_eq!(head.head, Head::Call { procedure, statement: Statement::TooLong });
    assert_eq!(fed, 3);
}

#[test]
fn calls_and_batches_of_a_library_we_did_not_write_are_read() {
    let sql = "SELECT @id";
    let parameters = vec![theirs::RpcParam::int("@id", 5)];
    let execute = theirs::RpcRequest::execute_sql(sql, parameters).encode();
    check_call(&execute, Procedure::Known(ProcId::ExecuteSql), text(sql));
    let long = "SELECT 1 -- ".repeat(800);
    let (head, _) =
        read(PacketKind::Rpc, 1 << 20, &theirs::RpcRequest::execute_sql(&long, vec![]).encode(), &[]).unwrap();
    assert_eq!(head.head, Head::Call { procedure: Procedure::Known(ProcId::ExecuteSql), statement: text(&long) });
    let named = theirs::RpcRequest::named("dbo.AddOrder").encode_with_transaction(99);
    let (head, _) = read(PacketKind::Rpc, LIMIT_BYTES, &named, &[]).unwrap();
    assert_eq!(head.headers, AllHeaders::in_transaction(99));
}

#[test]
fn what_is_no_request_or_breaks_off_is_refused() {
    let refused = |kind, body: &[u8]| read(kind, LIMIT_BYTES, body, &[]).unwrap_err().to_string();
    assert_eq!(refused(PacketKind::Login7, &[]), "the message is not a request");
    assert!(refused(PacketKind::SqlBatch, &[1, 0]).contains("ALL_HEADERS length needs 4 bytes"));
    assert!(refused(PacketKind::SqlBatch, &[3, 0, 0, 0]).contains("ALL_HEADERS length has the value 3"));
    assert!(refused(PacketKind::SqlBatch, &[10, 0, 0, 0, 5, 0, 0, 0, 2, 0]).contains("header length has the value 5"));
    let mut twice = vec![40, 0, 0, 0];
    twice.extend([18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0].repeat(2));
    assert!(refused(PacketKind::SqlBatch, &twice).contains("sent twice"));
    let mut unknown = batch(0, "");
    unknown.extend([0xFF, 0xFF, 16, 0, 0, 0]);
    assert!(refused(PacketKind::Rpc, &unknown).contains("procedure number has the value 16"));
    assert!(refused(PacketKind::TransactionManager, &batch(0, "\u{3}")).contains("request has the value 3"));
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Zäöü\u{1F600}]{0,32}"
}

prop_compose! {
    fn begin()(level in 0usize..6, name in name()) -> Begin {
        use IsolationLevel::{ReadCommitted, ReadUncommitted, RepeatableRead, Serializable, Snapshot, Unchanged};
        let isolation = [Unchanged, ReadUncommitted, ReadCommitted, RepeatableRead, Serializable, Snapshot][level];
        Begin { isolation, name }
    }
}

fn transaction() -> impl Strategy<Value = TransactionRequest> {
    let ending = || (name(), prop::option::of(begin()));
    prop_oneof![
        Just(TransactionRequest::DtcAddress),
        Just(TransactionRequest::Promote),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(|cookie| TransactionRequest::Propagate(cookie.into())),
        begin().prop_map(TransactionRequest::Begin),
        ending().prop_map(|(name, then)| TransactionRequest::Commit { name, then }),
        ending().prop_map(|(name, then)| TransactionRequest::Rollback { name, then }),
        name().prop_map(|name| TransactionRequest::Save { name }),
    ]
}

prop_compose! {
    fn headers()(
        transaction in any::<Option<(u64, u32)>>(),
        notification in prop::option::of((name(), name(), any::<Option<u32>>())),
        trace in any::<Option<([u8; 16], u32)>>(),
    ) -> AllHeaders {
        AllHeaders {
            transaction: transaction.map(|(descriptor, outstanding_requests)| {
                TransactionDescriptor { descriptor, outstanding_requests }
            }),
            query_notification: notification.map(|(id, deployment, timeout_ms)| {
                QueryNotification { id, deployment, timeout_ms }
            }),
            trace_activity: trace.map(|(activity_id, sequence)| TraceActivity { activity_id, sequence }),
        }
    }
}

fn request() -> impl Strategy<Value = (PacketKind, Vec<u8>)> {
    let parameters = "[a-z ]{0,60}".prop_map(|sql| {
        [[0u8, 1, 0x26, 4, 0].as_slice(), &chunked("", "@p int"), &chunked("", &sql), &[0, 0, 0x26, 4, 4, 1, 2, 3, 4]]
            .concat()
    });
    prop_oneof![
        (any::<u64>(), "\\PC{0,60}").prop_map(|(descriptor, sql)| (PacketKind::SqlBatch, batch(descriptor, &sql))),
        parameters.prop_map(|parameters| (PacketKind::Rpc, call("sp_prepexec", &parameters))),
        (headers(), transaction()).prop_map(|(headers, request)| {
            let mut body = BytesMut::new();
            headers.put(&mut body);
            request.put(&mut body);
            (PacketKind::TransactionManager, body.to_vec())
        }),
    ]
}

proptest! {
    #[test]
    fn headers_and_transaction_requests_survive_encoding(headers in headers(), request in transaction()) {
        let mut body = BytesMut::new();
        headers.put(&mut body);
        request.put(&mut body);
        let mut reader = Reader::new(&body);
        prop_assert_eq!(AllHeaders::decode(&mut reader).unwrap(), headers);
        prop_assert_eq!(TransactionRequest::decode(&mut reader).unwrap(), request);
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn any_cut_gives_the_same_head(
        (kind, body) in request(),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        limit in 8usize..400,
    ) {
        let whole = read(kind, limit, &body, &[]).map(|(head, _)| head);
        let cut = read(kind, limit, &body, &cuts).map(|(head, _)| head);
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn no_bytes_make_it_panic_or_keep_more_than_the_limit(
        kind in prop::sample::select(vec![PacketKind::SqlBatch, PacketKind::Rpc, PacketKind::TransactionManager]),
        body in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
        wrapped: bool,
    ) {
        let mut message = if wrapped { batch(1, "") } else { Vec::new() };
        message.extend(body);
        let _ = read(kind, 64, &message, &cuts);
    }

    #[test]
    fn a_cookie_is_cut_to_what_its_length_can_say(extra in 0usize..10) {
        let mut out = BytesMut::new();
        TransactionRequest::Propagate(Bytes::from(vec![1; 65_530 + extra])).put(&mut out);
        let read = TransactionRequest::decode(&mut Reader::new(&out)).unwrap();
        prop_assert_eq!(read, TransactionRequest::Propagate(Bytes::from(vec![1; (65_530 + extra).min(65_535)])));
    }
}
