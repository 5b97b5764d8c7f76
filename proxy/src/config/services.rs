//! Reads `[services.NAME]`: the listeners and their policies.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use toml::Spanned;

use super::files::Files;
use super::links::Links;
use super::problems::{Problems, suggest};
use super::replicas::ENCRYPTIONS;
use super::rules::parsed;
use super::section::{Named, Section};
use super::settings::{service_limits, size, socket_address};
use super::{Encryption, SecondaryMissing, Service};

/// An address somebody listens on, where it is written, and under which key.
struct Listening {
    address: SocketAddr,
    span: Range<usize>,
    key: String,
}

pub(super) fn read(
    sections: Vec<Named<'_>>,
    links: &Links,
    admin: Option<&Spanned<SocketAddr>>,
    files: &Files,
    problems: &mut Problems<'_>,
) -> Vec<Service> {
    let mut listening = Vec::new();
    if let Some(admin) = admin {
        listening.push(Listening { address: *admin.get_ref(), span: admin.span(), key: "admin.address".to_owned() });
    }
    let read = |Named { name, section }| read_one(&name, section, links, files, &mut listening, problems);
    let services = sections.into_iter().filter_map(read).collect();
    refuse_overlaps(listening, problems);
    services
}

fn read_one(
    name: &str,
    mut section: Section<'_>,
    links: &Links,
    files: &Files,
    listening: &mut Vec<Listening>,
    problems: &mut Problems<'_>,
) -> Option<Service> {
    let listen = socket_address(&mut section, "listen", "0.0.0.0:1433", problems);
    if let Some(listen) = &listen {
        listening.push(Listening { address: *listen.get_ref(), span: listen.span(), key: section.key("listen") });
    }
    let proxy_protocol_from = parsed(&mut section, "proxy_protocol_from", "10.0.0.10", problems);
    let link = link(&mut section, links, problems);
    let encryption = section.choice("encryption", Encryption::Full, &ENCRYPTIONS, problems);
    if encryption != Encryption::Off && !section.has("certificate_file") && !section.has("key_file") {
        let instead = "write certificate_file and key_file, or encryption = \"off\" where the network is trusted";
        problems.missing(section.span(), &section.key("certificate_file"), instead);
    }
    let certificate = files.server_certificate(&mut section, problems);
    let choices = [("primary", SecondaryMissing::Primary), ("refuse", SecondaryMissing::Refuse)];
    let secondary_missing = section.choice("secondary_missing", SecondaryMissing::Primary, &choices, problems);
    let packet_bytes_max = size(&mut section, "packet_bytes_max", 16_383, 512..=32_767, problems);
    let limits = service_limits(&mut section, problems);
    let application_name_suffix = application_name_suffix(&mut section, problems);
    section.finish(problems);
    Some(Service {
        name: name.into(),
        listen: listen?.into_inner(),
        link: link?.as_str().into(),
        proxy_protocol_from,
        encryption,
        certificate,
        secondary_missing,
        packet_bytes_max,
        limits,
        application_name_suffix,
    })
}

fn application_name_suffix(section: &mut Section<'_>, problems: &mut Problems<'_>) -> String {
    const KEY: &str = "application_name_suffix";
    let Some(suffix) = section.text_or_empty(KEY, SUFFIX, problems) else { return SUFFIX.to_owned() };
    if suffix.get_ref().encode_utf16().count() > SUFFIX_CHARS_MAX {
        let what = "leaves too little room for the application's own name";
        problems.add(suffix.span(), &section.key(KEY), what, format!("write {SUFFIX_CHARS_MAX} characters at most"));
    }
    suffix.into_inner()
}

fn link(section: &mut Section<'_>, links: &Links, problems: &mut Problems<'_>) -> Option<String> {
    let link = section.required_text("link", "sales", problems)?;
    if links.contains_key(link.get_ref()) {
        return Some(link.into_inner());
    }
    let what = format!("names the link {:?}, which there is not", link.get_ref());
    let instead = suggest(link.get_ref(), links.keys().map(String::as_str));
    problems.unresolved(link.span(), &section.key("link"), what, instead);
    None
}

fn refuse_overlaps(mut listening: Vec<Listening>, problems: &mut Problems<'_>) {
    listening.sort_by_key(|listening| listening.span.start);
    for (index, later) in listening.iter().enumerate() {
        let earlier = listening.iter().take(index).find(|earlier| overlap(earlier.address, later.address));
        if let Some(earlier) = earlier {
            let line = problems.line(earlier.span.start);
            let what = format!("is {}, which {} takes already (line {line})", later.address, earlier.key);
            problems.add(later.span.clone(), &later.key, what, "give each listener an address of its own");
        }
    }
}

/// Whether the second bind would fail. Port 0 is a new port each time.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let any_v6 = |ip: IpAddr| ip.is_ipv6() && ip.is_unspecified();
    let covers = |wide: IpAddr, ip: IpAddr| any_v6(wide) || (wide.is_unspecified() && wide.is_ipv4() == ip.is_ipv4());
    a.port() != 0 && a.port() == b.port() && (a.ip() == b.ip() || covers(a.ip(), b.ip()) || covers(b.ip(), a.ip()))
}

/// What replicas read behind an application's name.
const SUFFIX: &str = "; tds-proxy";

/// Half of what SQL Server takes for an application's name, so that the other half is the application's.
const SUFFIX_CHARS_MAX: usize = 64;
