//! A replica as the connector needs it: where it listens and how it is spoken to.

use std::io;
use std::sync::Arc;

use link_control::topology::ReplicaName;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;

use crate::config::{self, Encryption};
use crate::identity::Identity;
use crate::net::tls::{self, ClientTls};

/// Where a connection goes, and under which name its certificate is checked.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// `host:port`, as sockets want it.
    pub(crate) address: String,
    /// The host alone: what LOGIN7 names the server, by which Azure's gateways find the instance.
    pub(crate) host: String,
    /// The name the certificate must carry.
    pub(crate) certificate_name: Option<ServerName<'static>>,
}

impl Place {
    /// A place a replica sent us to. Its certificate must carry its own name.
    pub(crate) fn redirected(host: &str, port: u16) -> Self {
        Self {
            // A named instance redirects as `host\instance`; the port already tells which.
            address: format!("{}:{port}", host.split('\\').next().unwrap_or(host)),
            host: host.to_owned(),
            certificate_name: ServerName::try_from(host.to_owned()).ok(),
        }
    }
}

/// A replica, ready to be connected to.
pub(crate) struct Target {
    pub(crate) name: ReplicaName,
    pub(crate) place: Place,
    /// Connections to its place begin with a header of the PROXY protocol.
    pub(crate) send_proxy_protocol: bool,
    pub(crate) encryption: Encryption,
    pub(crate) tls: ClientTls,
    /// Clients prove themselves elsewhere, and are logged in with this.
    pub(crate) identity: Option<Identity>,
}

impl Target {
    /// Prepares what connections to `replica` share.
    ///
    /// # Errors
    /// When the system has no root certificates to verify against.
    pub(crate) fn new(replica: &config::Replica) -> io::Result<Self> {
        let trust = match &replica.trust {
            _ if replica.encryption == Encryption::Off => tls::Trust::Anyone,
            config::Trust::SystemRoots => tls::Trust::Roots(Arc::new(system_roots()?)),
            config::Trust::Roots(roots) => tls::Trust::Roots(Arc::clone(roots)),
            config::Trust::Anything => tls::Trust::Anyone,
        };
        let host = replica.address.host().to_owned();
        let certificate_name = replica.host_name.clone().or_else(|| ServerName::try_from(host.clone()).ok());
        Ok(Self {
            name: replica.name.clone(),
            place: Place { address: replica.address.to_string(), host, certificate_name },
            send_proxy_protocol: replica.send_proxy_protocol,
            encryption: replica.encryption,
            tls: ClientTls::new(&trust)?,
            identity: replica.identity.as_ref().map(Identity::new),
        })
    }
}

fn system_roots() -> io::Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let cause = found.errors.first().map_or_else(|| "none is installed".to_owned(), ToString::to_string);
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("the system's root certificates: {cause}")));
    }
    Ok(roots)
}
