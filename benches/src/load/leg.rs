//! One connection's bytes, plain or TLS, and the certificate of the TLS variant.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The application protocol of TDS 8.0.
const ALPN: &[u8] = b"tds/8.0";
/// The name in the certificate.
pub(super) const HOST: &str = "localhost";

/// A connection, whatever protects it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection of either kind.
pub(super) type Leg = Box<dyn Stream>;

/// Where the certificate and its key lie in the folder of a run.
pub(super) struct CertificateFiles {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// Both in one file, as HAProxy wants them.
    pub(super) both: PathBuf,
}

impl CertificateFiles {
    /// Their places in `folder`.
    pub(super) fn of(folder: &Path) -> Self {
        let file = |name| folder.join(name);
        Self { certificate: file("server.pem"), key: file("server.key"), both: file("server-both.pem") }
    }

    /// Makes a certificate and writes the files.
    pub(super) fn write(&self) -> io::Result<()> {
        let signed = rcgen::generate_simple_self_signed([HOST.to_owned()]).map_err(io::Error::other)?;
        let (certificate, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
        std::fs::write(&self.both, format!("{certificate}{key}"))?;
        std::fs::write(&self.certificate, certificate)?;
        std::fs::write(&self.key, key)
    }

    fn certificate(&self) -> io::Result<CertificateDer<'static>> {
        CertificateDer::from_pem_file(&self.certificate).map_err(io::Error::other)
    }

    /// A server's side of TDS 8.0.
    pub(super) fn acceptor(&self) -> io::Result<TlsAcceptor> {
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(io::Error::other)?;
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![self.certificate()?], key);
        let mut config = config.map_err(io::Error::other)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// A client's side of TDS 8.0.
    pub(super) fn connector(&self) -> io::Result<TlsConnector> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate()?).map_err(io::Error::other)?;
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// Waits for what a client begins with.
pub(super) async fn accept(tcp: TcpStream, tls: Option<&TlsAcceptor>) -> io::Result<Leg> {
    tcp.set_nodelay(true)?;
    Ok(match tls {
        Some(tls) => Box::new(tls.accept(tcp).await?),
        None => Box::new(tcp),
    })
}

/// Begins as a client.
pub(super) async fn connect(address: std::net::SocketAddr, tls: Option<&TlsConnector>) -> io::Result<Leg> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let name = || ServerName::try_from(HOST).map_err(io::Error::other);
    Ok(match tls {
        Some(tls) => Box::new(tls.connect(name()?, tcp).await?),
        None => Box::new(tcp),
    })
}
