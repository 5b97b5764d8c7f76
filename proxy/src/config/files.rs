//! Reads the PEM files a configuration names: certificates, keys and roots.

use std::cell::RefCell;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use toml::Spanned;

use super::problems::Problems;
use super::section::Section;
use super::seen::SeenFile;
use crate::identity::secret;
use crate::session::error::chain;

/// A certificate with its chain and private key. `Debug` shows neither.
pub struct ServerCertificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ServerCertificate {
    /// The server's own certificate first, then those that vouch for it.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    /// The private key of the first certificate of the chain: they were compared.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

impl Clone for ServerCertificate {
    fn clone(&self) -> Self {
        Self { chain: self.chain(), key: self.key() }
    }
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCertificate").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// Reads files whose paths are relative to one folder, and remembers which.
pub(super) struct Files {
    base: PathBuf,
    seen: RefCell<Vec<SeenFile>>,
}

/// A file's content and what is needed to complain about it.
struct Pem {
    bytes: Vec<u8>,
    path: PathBuf,
    written: Spanned<String>,
    key: String,
}

impl Files {
    pub(super) fn new(base: &Path) -> Self {
        Self { base: base.to_owned(), seen: RefCell::default() }
    }

    /// Every file that was read or should have been.
    pub(super) fn seen(self) -> Vec<SeenFile> {
        self.seen.into_inner()
    }

    /// `certificate_file` and `key_file`: both or neither.
    pub(super) fn server_certificate(
        &self,
        section: &mut Section<'_>,
        problems: &mut Problems<'_>,
    ) -> Option<ServerCertificate> {
        for (there, other) in [("certificate_file", "key_file"), ("key_file", "certificate_file")] {
            if section.has(there) && !section.has(other) {
                let instead = format!("write it beside `{there}`: a certificate is of use only with its key");
                problems.missing(section.span(), &section.key(other), instead);
            }
        }
        let certificates = self.read(section, "certificate_file", "server.pem", problems);
        let key = self.read(section, "key_file", "server.key", problems);
        let chain = certificates.map(|pem| pem.certificates(problems));
        let key = key.and_then(|pem| pem.private_key(problems).map(|key| (pem, key)));
        let (Some(chain), Some((pem, key))) = (chain.filter(|chain| !chain.is_empty()), key) else { return None };
        match CertifiedKey::from_der(chain.clone(), key.clone_key(), &aws_lc_rs::default_provider()) {
            Ok(_) => Some(ServerCertificate { chain, key }),
            Err(error) => {
                pem.complain(
                    format!("does not fit the certificate: {error}"),
                    "name the key it was made with",
                    problems,
                );
                None
            }
        }
    }

    /// `ca_file`: roots instead of the system's.
    pub(super) fn roots(&self, section: &mut Section<'_>, problems: &mut Problems<'_>) -> Option<Arc<RootCertStore>> {
        let pem = self.read(section, "ca_file", "ca.pem", problems)?;
        let mut roots = RootCertStore::empty();
        for certificate in pem.certificates(problems) {
            if let Err(error) = roots.add(certificate) {
                pem.complain(
                    format!("holds a certificate that cannot be a root: {error}"),
                    "name a CA's certificate",
                    problems,
                );
            }
        }
        Some(Arc::new(roots))
    }

    /// A file with a secret, which is read again when it is needed.
    pub(super) fn secret(
        &self,
        section: &mut Section<'_>,
        key: &'static str,
        example: &str,
        problems: &mut Problems<'_>,
    ) -> Option<PathBuf> {
        let written = section.text(key, example, problems)?;
        let path = self.base.join(written.get_ref());
        match secret::text(&path) {
            Ok(_) => Some(path),
            Err(error) => {
                let what = format!("names no secret: {}", chain(&error));
                let instead = "name a file that this user may read, with the secret as its only line";
                problems.add(written.span(), &section.key(key), what, instead);
                None
            }
        }
    }

    fn read(
        &self,
        section: &mut Section<'_>,
        key: &'static str,
        example: &str,
        problems: &mut Problems<'_>,
    ) -> Option<Pem> {
        let written = section.text(key, example, problems)?;
        let key = section.key(key);
        // A key pasted in place of its path must not come back in a message.
        if written.get_ref().contains("-----") {
            problems.add(written.span(), &key, "holds a PEM text itself", "write the path of the file that holds it");
            return None;
        }
        let path = self.base.join(written.get_ref());
        self.seen.borrow_mut().push(SeenFile::now(&path));
        match fs::read(&path) {
            Ok(bytes) => Some(Pem { bytes, path, written, key }),
            Err(error) => {
                let what = format!("names {}, which cannot be read: {error}", path.display());
                problems.add(written.span(), &key, what, "name a file that this user may read");
                None
            }
        }
    }
}

impl Pem {
    fn certificates(&self, problems: &mut Problems<'_>) -> Vec<CertificateDer<'static>> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        let instead = "name a file with -----BEGIN CERTIFICATE----- blocks";
        match certificates {
            Ok(certificates) if certificates.is_empty() => {
                self.complain("holds no certificate".to_owned(), instead, problems)
            }
            Ok(certificates) => return certificates,
            Err(error) => self.complain(format!("is no PEM file: {error}"), instead, problems),
        }
        Vec::new()
    }

    fn private_key(&self, problems: &mut Problems<'_>) -> Option<PrivateKeyDer<'static>> {
        // Its error could quote a line of the file, so only that there is one is told.
        let key = PrivateKeyDer::from_pem_slice(&self.bytes).ok();
        if key.is_none() {
            let instead = "name a PEM file with an unencrypted -----BEGIN PRIVATE KEY----- block";
            self.complain("holds no private key that can be read".to_owned(), instead, problems);
        }
        key
    }

    fn complain(&self, what: String, instead: &str, problems: &mut Problems<'_>) {
        problems.add(self.written.span(), &self.key, format!("names {}, which {what}", self.path.display()), instead);
    }
}
