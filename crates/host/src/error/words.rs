//! Errors of the system or of rustls in a dial, in words for people.

use std::io;

pub(super) fn unix(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such socket".to_owned(),
        io::ErrorKind::ConnectionRefused => {
            "nothing is listening at this socket (connection refused)".to_owned()
        }
        _ => format!("the socket cannot be used: {error}"),
    }
}

pub(super) fn lookup(error: &io::Error) -> String {
    let text = error.to_string();
    // The system's own words follow a preamble of the standard library.
    text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned()
}

/// In words, where rustls has only an identifier.
#[cfg(feature = "tls")]
pub(super) fn tls(error: &io::Error) -> String {
    use rustls::CertificateError::{
        ApplicationVerificationFailure, BadSignature, Expired, ExpiredContext, NotValidForName,
        NotValidForNameContext, UnknownIssuer,
    };
    use rustls::Error::InvalidCertificate;
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    let words = match cause {
        Some(InvalidCertificate(UnknownIssuer | BadSignature)) => {
            "no authority that we trust has signed this server's certificate"
        }
        Some(InvalidCertificate(Expired | ExpiredContext { .. })) => {
            "the certificate of this server has expired"
        }
        Some(InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
            "the certificate of this server is for another name"
        }
        Some(InvalidCertificate(ApplicationVerificationFailure)) => {
            "the certificate of this server is not the pinned one"
        }
        _ if is_without_tls(error) => "what answers does not speak TLS; ws:// may be right",
        _ => return format!("no TLS with this server: {error}"),
    };
    words.to_owned()
}

/// Whether the other end does not speak TLS.
#[cfg(feature = "tls")]
pub(super) fn is_without_tls(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidMessage(_)))
}

/// TLS is not built in.
#[cfg(not(feature = "tls"))]
pub(super) fn is_without_tls(_: &io::Error) -> bool {
    false
}

/// TLS is not built in.
#[cfg(not(feature = "tls"))]
pub(super) fn tls(error: &io::Error) -> String {
    error.to_string()
}

pub(super) fn connect(place: &str, addresses: usize, error: &io::Error) -> String {
    let tried = match addresses {
        0 | 1 => String::new(),
        2 => ", nor at 1 more address".to_owned(),
        more => format!(", nor at {} more addresses", more - 1),
    };
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("nothing is listening at {place}{tried} (connection refused)")
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            format!("no route leads to {place}{tried}: {error}")
        }
        _ => format!("{place} cannot be reached{tried}: {error}"),
    }
}
