//! What a server decides about a request, and what comes of it.

use std::fmt;
use std::io;
use std::time::Duration;

use bowline_handshake::server::{Accept, Upgraded};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// How long to wait after the system refused a connection for lack of something, before it is asked again.
pub const PAUSE: Duration = Duration::from_millis(100);
/// How long to wait after one client was gone: nothing beside what a handshake takes, and no loop without a pause.
const MOMENT: Duration = Duration::from_millis(1);
/// So many who were gone already, and nobody else among them, are no clients any more: the listener itself may be at fault.
const MANY: u32 = 1000;

/// Whether another try to accept a connection may work: one was gone already, or the system lacks something for the
/// moment. Only a listener that is none cannot be used again; everything else may be the fault of a single client or network.
pub fn is_passing(error: &io::Error) -> bool {
    let is_none = matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported);
    has_no_address(error) || !is_none && !matches!(error.raw_os_error(), Some(9 | 88 | 10009 | 10038)) // EBADF, ENOTSOCK; WSAEBADF, WSAENOTSOCK
}

/// Failures to accept somebody, one behind the other.
#[derive(Debug, Default)]
pub struct Failures(u32);

impl Failures {
    /// How long to wait after this one before the next client is accepted. One who was gone already has taken nothing: whoever
    /// connects and resets is not to keep others waiting, as somebody could do it ten times a second. But a listener that says
    /// so for ever is not to keep a processor busy.
    pub fn pause(&mut self, error: &io::Error) -> Duration {
        let is_gone =
            matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
        let takes_nothing = is_gone || has_no_address(error);
        let pause = if takes_nothing && self.0 < MANY { MOMENT } else { PAUSE };
        self.0 = self.0.saturating_add(1);
        pause
    }

    /// Somebody was accepted.
    pub fn clear(&mut self) {
        self.0 = 0;
    }
}

/// macOS hands out a client who has reset his connection to an IPv6 listener as a socket without an address, of which the
/// standard library and mio make this error. It comes from them, and so without a number.
fn has_no_address(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput && error.raw_os_error().is_none()
}

/// What to do with a request.
#[derive(Debug)]
pub enum Decision {
    /// Open the WebSocket.
    Accept(Accept),
    /// Answer by a redirect (with `Location`) or by an error. The status must be one of 300 to 599.
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

/// A stream on which the way is free for frames: what the driver of a server wants.
#[non_exhaustive]
pub struct Accepted<S> {
    /// The stream.
    pub stream: S,
    /// What the client sent behind its request: the first bytes of frames.
    pub leftover: Bytes,
    /// The subprotocol that was chosen.
    pub subprotocol: Option<String>,
    /// The client's request. Credentials and cookies in it are marked as sensitive.
    pub request: http::Request<()>,
}

/// Without what may be a secret: the query, and what was sent.
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
    /// The stream, and what the handshake over it has come to.
    pub fn new(stream: S, upgraded: Upgraded) -> Self {
        let Upgraded { request, subprotocol, leftover, .. } = upgraded;
        Self { stream, leftover, subprotocol, request }
    }

    /// A stream that an HTTP server of somebody else has handed over, after it has sent the answer to this request, in which
    /// this subprotocol is chosen.
    pub fn handed_over(stream: S, request: http::Request<()>, subprotocol: impl Into<String>) -> Self {
        Self { stream, leftover: Bytes::new(), subprotocol: Some(subprotocol.into()), request }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
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
    fn clients_who_are_gone_keep_nobody_waiting() {
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
    fn what_went_wrong_with_one_client_does_not_end_the_server() {
        for passing in [1, 12, 23, 24, 64, 71, 92, 100, 101, 103, 105, 112, 113] {
            assert!(is_passing(&io::Error::from_raw_os_error(passing)), "{passing}");
        }
        for fatal in if cfg!(windows) { [10009, 10022, 10038] } else { [9, 22, 88] } {
            assert!(!is_passing(&io::Error::from_raw_os_error(fatal)), "{fatal}");
        }
    }
}
