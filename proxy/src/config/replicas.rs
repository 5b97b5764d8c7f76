//! Reads `[replicas.NAME]`: the SQL Server instances and how they are reached.

use std::collections::BTreeMap;

use rustls::pki_types::ServerName;
use toml::Spanned;

use super::files::Files;
use super::identity::{self, ProvenOn};
use super::problems::{Problems, suggest};
use super::section::{Named, Section};
use super::{Address, Encryption, Replica, Trust};

/// By name; `None` where a mistake was reported, so that a link that names it is not blamed for it.
pub(super) type Replicas = BTreeMap<String, Option<Replica>>;

pub(super) fn read(sections: Vec<Named<'_>>, files: &Files, problems: &mut Problems<'_>) -> Replicas {
    let mut references = BTreeMap::new();
    let read = |Named { name, section }| {
        let (replica, proven_on) = read_one(&name, section, files, problems);
        if let Some(proven_on) = proven_on {
            references.insert(name.clone(), proven_on);
        }
        (name, replica)
    };
    let replicas: Replicas = sections.into_iter().map(read).collect();
    for (name, proven_on) in &references {
        check_proof(name, proven_on, &references, &replicas, problems);
    }
    replicas
}

/// A proof is a login with the client's own credentials, so it must be somewhere else, and not be in need of a proof.
fn check_proof(
    name: &str,
    ProvenOn { name: on, key }: &ProvenOn,
    references: &BTreeMap<String, ProvenOn>,
    replicas: &Replicas,
    problems: &mut Problems<'_>,
) {
    let instead = "name the replica that knows the clients' logins";
    if !replicas.contains_key(on.get_ref()) {
        let what = format!("names the replica {:?}, which there is not", on.get_ref());
        let known = replicas.keys().map(String::as_str).filter(|known| *known != name);
        problems.unresolved(on.span(), key, what, suggest(on.get_ref(), known));
    } else if on.get_ref() == name {
        problems.add(on.span(), key, "names the replica itself", instead);
    } else if references.contains_key(on.get_ref()) {
        let what = format!("names {}, where clients do not log in with their own credentials either", on.get_ref());
        problems.add(on.span(), key, what, instead);
    }
}

fn read_one(
    name: &str,
    mut section: Section<'_>,
    files: &Files,
    problems: &mut Problems<'_>,
) -> (Option<Replica>, Option<ProvenOn>) {
    let address = address(&mut section, problems);
    let send_proxy_protocol = section.flag("send_proxy_protocol", false, problems);
    let encryption = section.choice("encryption", Encryption::Full, &ENCRYPTIONS, problems);
    refuse_what_has_no_effect(&section, encryption, problems);
    let trust = trust(&mut section, encryption, files, problems);
    let host_name = host_name(&mut section, problems);
    let verified = encryption != Encryption::Off && !matches!(trust, Trust::Anything);
    if let Some(address) = address.as_ref().filter(|_| verified && host_name.is_none())
        && ServerName::try_from(address.get_ref().host()).is_err()
    {
        let what = format!("has the host {}, which no certificate can carry", address.get_ref().host());
        let instead = "write host_name = \"the name in its certificate\" beside it";
        problems.add(address.span(), &section.key("address"), what, instead);
    }
    let identity_section = section.optional_table("identity", problems);
    let has_identity = identity_section.is_some();
    let (identity, proven_on) =
        identity_section.map_or((None, None), |section| identity::read(section, encryption, files, problems));
    let probe = section.optional_table("probe", problems).and_then(|probe| identity::probe(probe, files, problems));
    section.finish(problems);
    // A replica whose identity has mistakes must not become one that clients log in to as themselves.
    let address = address.filter(|_| identity.is_some() || !has_identity).map(Spanned::into_inner);
    let name = name.into();
    let replica =
        |address| Replica { name, address, send_proxy_protocol, encryption, trust, host_name, identity, probe };
    (address.map(replica), proven_on)
}

fn address(section: &mut Section<'_>, problems: &mut Problems<'_>) -> Option<Spanned<Address>> {
    let text = section.required_text("address", "sql01.corp.local:1433", problems)?;
    match text.get_ref().parse() {
        Ok(address) => Some(Spanned::new(text.span(), address)),
        Err(error) => {
            let what = format!("is \"{}\", which {error}", text.get_ref());
            let instead = "write host:port, for example address = \"sql01.corp.local:1433\"";
            problems.add(text.span(), &section.key("address"), what, instead);
            None
        }
    }
}

/// A key that does nothing would let its writer believe that it does.
fn refuse_what_has_no_effect(section: &Section<'_>, encryption: Encryption, problems: &mut Problems<'_>) {
    if encryption != Encryption::Off {
        return;
    }
    for key in ["trust", "ca_file", "host_name"] {
        if let Some(span) = section.span_of(key) {
            let what = "has no effect while encryption is \"off\"";
            problems.add(span, &section.key(key), what, "remove it, or encrypt the connection");
        }
    }
}

fn trust(section: &mut Section<'_>, encryption: Encryption, files: &Files, problems: &mut Problems<'_>) -> Trust {
    let at = section.span_of("trust");
    let anything = section.choice("trust", false, &[("verify", false), ("trust", true)], problems);
    let ca_at = section.span_of("ca_file");
    let roots = files.roots(section, problems);
    if let Some(at) = at.filter(|_| anything && encryption == Encryption::Strict) {
        let what = "is \"trust\", but TDS 8.0 always verifies the certificate";
        problems.add(at, &section.key("trust"), what, "write trust = \"verify\", with ca_file if the CA is your own");
    }
    match (anything, roots) {
        (true, _) => {
            if let Some(at) = ca_at {
                let what = "has no effect while trust is \"trust\"";
                problems.add(at, &section.key("ca_file"), what, "remove one of the two");
            }
            Trust::Anything
        }
        (false, Some(roots)) => Trust::Roots(roots),
        (false, None) => Trust::SystemRoots,
    }
}

fn host_name(section: &mut Section<'_>, problems: &mut Problems<'_>) -> Option<ServerName<'static>> {
    let text = section.text("host_name", "sql01.corp.local", problems)?;
    match ServerName::try_from(text.get_ref().clone()) {
        Ok(name) => Some(name),
        Err(_) => {
            let what = format!("is \"{}\", which no certificate can carry", text.get_ref());
            problems.add(
                text.span(),
                &section.key("host_name"),
                what,
                "write a DNS name or an IP address, without a port",
            );
            None
        }
    }
}

pub(super) const ENCRYPTIONS: [(&str, Encryption); 4] = [
    ("off", Encryption::Off),
    ("login-only", Encryption::LoginOnly),
    ("full", Encryption::Full),
    ("strict", Encryption::Strict),
];
