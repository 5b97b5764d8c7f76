//! TLS of both roles: the rustls configurations for TDS 7.x and TDS 8.0, and the handshakes.
//!
//! TDS 7.x wraps its handshake in packets and knows no message after it, so there TLS is 1.2, without resumption: its
//! last flight is always the server's, and no session ticket can arrive where a packet is expected. TDS 8.0 is plain TLS
//! with the ALPN name `tds/8.0`, so 1.3 is welcome.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::wire::Wire;

/// The application protocol of TDS 8.0 ([MS-TDS] 3.2.5.1).
const ALPN_TDS8: &[u8] = b"tds/8.0";

/// Both shapes of a server: handshakes inside TDS 7.x and bare ones of TDS 8.0.
#[derive(Clone)]
pub(crate) struct ServerTls {
    wrapped: Arc<ServerConfig>,
    strict: Arc<ServerConfig>,
}

impl ServerTls {
    /// Builds both configurations from one certificate chain and its key.
    ///
    /// # Errors
    /// When rustls cannot use the key, or it does not belong to the certificate.
    pub(crate) fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, rustls::Error> {
        let mut wrapped = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS12])?
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key.clone_key())?;
        wrapped.session_storage = Arc::new(NoServerSessionStorage {});
        wrapped.send_tls13_tickets = 0;
        let mut strict = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        strict.alpn_protocols = vec![ALPN_TDS8.to_vec()];
        Ok(Self { wrapped: Arc::new(wrapped), strict: Arc::new(strict) })
    }

    /// The handshake inside PRELOGIN packets. Afterwards the records are bare, and one at a time if `record_wise`.
    pub(crate) async fn accept_wrapped(&self, tcp: TcpStream, record_wise: bool) -> io::Result<TlsStream<Wire>> {
        let mut tls = TlsAcceptor::from(Arc::clone(&self.wrapped)).accept(Wire::wrapped(tcp)).await?;
        settle(tls.get_mut().0, record_wise);
        tls.get_mut().1.set_buffer_limit(None);
        Ok(tls.into())
    }

    /// The bare handshake of TDS 8.0.
    pub(crate) async fn accept_strict(&self, tcp: TcpStream) -> io::Result<TlsStream<Wire>> {
        let mut tls = TlsAcceptor::from(Arc::clone(&self.strict)).accept(Wire::raw(tcp)).await?;
        tls.get_mut().1.set_buffer_limit(None);
        Ok(tls.into())
    }
}

/// Whom a backend leg believes.
#[derive(Debug, Clone)]
pub(crate) enum Trust {
    /// Certificates that chain to one of these roots and carry the expected name.
    Roots(Arc<RootCertStore>),
    /// Any certificate, because the operator wrote so.
    Anyone,
}

/// Both shapes of a client: handshakes inside TDS 7.x and bare ones of TDS 8.0.
#[derive(Clone)]
pub(crate) struct ClientTls {
    wrapped: Arc<ClientConfig>,
    strict: Arc<ClientConfig>,
}

impl ClientTls {
    /// Builds both configurations.
    ///
    /// # Errors
    /// When there is no root to verify against.
    pub(crate) fn new(trust: &Trust) -> io::Result<Self> {
        let verifier: Arc<dyn ServerCertVerifier> = match trust {
            Trust::Roots(roots) => WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider())
                .build()
                .map_err(io::Error::other)?,
            Trust::Anyone => Arc::new(TrustAnyone(provider())),
        };
        let config = |versions: &[&'static rustls::SupportedProtocolVersion]| -> io::Result<ClientConfig> {
            let builder = ClientConfig::builder_with_provider(provider());
            let builder = builder.with_protocol_versions(versions).map_err(io::Error::other)?;
            let builder = builder.dangerous().with_custom_certificate_verifier(Arc::clone(&verifier));
            Ok(builder.with_no_client_auth())
        };
        let mut wrapped = config(&[&TLS12])?;
        wrapped.resumption = Resumption::disabled();
        let mut strict = config(&[&TLS13, &TLS12])?;
        strict.alpn_protocols = vec![ALPN_TDS8.to_vec()];
        Ok(Self { wrapped: Arc::new(wrapped), strict: Arc::new(strict) })
    }

    /// The handshake inside PRELOGIN packets.
    pub(crate) async fn connect_wrapped(
        &self,
        tcp: TcpStream,
        name: ServerName<'static>,
    ) -> io::Result<TlsStream<Wire>> {
        let mut tls = TlsConnector::from(Arc::clone(&self.wrapped)).connect(name, Wire::wrapped(tcp)).await?;
        settle(tls.get_mut().0, false);
        tls.get_mut().1.set_buffer_limit(None);
        Ok(tls.into())
    }

    /// The bare handshake of TDS 8.0.
    pub(crate) async fn connect_strict(
        &self,
        tcp: TcpStream,
        name: ServerName<'static>,
    ) -> io::Result<TlsStream<Wire>> {
        let mut tls = TlsConnector::from(Arc::clone(&self.strict)).connect(name, Wire::raw(tcp)).await?;
        tls.get_mut().1.set_buffer_limit(None);
        Ok(tls.into())
    }
}

/// rustls' own buffer has no limit on our legs: a limit would split a packet over two records, which SQL Server
/// answers by closing. What bounds it is that `flow` flushes before it writes more than the wire's buffer holds.
fn settle(wire: &mut Wire, record_wise: bool) {
    if record_wise {
        wire.unwrap_record_wise();
    } else {
        wire.unwrap_records();
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Accepts every certificate but still checks that the peer holds its key.
#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
