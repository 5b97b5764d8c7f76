//! Reads `[browser]`: which instance names are answered for, and to whom.

use std::net::SocketAddr;
use std::sync::Arc;

use tds::browser::{self, Instance};
use tds::prelogin::Version;
use toml::Spanned;

use super::Network;
use super::problems::{Problems, suggest};
use super::rules::parsed;
use super::section::Section;
use super::settings::{size, socket_address};

/// `[browser]`: answers to clients that know an instance by its name and not by its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browser {
    /// Where questions come, by UDP.
    pub listen: SocketAddr,
    /// What the host calls itself in answers.
    pub server_name: String,
    /// The names of instances, each with the service it stands for. At least one. They fit into one answer together.
    pub instances: Vec<(String, Arc<str>)>,
    /// Who gets answers.
    pub networks: Vec<Network>,
    /// Answers in one second at most.
    pub answers_per_second_max: usize,
}

pub(super) fn read(section: Option<Section<'_>>, services: &[String], problems: &mut Problems<'_>) -> Option<Browser> {
    let mut section = section?;
    let s = &mut section;
    let listen = socket_address(s, "listen", "0.0.0.0:1434", problems);
    let server_name = server_name(s, problems);
    let at = s.span_of("instances");
    let instances = instances(s, services, problems);
    if let (Some(at), Some(server_name)) = (at, &server_name)
        && !instances.is_empty()
        && !fit(server_name, &instances)
    {
        let what = format!("holds more names than fit into one answer of {} bytes", browser::ANSWER_BYTES_MAX);
        problems.add(at, &s.key("instances"), what, "leave some out: their clients can use the port");
    }
    let mut networks = parsed(s, "networks", "10.0.0.0/8", problems);
    if networks.is_empty() {
        networks = PRIVATE.iter().filter_map(|network| network.parse().ok()).collect();
    }
    let answers_per_second_max = size(s, "answers_per_second_max", 100, 1..=10_000, problems);
    section.finish(problems);
    Some(Browser {
        listen: listen?.into_inner(),
        server_name: server_name?,
        instances,
        networks,
        answers_per_second_max,
    })
}

fn server_name(section: &mut Section<'_>, problems: &mut Problems<'_>) -> Option<String> {
    let name = section.required_text("server_name", "sql.corp.local", problems)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.get_ref().len() > HOST_BYTES_MAX || !name.get_ref().bytes().all(plain) {
        let what = format!("is {:?}, which is no host name", name.get_ref());
        let instead = "write the name that clients know this host by, without a port";
        problems.add(name.span(), &section.key("server_name"), what, instead);
    }
    Some(name.into_inner())
}

fn instances(section: &mut Section<'_>, services: &[String], problems: &mut Problems<'_>) -> Vec<(String, Arc<str>)> {
    let key = section.key("instances");
    let example = "write for example instances = { SALES = \"main\" }";
    if !section.has("instances") {
        problems.missing(section.span(), &key, example);
    }
    let at = section.span_of("instances");
    let Some(written) = section.texts_by_name("instances", "main", problems) else { return Vec::new() };
    if let Some(at) = at.filter(|_| written.is_empty()) {
        problems.add(at, &key, "names no instance", example);
    }
    let mut instances: Vec<(String, Arc<str>)> = Vec::new();
    for (name, service) in written {
        if !is_instance(name.get_ref()) {
            let what = format!("has the name {:?}, which no instance can have", name.get_ref());
            problems.add(
                name.span(),
                &key,
                what,
                "use 1 to 16 letters, digits, `_`, `$` and `#`, a letter or `_` first",
            );
        }
        if instances.iter().any(|(known, _)| known.eq_ignore_ascii_case(name.get_ref())) {
            let what = format!("names {} twice; case does not matter", name.get_ref());
            problems.add(name.span(), &key, what, "name each instance once");
        }
        if !services.contains(service.get_ref()) {
            let what = format!("names the service {:?}, which there is not", service.get_ref());
            let instead = suggest(service.get_ref(), services.iter().map(String::as_str));
            problems.unresolved(service.span(), &key, what, instead);
        }
        instances.push((Spanned::into_inner(name), Spanned::into_inner(service).into()));
    }
    instances
}

/// Whether all of them can be told at once, whatever their versions and ports.
fn fit(server_name: &str, instances: &[(String, Arc<str>)]) -> bool {
    let version = Version { major: 99, minor: 99, build: u16::MAX, sub_build: u16::MAX };
    let instance = |(name, _): &'_ (String, Arc<str>)| (name.clone(), u16::MAX);
    let told: Vec<_> = instances.iter().map(instance).collect();
    let told = told.iter().map(|(name, tcp_port)| Instance { server_name, name, version, tcp_port: *tcp_port });
    browser::answer(told).is_some()
}

/// The names that SQL Server's setup takes.
fn is_instance(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_$#".contains(&byte);
    let first = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    (1..=16).contains(&name.len()) && name.bytes().all(plain) && name.as_bytes().first().is_some_and(first)
}

/// Machines of one's own: loopback, private and link-local addresses of both families.
const PRIVATE: [&str; 8] =
    ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1", "fc00::/7", "fe80::/10"];

/// The longest name DNS takes.
const HOST_BYTES_MAX: usize = 253;
