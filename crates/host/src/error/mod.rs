//! Why there is no connection, in one sentence each.

mod words;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bowline_core::closing::{Obstacle, Span, Why};
use bowline_core::{Disconnect, End, Retry};
use bowline_handshake::proxy::{self, ProxyError};
use bowline_handshake::{client, server};
use thiserror::Error;
use words::{connect, is_without_tls, lookup, tls, unix};

/// Why a client could not open a WebSocket.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DialError {
    /// The URL or another part of the request is not valid.
    #[error(transparent)]
    Request(#[from] client::RequestError),
    /// The URL is `wss://`, and this program cannot do TLS: the adapter was built without that feature. A handshake on
    /// a stream that is already encrypted needs only that stream.
    #[error("{place} asks for TLS (wss://), which is not built in: enable feature `tls`")]
    NoTls {
        /// Host and port.
        place: String,
    },
    /// Connecting to the Unix socket failed.
    #[error("{}: {}", path.display(), unix(source))]
    Unix {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// An environment variable names a proxy that cannot be used.
    #[error("{variable} in the environment: {source}")]
    ProxyVariable {
        /// Its name.
        variable: &'static str,
        /// What is wrong with it.
        source: ProxyError,
    },
    /// A proxy on the way did not let us through.
    #[error("{place}: the proxy {proxy} {source}")]
    Proxy {
        /// Host and port of the server.
        place: String,
        /// Which proxy, without user and password.
        proxy: String,
        /// The proxy's answer.
        source: proxy::Error,
    },
    /// The server did not prove its identity, or does not speak TLS.
    #[error("{place}: {}", tls(source))]
    Tls {
        /// Host and port.
        place: String,
        /// What is wrong.
        source: io::Error,
    },
    /// The server's name did not resolve to an address.
    #[error("{place} has no known address: {}", lookup(source))]
    Resolve {
        /// Host and port.
        place: String,
        /// The system's error.
        source: io::Error,
    },
    /// Connecting failed: nothing is listening, or there is no route.
    #[error("{}", connect(place, *addresses, source))]
    Connect {
        /// Host and port.
        place: String,
        /// How many addresses were tried.
        addresses: usize,
        /// The system's error for the first of them.
        source: io::Error,
    },
    /// The stages before the handshake took too long.
    #[error("{place} {stage} within {}", Span(*after))]
    TimedOut {
        /// Host and port.
        place: String,
        /// The stage that was reached.
        stage: Stage,
        /// [`dial::Config::connect_timeout`](crate::dial::Config::connect_timeout).
        after: Duration,
    },
    /// A connection was made, but no WebSocket opened on it.
    #[error("{place}: {source}")]
    Handshake {
        /// Host and port.
        place: String,
        /// What went wrong.
        source: client::Error,
    },
    /// The system refused a resource that this side needs, such as random bytes.
    #[error("the system refuses what a connection needs: {0}")]
    System(io::Error),
}

/// The stage of a dial when its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The name was being looked up.
    Resolve,
    /// No address had answered.
    Connect,
    /// The server had not proved its identity.
    Tls,
}

