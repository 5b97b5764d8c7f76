//! What the fuzz targets reach of the parts that are nobody else's business: pure decisions over peers' bytes, each with
//! what must hold for all of them.

use tds::login7::{Feature, FeatureId, Login7, Password, TdsVersion};
use tds::packet::{Header, PACKET_BYTES_LOGIN, PacketKind, Status};
use tds::scan::Scanner;
use tds::token::Agreed;

use crate::backend::{ForClient, Verdict, read_login_response};
use crate::session::exchange::Exchange;

/// Reads a replica's login response for a client that asked for some features, and once more what is left of it.
///
/// # Panics
/// When what is left for the client would be read differently.
pub fn login_response(response: &[u8], strict: bool) {
    let mut asked = Login7::new("app", Password::from("secret"));
    let feature = |id| Feature { id, data: bytes::Bytes::from_static(&[1]) };
    asked.features = Some(vec![feature(FeatureId::ColumnEncryption), feature(FeatureId::Utf8Support)]);
    let client = ForClient { tds_version: strict.then_some(TdsVersion::V8_0), sent: &asked, asked: &asked, owed: None };
    let Ok(read) = read_login_response(response, &client) else { return };
    assert!(read.answer.len() <= response.len(), "a client is never told more than the replica said");
    match read.verdict {
        // The route was for us, and is gone from what is left.
        Verdict::SentOn { .. } => {}
        verdict => {
            let again = read_login_response(&read.answer, &client).expect("what we let through can be read");
            assert_eq!(again.answer, read.answer, "what we let through is let through again");
            assert_eq!(kind(&again.verdict), kind(&verdict));
        }
    }
}

/// The verdict without what the acknowledged features say: those the client never asked for are gone from its answer.
fn kind(verdict: &Verdict) -> (u8, i64) {
    match verdict {
        Verdict::Accepted { packet_bytes, .. } => (0, packet_bytes.map_or(-1, |bytes| bytes as i64)),
        Verdict::Rejected { number } => (1, i64::from(*number)),
        Verdict::Asks(_) => (2, 0),
        Verdict::SentOn { .. } => (3, 0),
    }
}

/// Plays packets of both sides into the books of a session. Each packet is a byte for the side and the status, a type, a
/// length, and that many bytes.
///
/// # Panics
/// When a session is idle although somebody owes something, or cutting a response into packets changes what it means.
pub fn exchange(mut script: &[u8]) {
    let books = || Exchange::new(PACKET_BYTES_LOGIN, Scanner::new(Agreed::default()));
    let (mut whole, mut in_pieces) = (books(), books());
    while let [how, kind, length, rest @ ..] = script {
        let (body, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        script = rest;
        let Ok(kind) = PacketKind::try_from(*kind) else { continue };
        let (status, from_client) = (Status(how & 0x1B), how & 0x80 != 0);
        let header = |body: &[u8], status| {
            let length = u16::try_from(body.len() + 8).unwrap_or(u16::MAX);
            Header { kind, status, length, spid: 0, packet_id: 1 }
        };
        let (one, other) = if from_client {
            let header = header(body, status);
            (whole.client_packet(header), in_pieces.client_packet(header))
        } else {
            let (head, tail) = body.split_at(body.len() / 2);
            let one = whole.backend_packet(header(body, status), body);
            let first = in_pieces.backend_packet(header(head, Status::NORMAL), head);
            (one, first.and_then(|_| in_pieces.backend_packet(header(tail, status), tail)))
        };
        assert_eq!(one, other, "the cut of a response changed what it means");
        let Ok(settled) = one else { return };
        assert_eq!(whole.is_idle(), in_pieces.is_idle());
        assert_eq!(whole.in_transaction(), in_pieces.in_transaction());
        assert!(
            !settled || from_client || whole.is_idle(),
            "a response that ends all that is owed leaves nobody waiting"
        );
        if from_client && !status.is_end_of_message() {
            assert!(!whole.is_idle(), "a message that is not complete is not over");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_login_response_is_read_or_refused(response: Vec<u8>, strict: bool) {
            login_response(&response, strict);
        }

        #[test]
        fn any_packets_leave_the_books_in_order(packets: Vec<(bool, u8, Vec<u8>)>) {
            let kinds = [1, 3, 4, 4, 4, 6, 7, 14];
            let script: Vec<u8> = packets.iter().flat_map(|(client, pick, body)| {
                let body = &body[..body.len().min(255)];
                let kind = kinds[usize::from(pick % 8)];
                let head = [u8::from(*client) << 7 | pick >> 4 & 3, kind, u8::try_from(body.len()).unwrap_or(255)];
                [&head[..], body].concat()
            }).collect();
            exchange(&script);
        }
    }
}
