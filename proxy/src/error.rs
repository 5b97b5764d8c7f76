//! Why the proxy could not start. What goes wrong with one session is `session::error`'s.

use std::io;
use std::net::SocketAddr;

use link_control::topology::TopologyError;

/// The proxy cannot start. An operator has to change something; trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A service's address cannot be had.
    #[error("service {service} cannot listen on {address}")]
    Listen {
        /// The service.
        service: String,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A service's certificate and key do not work.
    #[error("the certificate of service {service} cannot be used")]
    Certificate {
        /// The service.
        service: String,
        /// What rustls said.
        source: rustls::Error,
    },
    /// Connections to a replica cannot be verified.
    #[error("replica {replica} cannot be verified; name a ca_file or install root certificates")]
    Replica {
        /// The replica.
        replica: String,
        /// What is missing.
        source: io::Error,
    },
    /// The links contradict each other.
    #[error("the links contradict each other")]
    Topology(#[from] TopologyError),
    /// The address for instance names cannot be had.
    #[error("instance names cannot be answered for on {address}")]
    Browser {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The operators' address cannot be had.
    #[error("the admin interface cannot listen on {address}")]
    Admin {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}