impl DialError {
    /// Whether to dial again, and when: the same advice for a server that cannot be reached as for a lost one.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Request(_) | Self::NoTls { .. } | Self::ProxyVariable { .. } => Retry::No(Why::SameAgain),
            Self::Proxy { source, .. } => source.retry(),
            Self::Unix { source, .. } if source.kind() == io::ErrorKind::Unsupported => {
                Retry::No(Why::SameAgain)
            }
            Self::Tls { source, .. } if !is_cut(source) => Retry::No(Why::SameAgain),
            Self::Handshake { source, .. } => source.retry(),
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::TimedOut { .. }
            | Self::Tls { .. }
            | Self::Unix { .. }
            | Self::System(_) => Retry::Backoff,
        }
    }

    /// The same in the form of the end of a connection: whose fault it was, what kind of failure, and what to do. The
    /// sentence is this error's.
    pub fn disconnect(&self) -> Disconnect {
        let failed = match self {
            Self::Handshake { source: client::Error::Refused(refusal), .. } => {
                Disconnect::handshake_rejected(refusal.status.as_u16(), refusal.retry_after, self.to_string())
            }
            _ => Disconnect::connect_failed(self.obstacle(), self.to_string()),
        };
        failed.with_retry(self.retry())
    }

    fn obstacle(&self) -> Obstacle {
        match self {
            Self::Request(_) | Self::NoTls { .. } | Self::ProxyVariable { .. } => Obstacle::Request,
            Self::Proxy { .. } => Obstacle::Proxy,
            Self::Unix { source, .. } => match source.kind() {
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Obstacle::Refused,
                io::ErrorKind::Unsupported => Obstacle::Request,
                _ => Obstacle::Unreachable,
            },
            Self::Tls { source, .. } if is_without_tls(source) => Obstacle::NotWebSocket,
            Self::Tls { .. } => Obstacle::Tls,
            Self::Resolve { .. } | Self::TimedOut { stage: Stage::Resolve, .. } => Obstacle::Unresolved,
            Self::Connect { source, .. } => match source.kind() {
                io::ErrorKind::ConnectionRefused => Obstacle::Refused,
                io::ErrorKind::TimedOut => Obstacle::TimedOut,
                _ => Obstacle::Unreachable,
            },
            Self::TimedOut { .. } | Self::Handshake { source: client::Error::TimedOut { .. }, .. } => {
                Obstacle::TimedOut
            }
            Self::Handshake { source: client::Error::Closed { .. }, .. } => Obstacle::Ended,
            Self::Handshake { .. } => Obstacle::NotWebSocket,
            Self::System(_) => Obstacle::Local,
        }
    }
}

/// Why a server did not open a WebSocket. The client was told, if possible.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The input was not a WebSocket request, the request was rejected, or the client went away.
    #[error(transparent)]
    Handshake(#[from] server::Error),
    /// The application's decision cannot be sent; the client was answered with 500.
    #[error(transparent)]
    Answer(#[from] server::AnswerError),
    /// The system refused a resource that this side needs, such as random bytes.
    #[error("the system refuses what a connection needs: {0}")]
    System(io::Error),
}

/// The end that this read error means.
pub fn read_end(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            End::Reset
        }
        io::ErrorKind::TimedOut => End::TimedOut,
        // TLS implementations return this when the stream ends without a close_notify.
        io::ErrorKind::UnexpectedEof => End::TlsTruncated,
        _ => End::ReadFailed,
    }
}

/// The end that this write error means.
pub fn write_end(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::ConnectionReset => End::WriteReset,
        io::ErrorKind::TimedOut => End::WriteTimedOut,
        _ => End::WriteFailed,
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "was not found in the name service",
            Self::Connect => "did not answer",
            Self::Tls => "did not finish the TLS handshake",
        })
    }
}

