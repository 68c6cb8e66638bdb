//! Fingerprints of certificates.

use std::fmt;
use std::str::FromStr;

use rustls::crypto::ring;
use thiserror::Error;

use super::{TlsError, certificates};

/// Identifies a certificate: its SHA-256 digest, as `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// This is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a fingerprint is sha256: and 64 hexadecimal digits")]
pub struct NoFingerprint;

impl Fingerprint {
    /// The fingerprint of the first certificate in this PEM.
    ///
    /// # Errors
    /// If there is none.
    pub fn of(pem: &[u8]) -> Result<Self, TlsError> {
        let all = certificates(pem)?;
        all.first().map(|first| Self::of_der(first)).ok_or(TlsError::NoCertificate)
    }

    pub(super) fn of_der(der: &[u8]) -> Self {
        // The only digest function that rustls exposes.
        let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
        let hash = suite.tls13().expect("a suite of TLS 1.3").common.hash_provider.hash(der);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.as_ref());
        Self(bytes)
    }
}

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    /// Parses `sha256:` and the digits, or the digits alone, with or without colons between them.
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
        // The format of `openssl x509 -fingerprint -sha256`.
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
}
