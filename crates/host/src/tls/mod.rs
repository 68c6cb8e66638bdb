//! TLS: whom a client believes, who a server is, and how much is encrypted at once.
//!
//! Built on rustls with ring. Both ends speak TLS 1.2 and 1.3, and HTTP/1.1 in it.

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
/// The version whose configurations [`ClientTls`] and [`ServerTls`] can be made of.
pub use rustls;

/// The protocol in it: a WebSocket begins as a request of HTTP/1.1.
const ALPN: &[u8] = b"http/1.1";

/// How a client does TLS. Clones share everything, sessions to be resumed too.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

/// How a server does TLS. Clones are one: what [`replace`](Self::replace) changes, it changes for all.
#[derive(Clone)]
pub struct ServerTls(Arc<RwLock<Arc<ServerConfig>>>);

/// Why TLS cannot be done this way.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The system names nobody whom it trusts.
    #[error("this system has no root certificates{}", because(.0))]
    NoRoots(Vec<String>),
    /// There is no certificate in what should hold some.
    #[error("there is no certificate in it (a line with BEGIN CERTIFICATE)")]
    NoCertificate,
    /// There is no private key in what should hold one.
    #[error("there is no private key in it (a line with BEGIN PRIVATE KEY)")]
    NoKey,
    /// What should be PEM is not.
    #[error("it is not valid PEM: {0}")]
    Pem(rustls::pki_types::pem::Error),
    /// The certificate or the key cannot be used, or one does not belong to the other.
    #[error("it cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

fn because(errors: &[String]) -> String {
    errors.first().map(|error| format!(": {error}")).unwrap_or_default()
}

impl ClientTls {
    /// Trusts whom the operating system trusts. Reads its files; what there is to wait for is a disk.
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

    /// The same, but read once in the life of the process: for dials that are told nothing else.
    ///
    /// # Errors
    /// [`TlsError::NoRoots`]; the next call looks again.
    pub fn system_once() -> Result<Self, TlsError> {
        static SYSTEM: Mutex<Option<ClientTls>> = Mutex::new(None);
        let mut system = SYSTEM.lock().unwrap_or_else(PoisonError::into_inner);
        match &*system {
            Some(tls) => Ok(tls.clone()),
            None => Ok(system.insert(Self::system()?).clone()),
        }
    }

    /// Trusts those whose certificates these are, or who were certified by them, and nobody else. In PEM.
    ///
    /// # Errors
    /// There is no usable certificate.
    pub fn trusting(pem: &[u8]) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem)? {
            roots.add(certificate)?;
        }
        Ok(Self::new(builder().with_root_certificates(roots).with_no_client_auth()))
    }

    /// Trusts anybody. What crosses the connection is encrypted, for whoever is at the other end: for tests only.
    pub fn trusting_anybody() -> Self {
        Self::unchecked(None)
    }

    /// Trusts whoever has the certificate with this fingerprint, and nobody else. Its names and dates do not matter.
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

    /// What rustls wants.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

/// For settings that there is no function for.
impl From<Arc<ClientConfig>> for ClientTls {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self(config)
    }
}

impl ServerTls {
    /// A server with these certificates, its own first, and the private key of that. In PEM.
    ///
    /// # Errors
    /// The certificates or the key cannot be used, or do not belong together.
    pub fn new(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(server(certificates, key)?))))
    }

    /// Others, for all connections from now on. If they cannot be used, nothing changes.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let config = server(certificates, key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// What rustls wants.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// For settings that there is no function for.
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
    /// Says nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

/// The name that a server must prove to have, from the host of a URL: an address of IPv6 stands in brackets there.
///
/// # Errors
/// What can be no name of a server.
pub fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(io::Error::other)
}

/// The error of a handshake of TLS that has not ended within this time.
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
    fn what_cannot_be_used_is_told_apart() {
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
    fn a_server_is_called_as_in_its_url() {
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
