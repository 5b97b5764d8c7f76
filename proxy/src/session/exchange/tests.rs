//! Scripts of packets, and what the books say after them.

use bytes::{BufMut, BytesMut};
use tds::packet::Status;
use tds::token::{Agreed, Done, DoneKind};

use super::*;

/// Runs a script of packets, given as words, and checks whether the session is idle and in a transaction afterwards.
///
/// Client: `batch`, `batch-part`, `ignored`, `attention`. Server: `done`, `part`, `ack`, `done+ack`, `begin`, `commit`,
/// `blind` (a row whose metadata only the client knows), `rows` (a response whose tokens nobody knows).
#[track_caller]
fn check(script: &str, idle: bool, in_transaction: bool) {
    let mut exchange = Exchange::new(4096, Scanner::new(Agreed::default()));
    for word in script.split_whitespace() {
        play(&mut exchange, word).unwrap_or_else(|error| panic!("{word}: {error}"));
    }
    assert_eq!((exchange.is_idle(), exchange.in_transaction()), (idle, in_transaction), "{script}");
}

fn play(exchange: &mut Exchange, word: &str) -> Result<bool, DecodeError> {
    let end = Status::END_OF_MESSAGE;
    match word {
        "batch" => exchange.client_packet(header(PacketKind::SqlBatch, end, 10)),
        "batch-part" => exchange.client_packet(header(PacketKind::SqlBatch, Status::NORMAL, 10)),
        "ignored" => exchange.client_packet(header(PacketKind::SqlBatch, end.with(Status::IGNORE), 0)),
        "attention" => exchange.client_packet(header(PacketKind::Attention, end, 0)),
        "login" => exchange.client_packet(header(PacketKind::Login7, end, 10)),
        "rpc" => exchange.client_packet(header(PacketKind::Rpc, end, 10)),
        "huge" => exchange.client_packet(header(PacketKind::SqlBatch, end, 4096)),
        "done" => respond(exchange, end, &done(DoneStatus::default())),
        "ack" => respond(exchange, end, &done(DoneStatus::ATTENTION)),
        "done+ack" => respond(exchange, end, &[done(DoneStatus::ERROR), done(DoneStatus::ATTENTION)].concat()),
        "part" => respond(exchange, Status::NORMAL, &done(DoneStatus::MORE)),
        "begin" => respond(exchange, end, &changed(EnvChange::Begin(7))),
        "commit" => respond(exchange, end, &changed(EnvChange::Commit(7))),
        "blind" => {
            respond(exchange, end, &[&[0x81, 0xFF, 0xFF, 0xD1, 1, 2, 3, 4][..], &done(DoneStatus::default())].concat())
        }
        "rows" => respond(exchange, end, &[0x01, 0x02]),
        other => panic!("no such word: {other}"),
    }
}

fn header(kind: PacketKind, status: Status, body_bytes: u16) -> Header {
    Header { kind, status, length: body_bytes + 8, spid: 0, packet_id: 1 }
}

fn respond(exchange: &mut Exchange, status: Status, tokens: &[u8]) -> Result<bool, DecodeError> {
    let length = u16::try_from(tokens.len()).unwrap();
    exchange.backend_packet(header(PacketKind::TabularResult, status, length), tokens)
}

fn done(status: DoneStatus) -> Vec<u8> {
    let mut tokens = BytesMut::new();
    Done { kind: DoneKind::Done, status, command: 0, rows: 0 }.encode(&mut tokens);
    tokens.to_vec()
}

fn changed(change: EnvChange) -> Vec<u8> {
    let mut tokens = BytesMut::new();
    change.encode(&mut tokens);
    tokens.put_slice(&done(DoneStatus::default()));
    tokens.to_vec()
}

#[test]
fn a_session_is_idle_when_every_request_has_its_response() {
    check("", true, false);
    check("batch", false, false);
    check("batch part", false, false);
    check("batch part done", true, false);
    check("batch done batch", false, false);
    check("batch done batch done", true, false);
}

#[test]
fn a_request_whose_last_packet_is_missing_is_not_over_even_if_it_was_answered() {
    check("batch-part done", false, false);
    check("batch-part done batch", true, false);
    check("batch-part batch done", true, false);
}

#[test]
fn an_ignored_request_is_answered_like_any_other() {
    check("batch-part ignored", false, false);
    check("batch-part ignored done", true, false);
    check("batch-part ignored attention done ack", true, false);
}

#[test]
fn an_attention_is_owed_an_acknowledgement() {
    check("batch attention", false, false);
    check("batch attention done", false, false);
    check("batch attention done ack", true, false);
    check("attention", false, false);
    check("attention ack", true, false);
}

#[test]
fn an_acknowledgement_ends_the_request_it_came_for_wherever_it_stands() {
    check("batch attention done+ack", true, false);
    check("batch attention ack", true, false);
    check("batch part attention ack", true, false);
}

#[test]
fn a_transaction_lasts_from_its_begin_to_its_end() {
    check("batch begin", true, true);
    check("batch begin batch done", true, true);
    check("batch begin batch commit", true, false);
    check("batch begin batch attention done ack", true, true);
}

#[test]
fn tokens_that_make_no_sense_leave_the_packets_to_count_by() {
    check("batch rows", true, true);
    check("batch rows batch attention rows", false, true);
    check("batch rows batch attention rows rows", true, true);
}

#[test]
fn a_transaction_is_unsure_after_rows_that_only_the_client_understands() {
    check("batch blind", true, true);
    check("batch blind batch done", true, true);
    check("batch blind batch begin batch commit", true, false);
}

#[track_caller]
fn refused(script: &str) {
    let mut exchange = Exchange::new(4096, Scanner::new(Agreed::default()));
    let (good, bad) = script.rsplit_once(' ').unwrap_or(("", script));
    for word in good.split_whitespace() {
        play(&mut exchange, word).unwrap();
    }
    assert!(play(&mut exchange, bad).is_err(), "{script}");
}

#[test]
fn what_no_server_would_accept_is_refused() {
    refused("login");
    refused("huge");
    refused("batch-part rpc");
    refused("attention ".repeat(65).trim_end());
    refused("batch ".repeat(65).trim_end());
}

#[test]
fn own_tokens_fit_only_between_tokens() {
    let mut exchange = Exchange::new(4096, Scanner::new(Agreed::default()));
    play(&mut exchange, "batch").unwrap();
    assert!(exchange.may_append_tokens());
    let tokens = done(DoneStatus::MORE);
    respond(&mut exchange, Status::NORMAL, &tokens[..5]).unwrap();
    assert!(!exchange.may_append_tokens());
    respond(&mut exchange, Status::NORMAL, &tokens[5..]).unwrap();
    assert!(exchange.may_append_tokens());
}