/// Whether the path ended, rather than the server being wrong.
fn is_cut(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::closing::Kind;

    fn place() -> String {
        "example.org:80".to_owned()
    }

    #[test]
    fn each_way_to_fail_to_reach_a_server_is_one_sentence() {
        let connect = |kind: io::ErrorKind, addresses| {
            let error = DialError::Connect { place: place(), addresses, source: kind.into() };
            assert_eq!(error.retry(), Retry::Backoff);
            error.to_string()
        };
        assert_eq!(
            connect(io::ErrorKind::ConnectionRefused, 1),
            "nothing is listening at example.org:80 (connection refused)"
        );
        assert_eq!(
            connect(io::ErrorKind::ConnectionRefused, 2),
            "nothing is listening at example.org:80, nor at 1 more address (connection refused)"
        );
        assert_eq!(
            connect(io::ErrorKind::ConnectionRefused, 3),
            "nothing is listening at example.org:80, nor at 2 more addresses (connection refused)"
        );
        assert_eq!(
            connect(io::ErrorKind::NetworkUnreachable, 1),
            "no route leads to example.org:80: network unreachable"
        );
        assert_eq!(
            connect(io::ErrorKind::PermissionDenied, 1),
            "example.org:80 cannot be reached: permission denied"
        );
    }

    #[test]
    fn a_name_without_an_address_is_reported_in_the_words_of_the_system() {
        let source = io::Error::other("failed to lookup address information: Name or service not known");
        let error = DialError::Resolve { place: place(), source };
        assert_eq!(error.to_string(), "example.org:80 has no known address: Name or service not known");
        assert_eq!(error.retry(), Retry::Backoff);
    }

    #[test]
    fn a_timeout_says_what_took_so_long() {
        let after = Duration::from_secs(10);
        let error = |stage| DialError::TimedOut { place: place(), stage, after }.to_string();
        assert_eq!(error(Stage::Resolve), "example.org:80 was not found in the name service within 10 s");
        assert_eq!(error(Stage::Connect), "example.org:80 did not answer within 10 s");
    }

    #[test]
    fn a_failed_dial_becomes_a_disconnect_with_the_same_words() {
        let connect =
            |kind: io::ErrorKind| DialError::Connect { place: place(), addresses: 1, source: kind.into() };
        let handshake = |source| DialError::Handshake { place: place(), source };
        let socket = |kind: io::ErrorKind| DialError::Unix { path: "/s".into(), source: kind.into() };
        let through = |source| DialError::Proxy { place: place(), proxy: "http://p:1".to_owned(), source };
        let after = Duration::from_secs(1);
        for (error, obstacle) in [
            (connect(io::ErrorKind::ConnectionRefused), Obstacle::Refused),
            (connect(io::ErrorKind::HostUnreachable), Obstacle::Unreachable),
            (connect(io::ErrorKind::TimedOut), Obstacle::TimedOut),
            (DialError::NoTls { place: place() }, Obstacle::Request),
            (DialError::Tls { place: place(), source: io::Error::other("?") }, Obstacle::Tls),
            (DialError::Resolve { place: place(), source: io::Error::other("?") }, Obstacle::Unresolved),
            (DialError::TimedOut { place: place(), stage: Stage::Resolve, after }, Obstacle::Unresolved),
            (DialError::TimedOut { place: place(), stage: Stage::Connect, after }, Obstacle::TimedOut),
            (handshake(client::Error::TimedOut { after, received: 0 }), Obstacle::TimedOut),
            (handshake(client::Error::Closed { end: End::Eof, received: 0 }), Obstacle::Ended),
            (handshake(client::Error::OldHttp), Obstacle::NotWebSocket),
            (socket(io::ErrorKind::NotFound), Obstacle::Refused),
            (socket(io::ErrorKind::PermissionDenied), Obstacle::Unreachable),
            (socket(io::ErrorKind::Unsupported), Obstacle::Request),
            (through(proxy::Error::WrongLogin), Obstacle::Proxy),
            (DialError::ProxyVariable { variable: "ALL_PROXY", source: ProxyError::Host }, Obstacle::Request),
            (DialError::System(io::Error::other("?")), Obstacle::Local),
        ] {
            let disconnect = error.disconnect();
            assert_eq!(disconnect.kind(), Kind::ConnectFailed(obstacle));
            assert_eq!(disconnect.retry(), error.retry());
            assert_eq!(disconnect.to_string(), error.to_string());
        }
    }

    #[test]
    fn errors_of_a_read_keep_their_meaning() {
        for (kind, end) in [
            (io::ErrorKind::ConnectionReset, End::Reset),
            (io::ErrorKind::TimedOut, End::TimedOut),
            (io::ErrorKind::UnexpectedEof, End::TlsTruncated),
            (io::ErrorKind::InvalidData, End::ReadFailed),
        ] {
            assert_eq!(read_end(&kind.into()), end);
        }
    }

    #[test]
    fn write_errors_are_the_ends_that_they_mean() {
        for (kind, end) in [
            (io::ErrorKind::ConnectionReset, End::WriteReset),
            (io::ErrorKind::TimedOut, End::WriteTimedOut),
            (io::ErrorKind::BrokenPipe, End::WriteFailed),
            (io::ErrorKind::WriteZero, End::WriteFailed),
        ] {
            assert_eq!(write_end(&kind.into()), end);
        }
    }
}
