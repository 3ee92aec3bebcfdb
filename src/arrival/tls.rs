//! TLS for senders from elsewhere: a certificate of our own, and an authority that theirs must come from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{CertificateError, Error, RootCertStore, ServerConfig};

use super::counts::Ending;

/// The files that make a listener with TLS, all in PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFiles {
    /// Our certificate, with those between it and its authority.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities that certificates of senders must come from.
    pub ca: PathBuf,
}

/// Why there can be no TLS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsError {
    /// The option.
    pub option: &'static str,
    /// Its value.
    pub path: PathBuf,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.option, self.path.display(), self.why)
    }
}

impl std::error::Error for TlsError {}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// When one of them cannot be read or used.
    pub fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        const CERT: &str = "--feed-tls-cert";
        const KEY: &str = "--feed-tls-key";
        const CA: &str = "--feed-tls-ca";
        let provider = Arc::new(default_provider());
        let wrong = |option, path: &Path, why: String| TlsError { option, path: path.to_owned(), why };

        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca).map_err(|why| wrong(CA, &self.ca, why))? {
            roots.add(certificate).map_err(|why| wrong(CA, &self.ca, why.to_string()))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|why: VerifierBuilderError| wrong(CA, &self.ca, why.to_string()))?;
        let chain = certificates(&self.cert).map_err(|why| wrong(CERT, &self.cert, why))?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|why| wrong(KEY, &self.key, pem("a private key", &why)))?;

        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| wrong(CERT, &self.cert, why.to_string()))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|why| match why {
                Error::InconsistentKeys(_) => {
                    wrong(KEY, &self.key, format!("does not belong to the certificate of {CERT}"))
                }
                why => wrong(CERT, &self.cert, why.to_string()),
            })?;
        // Each connection shows its certificate: a session that is resumed would outlive it.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

/// The certificates in a file; there is at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    const WHAT: &str = "a certificate";
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|why| pem(WHAT, &why))?;
    if found.is_empty() { Err(pem(WHAT, &rustls::pki_types::pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn pem(what: &str, why: &rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    match why {
        Error::Io(error) => format!("cannot be read: {error}"),
        Error::NoItemsFound => format!("holds no {} in PEM", what.trim_start_matches("a ")),
        why => format!("is no {} in PEM: {why}", what.trim_start_matches("a ")),
    }
}

/// Why a handshake failed, as it is counted.
pub(super) fn ending(error: &Error) -> Ending {
    match error {
        Error::NoCertificatesPresented => Ending::NoCertificate,
        Error::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Ending::Expired,
            CertificateError::UnknownIssuer => Ending::UnknownAuthority,
            _ => Ending::BadCertificate,
        },
        Error::InvalidMessage(_) => Ending::NotTls,
        _ => Ending::Handshake,
    }
}
