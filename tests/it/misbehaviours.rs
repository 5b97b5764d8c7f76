//! Thirty ways in which a proxy breaks real drivers, each with the test that it does not happen here.
//!
//! | # | the danger | test |
//! |---|---|---|
//! | 1 | a packet in several TLS records makes SQL Server close | `encryption::a_packet_towards_a_replica_is_one_tls_record` |
//! | 2 | packets above 16,383 bytes straddle records | `encryption::no_packet_is_larger_than_a_tls_record` |
//! | 3 | a session ticket after the handshake is read as a packet | `encryption::no_session_ticket_follows_a_wrapped_handshake` |
//! | 4 | a flight cut into several messages stops tedious | `encryption::a_flight_of_the_handshake_is_one_message` |
//! | 5 | a wrong reply to ENCRYPTION lets a password out | `encryption::no_reply_to_an_encryption_offer_lets_a_password_out_in_clear` |
//! | 6 | no MARS option in the reply makes FreeTDS fall to TDS 7.1 | `login::a_client_that_asks_about_mars_is_answered` |
//! | 7 | the rest of a long LOGIN7 is expected in TLS | `encryption::only_the_first_packet_of_a_login_is_encrypted_where_only_logins_are` |
//! | 8 | the goodbye of login-only TLS is read as a packet | `encryption::tls_that_ends_with_the_login_ends_without_a_word` |
//! | 9 | a packet above what the client was told | `login::no_packet_is_larger_than_the_client_was_told` |
//! | 10 | unknown status bits end a message early | `login::packets_of_our_own_have_no_status_bit_but_the_last_ones` |
//! | 11 | features acknowledged that nobody asked for | `login::only_features_that_were_asked_for_are_acknowledged` |
//! | 12 | tokens that were not negotiated | `login::tokens_that_were_not_negotiated_stay_here` |
//! | 13 | COLUMNENCRYPTION that differs between backends | `login::column_encryption_is_what_the_sessions_own_replica_agreed_on` |
//! | 14 | the way around the proxy is shown | `login::no_client_is_shown_the_way_around_the_proxy` |
//! | 15 | attentions lost, merged, or sent to strangers | `requests::an_attention_reaches_its_own_backend_and_is_acknowledged_in_a_message_of_its_own` |
//! | 16 | IGNORE taken for the end of a request | `requests::an_ignored_request_and_the_attention_after_it_get_an_answer_each` |
//! | 17 | the transaction's descriptor is lost | `requests::no_change_of_the_transaction_is_lost` |
//! | 18 | the reset bit lost or doubled, settings leaking | `requests::a_reset_passes_once_and_nobody_inherits_a_backend` |
//! | 19 | handles sent to a backend that does not know them | `sessions::handles_stay_with_the_backend_that_gave_them` |
//! | 20 | collations that differ between backends | `sessions::the_collation_shown_is_that_of_the_replica_that_answers` |
//! | 21 | MARS accepted but not there | `login::mars_is_declined_in_words_and_its_frames_are_refused` |
//! | 22 | a bulk load's two halves on different backends | `sessions::a_bulk_load_follows_its_announcement` |
//! | 23 | session recovery promised but not kept | `login::session_recovery_is_never_promised` |
//! | 24 | logins that fail for good during a failover | `sessions::a_login_that_finds_no_primary_is_told_to_come_again` |
//! | 25 | manual commit: reads torn out of their transaction | `sessions::reads_of_a_session_in_manual_commit_stay_in_its_transaction` |
//! | 26 | several calls in one message torn apart | `requests::several_calls_in_one_message_stay_together` |
//! | 27 | connections opened and left, as address races do | `sessions::connections_that_say_nothing_keep_nobody_out` |
//! | 28 | whole messages held in memory | `requests::a_message_passes_before_it_is_complete_however_large_it_is` |
//! | 29 | own errors with numbers or ends that mislead drivers | `sessions::errors_of_our_own_are_retryable_where_retrying_helps_and_end_in_done` |
//! | 30 | settings followed by text only | `sessions::settings_live_in_the_one_backend_a_session_has` |
//!
//! What was found in other proxies of databases, and where it is shown not to be here:
//!
//! | found there | test |
//! |---|---|
//! | CVE-2021-3935: bytes from before the TLS handshake are taken after it | `session::greeting::tests::bytes_that_came_before_a_handshake_are_dropped_after_it` |
//! | CVE-2026-6664: a packet's length is believed | `failing::a_client_that_breaks_the_protocol_is_cut_and_its_backend_closed` |
//! | CVE-2026-6665: a server's bytes are believed | `failing::a_server_that_sends_what_is_no_response_ends_the_session`, fuzz target `session` |
//! | CVE-2026-6666: a refusal without its fields is a crash | `backend::response::tests::a_response_that_is_cut_or_impossible_is_an_error`, fuzz target `login_response` |
//! | CVE-2026-48774: leftovers of one session reach the next | `requests::a_reset_passes_once_and_nobody_inherits_a_backend` |
//! | CVE-2024-0056, r2dbc-mssql 324: less encryption than agreed on | `encryption::no_reply_to_an_encryption_offer_lets_a_password_out_in_clear`, `backends::a_server_that_insists_on_encryption_is_not_spoken_to_in_clear` |

mod encryption;
mod login;
mod requests;
mod sessions;

use tds::packet::PacketKind;
use tests::fake_server::{FakeServer, OnLogin, OnRequest};
use tests::raw_client::{self, RawClient};
use tests::running_proxy::{RunningProxy, Setup};

/// A logged-in session in front of one server that does this with requests.
async fn session(on_request: OnRequest) -> (FakeServer, RunningProxy, RawClient) {
    let server = FakeServer::start("onprem", OnLogin::Accept(Vec::new()), on_request).await;
    let proxy = Setup::primary("onprem", server.address).run().await;
    let (client, answer) = RawClient::log_in(proxy.address, &raw_client::login("SalesDB", false)).await;
    assert!(answer.error().is_none());
    (server, proxy, client)
}

/// Sends `bodies` one after the other, each answered before the next.
async fn say(client: &mut RawClient, kind: PacketKind, bodies: &[&str]) {
    for body in bodies {
        client.send(kind, &raw_client::batch(body)).await;
        assert!(client.receive().await.unwrap().error().is_none());
    }
}
