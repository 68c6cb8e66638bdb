//! What a server decides about a request, and the result.

use std::fmt;
use std::io;
use std::time::Duration;

use bowline_handshake::server::{Accept, Upgraded};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// How long to wait before accepting again after the system refused a connection for lack of a resource.
pub const PAUSE: Duration = Duration::from_millis(100);
/// How long to wait after one client was gone already: less than any handshake takes, but still a pause in the loop.
const MOMENT: Duration = Duration::from_millis(1);
/// After this many clients in a row that were gone already, the listener itself may be at fault.
const MANY: u32 = 1000;

/// Whether accepting again may work: the client was gone already, or the system lacks a resource for the moment. Only
/// an invalid listener cannot be used again; everything else may be the fault of a single client or network.
pub fn is_passing(error: &io::Error) -> bool {
    let is_none = matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported);
    has_no_address(error) || !is_none && !matches!(error.raw_os_error(), Some(9 | 88 | 10009 | 10038)) // EBADF, ENOTSOCK; WSAEBADF, WSAENOTSOCK
}

/// Consecutive failures to accept a client.
#[derive(Debug, Default)]
pub struct Failures(u32);

impl Failures {
    /// How long to wait after this failure before the next client is accepted. A client that was gone already used no
    /// resource: a client that connects and resets, ten times a second, must not keep others waiting. But a listener
    /// that reports this for ever must not keep a processor busy.
    pub fn pause(&mut self, error: &io::Error) -> Duration {
        let is_gone =
            matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
        let takes_nothing = is_gone || has_no_address(error);
        let pause = if takes_nothing && self.0 < MANY { MOMENT } else { PAUSE };
        self.0 = self.0.saturating_add(1);
        pause
    }

    /// A client was accepted.
    pub fn clear(&mut self) {
        self.0 = 0;
    }
}

/// When a client has reset its connection to an IPv6 listener, macOS returns a socket without an address, which the
/// standard library and mio turn into this error. It is their own error, so it has no error number.
fn has_no_address(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput && error.raw_os_error().is_none()
}

/// What to do with a request.
#[derive(Debug)]
pub enum Decision {
    /// Open the WebSocket.
    Accept(Accept),
    /// Answer with a redirect (with `Location`) or an error. The status must be one of 300 to 599.
    Reject(Response<Bytes>),
}

impl Decision {
    /// Opens the WebSocket, without a subprotocol or headers of the application's own.
    pub fn accept() -> Self {
        Self::Accept(Accept::new())
    }

    /// Answers with this status and text.
    pub fn reject(status: StatusCode, text: impl Into<String>) -> Self {
        let mut response = Response::new(Bytes::from(text.into()));
        *response.status_mut() = status;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        Self::Reject(response)
    }
}

/// A stream on which frames can follow: what the driver of a server needs.
#[non_exhaustive]
pub struct Accepted<S> {
    /// The stream.
    pub stream: S,
    /// What the client sent after its request: the first bytes of frames.
    pub leftover: Bytes,
    /// The subprotocol that was chosen.
    pub subprotocol: Option<String>,
    /// The client's request. Credentials and cookies in it are marked as sensitive.
    pub request: http::Request<()>,
}

/// Leaves out what may be secret: the query, and any bytes that were sent.
impl<S: fmt::Debug> fmt::Debug for Accepted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("stream", &self.stream)
            .field("path", &self.request.uri().path())
            .field("subprotocol", &self.subprotocol)
            .field("leftover", &self.leftover.len())
            .finish_non_exhaustive()
    }
}

impl<S> Accepted<S> {
    /// The stream, and the result of the handshake on it.
    pub fn new(stream: S, upgraded: Upgraded) -> Self {
        let Upgraded { request, subprotocol, leftover, .. } = upgraded;
        Self { stream, leftover, subprotocol, request }
    }

    /// A stream that another HTTP server has handed over after it sent its answer to this request, which chose this
    /// subprotocol.
    pub fn handed_over(stream: S, request: http::Request<()>, subprotocol: impl Into<String>) -> Self {
        Self { stream, leftover: Bytes::new(), subprotocol: Some(subprotocol.into()), request }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_that_may_be_a_secret() {
        let request = http::Request::get("/up?token=secret").body(()).unwrap();
        let mut accepted = Accepted::handed_over("stream", request, "chat");
        accepted.leftover = Bytes::from_static(b"secret");
        let shown = format!("{accepted:?}");
        assert_eq!(
            shown,
            r#"Accepted { stream: "stream", path: "/up", subprotocol: Some("chat"), leftover: 6, .. }"#
        );
    }

    #[test]
    fn a_client_without_an_address_does_not_end_the_server() {
        assert!(is_passing(&io::ErrorKind::InvalidInput.into()));
        assert!(!is_passing(&io::ErrorKind::Unsupported.into()));
    }

    #[test]
    fn clients_that_are_gone_do_not_delay_others() {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, InvalidInput};
        for kind in [ConnectionAborted, ConnectionReset, InvalidInput] {
            let mut failures = Failures::default();
            for _ in 0..MANY {
                assert!(is_passing(&kind.into()) && failures.pause(&kind.into()) < PAUSE / 10, "{kind}");
            }
            assert_eq!(failures.pause(&kind.into()), PAUSE, "{kind}, and nobody else");
            failures.clear();
            assert!(failures.pause(&kind.into()) < PAUSE / 10, "{kind}, and somebody else");
        }
        for lack in [12, 23, 24, 105] {
            let error = io::Error::from_raw_os_error(lack);
            assert_eq!(Failures::default().pause(&error), PAUSE, "{lack}");
        }
    }

    #[test]
    fn a_failure_of_one_client_does_not_end_the_server() {
        for passing in [1, 12, 23, 24, 64, 71, 92, 100, 101, 103, 105, 112, 113] {
            assert!(is_passing(&io::Error::from_raw_os_error(passing)), "{passing}");
        }
        for fatal in if cfg!(windows) { [10009, 10022, 10038] } else { [9, 22, 88] } {
            assert!(!is_passing(&io::Error::from_raw_os_error(fatal)), "{fatal}");
        }
    }
}
