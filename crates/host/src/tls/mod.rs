//! TLS: which servers a client trusts, a server's identity, and how much is encrypted at once.
//!
//! Built on rustls with ring. Both ends speak TLS 1.2 and 1.3, and HTTP/1.1 over it.

mod fingerprint;
mod records;
mod unchecked;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bowline_core::closing::Span;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, WantsVerifier};
use thiserror::Error;
use unchecked::Unchecked;

pub use fingerprint::{Fingerprint, NoFingerprint};
pub use records::Records;
/// The version of rustls whose configurations [`ClientTls`] and [`ServerTls`] accept.
pub use rustls;

/// The application protocol: a WebSocket begins as an HTTP/1.1 request.
const ALPN: &[u8] = b"http/1.1";

/// A client's TLS settings. Clones share everything, including sessions for resumption.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

/// A server's TLS settings. Clones are the same one: [`replace`](Self::replace) changes all of them.
#[derive(Clone)]
pub struct ServerTls(Arc<RwLock<Arc<ServerConfig>>>);

/// What is wrong with TLS settings.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The system has no trusted authorities.
    #[error("this system has no root certificates{}", because(.0))]
    NoRoots(Vec<String>),
    /// There is no certificate where one is required.
    #[error("there is no certificate in it (a line with BEGIN CERTIFICATE)")]
    NoCertificate,
    /// There is no private key where one is required.
    #[error("there is no private key in it (a line with BEGIN PRIVATE KEY)")]
    NoKey,
    /// This is not valid PEM.
    #[error("it is not valid PEM: {0}")]
    Pem(rustls::pki_types::pem::Error),
    /// The certificate or the key cannot be used, or they do not belong together.
    #[error("it cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

fn because(errors: &[String]) -> String {
    errors.first().map(|error| format!(": {error}")).unwrap_or_default()
}

impl ClientTls {
    /// Trusts the authorities that the operating system trusts. Reads files, so it may block on a disk.
    ///
    /// # Errors
    /// [`TlsError::NoRoots`].
    pub fn system() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(TlsError::NoRoots(found.errors.iter().map(ToString::to_string).collect()));
        }
        Ok(Self::new(builder().with_root_certificates(roots).with_no_client_auth()))
    }

    /// The same, but read once per process: for dials without other settings.
    ///
    /// # Errors
    /// [`TlsError::NoRoots`]; the next call tries again.
    pub fn system_once() -> Result<Self, TlsError> {
        static SYSTEM: Mutex<Option<ClientTls>> = Mutex::new(None);
        let mut system = SYSTEM.lock().unwrap_or_else(PoisonError::into_inner);
        match &*system {
            Some(tls) => Ok(tls.clone()),
            None => Ok(system.insert(Self::system()?).clone()),
        }
    }

    /// Trusts these certificates, and those certified by them, and nothing else. In PEM.
    ///
    /// # Errors
    /// If there is no usable certificate.
    pub fn trusting(pem: &[u8]) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem)? {
            roots.add(certificate)?;
        }
        Ok(Self::new(builder().with_root_certificates(roots).with_no_client_auth()))
    }

    /// Trusts any server. The connection is encrypted, but for whoever is at the other end: for tests only.
    pub fn trusting_anybody() -> Self {
        Self::unchecked(None)
    }

    /// Trusts only the server whose certificate has this fingerprint. Its names and dates do not matter.
    pub fn pinned(fingerprint: Fingerprint) -> Self {
        Self::unchecked(Some(fingerprint))
    }

    fn unchecked(pin: Option<Fingerprint>) -> Self {
        let verifier = Arc::new(Unchecked { pin, provider: Arc::new(ring::default_provider()) });
        Self::new(builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
    }

    fn new(mut config: ClientConfig) -> Self {
        config.alpn_protocols = vec![ALPN.to_vec()];
        Self(Arc::new(config))
    }

    /// The configuration for rustls.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

/// For settings that have no function here.
impl From<Arc<ClientConfig>> for ClientTls {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self(config)
    }
}

impl ServerTls {
    /// A server with these certificates, its own first, and the private key of its own. In PEM.
    ///
    /// # Errors
    /// If the certificates or the key cannot be used, or do not belong together.
    pub fn new(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(server(certificates, key)?))))
    }

    /// Replaces both for all later connections. If the new ones cannot be used, nothing changes.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let config = server(certificates, key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// The configuration for rustls.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// For settings that have no function here.
impl From<Arc<ServerConfig>> for ServerTls {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

impl fmt::Debug for ServerTls {
    /// Shows nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

/// The name that a server must prove, from the host of a URL, where an IPv6 address is in brackets.
///
/// # Errors
/// If this cannot be the name of a server.
pub fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(io::Error::other)
}

/// The error of a TLS handshake that has not ended within this time.
pub fn timed_out(after: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("it took longer than {}", Span(after)))
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, WantsVerifier> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.expect("ring knows the usual versions")
}

fn server(pem: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => TlsError::NoKey,
        error => TlsError::Pem(error),
    })?;
    let mut config = builder.with_no_client_auth().with_single_cert(certificates(pem)?, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(TlsError::Pem)?;
    if found.is_empty() { Err(TlsError::NoCertificate) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_why_a_pair_cannot_be_used_are_told_apart() {
        let pair = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        assert!(ServerTls::new(certificate.as_bytes(), key.as_bytes()).is_ok());
        let why = |certificate: &str, key: &str| {
            ServerTls::new(certificate.as_bytes(), key.as_bytes()).unwrap_err().to_string()
        };
        assert_eq!(why(&key, &key), "there is no certificate in it (a line with BEGIN CERTIFICATE)");
        assert_eq!(
            why(&certificate, &certificate),
            "there is no private key in it (a line with BEGIN PRIVATE KEY)"
        );
        let mixed = why(&certificate, &other.signing_key.serialize_pem());
        assert!(mixed.starts_with("it cannot be used: "), "{mixed}");
        let broken = why("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", &key);
        assert!(broken.starts_with("it is not valid PEM: "), "{broken}");
        assert!(ClientTls::trusting(key.as_bytes()).is_err());
    }

    #[test]
    fn the_server_name_is_that_of_the_url() {
        let name = |host| server_name(host).unwrap().to_str().into_owned();
        assert_eq!(name("example.org"), "example.org");
        assert_eq!(name("127.0.0.1"), "127.0.0.1");
        assert_eq!(name("[::1]"), "::1");
        assert!(server_name("no name").is_err());
    }

    #[test]
    fn no_key_is_shown() {
        let pair = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let tls = ServerTls::new(pair.cert.pem().as_bytes(), pair.signing_key.serialize_pem().as_bytes());
        assert_eq!(format!("{:?}", tls.unwrap()), "ServerTls");
    }
}
