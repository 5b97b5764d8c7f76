//! A checked configuration in a few lines, for people: what `tds-proxy check` prints.

use std::fmt;

use link_control::topology::ReplicaName;

use super::{Config, Credential, Encryption, SecondaryMissing, TokenSource, Trust};

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for service in &self.services {
            let missing = match service.secondary_missing {
                SecondaryMissing::Primary => "go to the primary",
                SecondaryMissing::Refuse => "are refused",
            };
            writeln!(f, "service {} listens on {}", service.name, service.listen)?;
            writeln!(f, "  clients: {}", client_encryption(service.encryption, service.certificate.is_some()))?;
            writeln!(f, "  link {} unless a session names a database of another", service.link)?;
            writeln!(f, "  read-only sessions without a secondary {missing}")?;
        }
        for rule in &self.rules {
            writeln!(f, "rule {}: {}", rule.name, rule.action.as_str())?;
        }
        for link in &self.links {
            let secondaries: Vec<_> = link.secondaries.iter().map(ToString::to_string).collect();
            let secondaries = if secondaries.is_empty() { "none".to_owned() } else { secondaries.join(", ") };
            writeln!(f, "link {}: {}", link.name, link.databases.join(", "))?;
            writeln!(f, "  primary {}, secondaries {secondaries}", link.primary)?;
        }
        for replica in &self.replicas {
            let used = |name: &ReplicaName| {
                self.links.iter().any(|link| link.primary == *name || link.secondaries.contains(name))
            };
            let unused = if used(&replica.name) { "" } else { " (in no link)" };
            writeln!(f, "replica {} at {}{unused}", replica.name, replica.address)?;
            writeln!(f, "  {}", replica_encryption(replica.encryption, &replica.trust))?;
            if let Some(identity) = &replica.identity {
                let who = match &identity.credential {
                    Credential::Password(login) => format!("the login {}", login.user),
                    Credential::Token(TokenSource::File(path)) => format!("the token in {}", path.display()),
                    Credential::Token(TokenSource::Command(_)) => "the token of a command".to_owned(),
                };
                writeln!(f, "  clients prove themselves on {} and are logged in with {who}", identity.proven_on)?;
            }
            if let Some(login) = &replica.probe {
                writeln!(f, "  probes log in as {}", login.user)?;
            }
        }
        if let Some(browser) = &self.browser {
            let names: Vec<_> =
                browser.instances.iter().map(|(name, service)| format!("{name} is {service}")).collect();
            writeln!(f, "instance names on {}: {}", browser.listen, names.join(", "))?;
        }
        match &self.admin {
            Some(admin) => writeln!(f, "admin interface on {}", admin.address),
            None => writeln!(f, "no admin interface"),
        }
    }
}

fn client_encryption(least: Encryption, certificate: bool) -> &'static str {
    match (least, certificate) {
        (Encryption::Off, false) => "nothing is encrypted, there is no certificate",
        (Encryption::Off, true) => "encrypted as far as each client asks, also not at all",
        (Encryption::LoginOnly, _) => "at least the login is encrypted",
        (Encryption::Full, _) => "everything is encrypted",
        (Encryption::Strict, _) => "everything is encrypted, TDS 8.0 only",
    }
}

fn replica_encryption(encryption: Encryption, trust: &Trust) -> String {
    let what = match encryption {
        Encryption::Off => return "nothing is encrypted".to_owned(),
        Encryption::LoginOnly => "the login is encrypted",
        Encryption::Full => "everything is encrypted",
        Encryption::Strict => "everything is encrypted, TDS 8.0",
    };
    let trust = match trust {
        Trust::SystemRoots => "the certificate is verified by the system's roots",
        Trust::Roots(_) => "the certificate is verified by ca_file",
        Trust::Anything => "the certificate is not verified: anybody could answer",
    };
    format!("{what}; {trust}")
}
