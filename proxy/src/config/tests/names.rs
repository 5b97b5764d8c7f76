//! Keys that decide under which names and addresses clients and the proxy are seen: mistakes and what is said about them.

use super::*;

/// Adds lines to the smallest configuration's service and compares every complaint.
#[track_caller]
fn check_service(lines: &str, want: &[&str]) {
    check_text(&format!("{SMALLEST}{lines}"), want);
}

#[test]
fn a_suffix_leaves_room_for_the_applications_own_name() {
    let room = |count: usize| format!("application_name_suffix = \"{}\"", "x".repeat(count));
    parse(&format!("{SMALLEST}{}", room(64))).unwrap();
    check_service(
        &room(65),
        &[
            "17: services.main.application_name_suffix: leaves too little room for the application's own name; write 64 \
           characters at most",
        ],
    );
    check_service(
        "application_name_suffix = false",
        &[
            "17: services.main.application_name_suffix: is a boolean; write a text, for example application_name_suffix = \"; \
           tds-proxy\"",
        ],
    );
}

#[test]
fn load_balancers_are_named_by_their_addresses() {
    check_service(
        "proxy_protocol_from = [\"lb01\"]",
        &[
            "17: services.main.proxy_protocol_from: holds \"lb01\", which is not an IP address or a network; write for example \
           proxy_protocol_from = [\"10.0.0.10\"]",
        ],
    );
    check_service(
        "proxy_protocol_from = []",
        &["17: services.main.proxy_protocol_from: is an empty list; write for example proxy_protocol_from = \
           [\"10.0.0.10\"], or leave the key out"],
    );
    check(
        "\"sql01:1433\"",
        "\"sql01:1433\"\nsend_proxy_protocol = \"yes\"",
        &["4: replicas.onprem.send_proxy_protocol: is a string; write true or false"],
    );
}
