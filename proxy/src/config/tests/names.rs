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

#[track_caller]
fn check_browser(lines: &str, want: &[&str]) {
    check_text(&format!("[browser]\n{lines}{SMALLEST}"), want);
}

#[test]
fn a_browser_needs_an_address_a_name_and_instances() {
    check_browser(
        "",
        &[
            "1: browser.listen: is missing; write for example listen = \"0.0.0.0:1434\"",
            "1: browser.server_name: is missing; write for example server_name = \"sql.corp.local\"",
            "1: browser.instances: is missing; write for example instances = { SALES = \"main\" }",
        ],
    );
    let text = "[browser]\nlisten = \"0.0.0.0:1434\"\nserver_name = \"sql01\"\ninstances = { SALES = \"main\" }\n";
    let browser = parse(&format!("{text}{SMALLEST}")).unwrap().browser.unwrap();
    let asks = |address: &str| browser.networks.iter().any(|network| network.contains(address.parse().unwrap()));
    assert!(asks("10.1.2.3") && asks("::1") && asks("192.168.1.1"));
    assert!(!asks("203.0.113.9") && !asks("2001:db8::1"), "nobody on the internet is answered unless that is written");
}

#[test]
fn instances_have_the_names_and_services_there_can_be() {
    check_browser(
        "listen = \"0.0.0.0:1434\"\nserver_name = \"sql;01\"\ninstances = { 1A = \"main\", B = \"mai\", b = \"main\" }\n",
        &[
            "3: browser.server_name: is \"sql;01\", which is no host name; write the name that clients know this host by, \
             without a port",
            "4: browser.instances: has the name \"1A\", which no instance can have; use 1 to 16 letters, digits, `_`, `$` \
             and `#`, a letter or `_` first",
            "4: browser.instances: names the service \"mai\", which there is not; did you mean `main`?",
            "4: browser.instances: names b twice; case does not matter; name each instance once",
        ],
    );
    let many: Vec<_> = (0..12).map(|number| format!("I{number} = \"main\"")).collect();
    check_browser(
        &format!("listen = \"0.0.0.0:1434\"\nserver_name = \"sql01\"\ninstances = {{ {} }}\n", many.join(", ")),
        &[
            "4: browser.instances: holds more names than fit into one answer of 1024 bytes; leave some out: their clients \
           can use the port",
        ],
    );
}
