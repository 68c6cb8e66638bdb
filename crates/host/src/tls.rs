//! TLS: whom a client believes, and who a server is.
//!
//! Built on rustls with ring. Both ends speak TLS 1.2 and 1.3, and HTTP/1.1 in it.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme, WantsVerifier,
};
use thiserror::Error;

/// The protocol in it: a WebSocket begins as a request of HTTP/1.1.
const ALPN: &[u8] = b"http/1.1";

/// How a client does TLS. Clones share everything, sessions to be resumed too.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

/// How a server does TLS. Clones are one: what [`replace`](Self::replace) changes, it changes for all.
#[derive(Clone)]
pub struct ServerTls(Arc<RwLock<Arc<ServerConfig>>>);

/// What tells a certificate from all others: its SHA-256 digest, as `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// What should be a fingerprint is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a fingerprint is sha256: and 64 hexadecimal digits")]
pub struct NoFingerprint;

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

impl Fingerprint {
    /// That of the first certificate in this PEM.
    ///
    /// # Errors
    /// There is none.
    pub fn of(pem: &[u8]) -> Result<Self, TlsError> {
        let all = certificates(pem)?;
        all.first().map(|first| Self::of_der(first)).ok_or(TlsError::NoCertificate)
    }

    fn of_der(der: &[u8]) -> Self {
        // The only way to a digest that rustls shows.
        let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
        let hash = suite.tls13().expect("a suite of TLS 1.3").common.hash_provider.hash(der);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.as_ref());
        Self(bytes)
    }
}

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    /// Reads `sha256:` and the digits, or the digits alone, with or without colons between them.
    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let digits: Vec<_> = digits.bytes().filter(|byte| *byte != b':').collect();
        let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
        let bytes = digits.chunks(2).map(|two| match *two {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        });
        let bytes: Option<Vec<u8>> = bytes.collect();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NoFingerprint)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
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
    io::Error::new(io::ErrorKind::TimedOut, format!("it took longer than {after:?}"))
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

/// Asks nobody who certified a server: believes everybody, or who has one certificate. Who signs must have its key.
#[derive(Debug)]
struct Unchecked {
    pin: Option<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.pin {
            Some(pin) if pin != Fingerprint::of_der(end_entity) => {
                Err(rustls::CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_written_as_others_write_it() {
        let pair = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let fingerprint = Fingerprint::of(pair.cert.pem().as_bytes()).unwrap();
        let text = fingerprint.to_string();
        assert_eq!(text.len(), 7 + 64);
        assert_eq!(text.parse(), Ok(fingerprint));
        // As `openssl x509 -fingerprint -sha256` has it.
        let digits = text.strip_prefix("sha256:").unwrap().to_uppercase();
        let colons: Vec<_> =
            digits.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap()).collect();
        assert_eq!(colons.join(":").parse(), Ok(fingerprint));
        for wrong in ["", "sha256:", "sha1:00", &text[..text.len() - 1], &format!("{text}0"), &"ä".repeat(32)]
        {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
        assert!(Fingerprint::of(b"nothing").is_err());
    }

    #[test]
    fn a_digest_is_that_of_sha_256() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Fingerprint::of_der(b"").to_string(), empty);
    }

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
