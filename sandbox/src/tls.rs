//! The sandbox's certificates: an authority made at start, a leaf it signs, and the two ways a server uses them.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The names the leaf is valid for: what clients on this machine may type, and the servers' own names.
pub const NAMES: [&str; 5] = ["localhost", "127.0.0.1", "::1", "onprem", "mi"];
/// The protocol TDS 8.0 announces in its handshake.
pub const ALPN_TDS_8: &[u8] = b"tds/8.0";

/// Clocks of clients may be behind.
const VALID_BEFORE: Duration = Duration::from_secs(24 * 3600);
/// Longer than any sandbox runs, short enough for verifiers that refuse leaves of more than 825 days.
const VALID_AFTER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The certificates could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The authority or the leaf.
    #[error("a certificate for the simulated servers could not be made")]
    Certificate(#[from] rcgen::Error),
    /// What rustls makes of them.
    #[error("the certificate of the simulated servers is not usable for TLS")]
    Tls(#[from] rustls::Error),
    /// The authority's file.
    #[error("the certificate authority's file {path} could not be written")]
    File {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// What the simulated servers show, and the file by which a client can trust it.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority in PEM.
    pub authority_path: PathBuf,
    /// The leaf and its authority in PEM, for a proxy in front.
    pub chain_path: PathBuf,
    /// The leaf's key in PEM.
    pub key_path: PathBuf,
    /// For handshakes inside TDS packets: TLS 1.2 without resumption, so that the server's Finished is the last flight.
    /// A TLS 1.3 server would send tickets after the wrapping has ended.
    pub wrapped: Arc<ServerConfig>,
    /// For TDS 8.0: TLS 1.2 and 1.3 with its protocol name.
    pub strict: Arc<ServerConfig>,
}

impl Certificates {
    /// Makes an authority and a leaf and writes them to `directory`. The authority's key is thrown away.
    ///
    /// # Errors
    /// When a certificate cannot be made or its file cannot be written.
    pub fn generate(directory: &Path, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let authority_key = KeyPair::generate()?;
        let authority = authority_params()?;
        let authority_pem = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);
        let leaf_key = KeyPair::generate()?;
        let leaf = leaf_params()?.signed_by(&leaf_key, &issuer)?;

        let chain = vec![leaf.der().clone(), authority_pem.der().clone()];
        let key = leaf_key.serialize_der();
        let config = |versions: &[&'static SupportedProtocolVersion]| config(provider, versions, &chain, &key);
        let wrapped = Arc::new(config(&[&version::TLS12])?);
        let mut strict = config(&[&version::TLS12, &version::TLS13])?;
        strict.alpn_protocols = vec![ALPN_TDS_8.to_vec()];
        Ok(Self {
            authority_path: write(directory, "ca.pem", &authority_pem.pem())?,
            chain_path: write(directory, "server.pem", &(leaf.pem() + &authority_pem.pem()))?,
            key_path: write(directory, "server.key", &leaf_key.serialize_pem())?,
            wrapped,
            strict: Arc::new(strict),
        })
    }
}

fn authority_params() -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "TDS sandbox authority (simulation)");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    set_validity(&mut params);
    Ok(params)
}

fn leaf_params() -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(NAMES.map(String::from).to_vec())?;
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params);
    Ok(params)
}

fn set_validity(params: &mut CertificateParams) {
    let now = SystemTime::now();
    params.not_before = (now - VALID_BEFORE).into();
    params.not_after = (now + VALID_AFTER).into();
}

fn config(
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    chain: &[CertificateDer<'static>],
    key: &[u8],
) -> Result<ServerConfig, Error> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_single_cert(chain.to_vec(), key)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

fn write(directory: &Path, name: &str, content: &str) -> Result<PathBuf, Error> {
    let path = directory.join(name);
    match std::fs::write(&path, content) {
        Ok(()) => Ok(path),
        Err(source) => Err(Error::File { path, source }),
    }
}
