//! What keeps a connection from coming about, in one sentence each.

use std::fmt;
use std::io;
use std::time::Duration;

use bowline_core::closing::Why;
use bowline_core::{End, Retry};
use bowline_handshake::{client, server};
use thiserror::Error;

/// Why a client has no WebSocket.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DialError {
    /// The URL or another part of the request is not valid.
    #[error(transparent)]
    Request(#[from] client::RequestError),
    /// The URL is `wss://`, and this function does not do TLS. [`dial::handshake`](crate::dial::handshake) takes any
    /// stream, so also one of TLS.
    #[error("{place} asks for TLS (wss://), which is not built in")]
    Tls {
        /// Host and port.
        place: String,
    },
    /// There is no address to connect to.
    #[error("{place} has no known address: {}", lookup(source))]
    Resolve {
        /// Host and port.
        place: String,
        /// What the system says.
        source: io::Error,
    },
    /// No connection came about: nobody listens, or the way is closed.
    #[error("{}", connect(place, *addresses, source))]
    Connect {
        /// Host and port.
        place: String,
        /// How many addresses were tried.
        addresses: usize,
        /// What the system says of the first of them.
        source: io::Error,
    },
    /// It took too long to get as far as the handshake.
    #[error("{place} {stage} within {after:?}")]
    TimedOut {
        /// Host and port.
        place: String,
        /// What it was that took so long.
        stage: Stage,
        /// [`dial::Config::connect_timeout`](crate::dial::Config::connect_timeout).
        after: Duration,
    },
    /// The connection came about, and no WebSocket on it.
    #[error("{place}: {source}")]
    Handshake {
        /// Host and port.
        place: String,
        /// What went wrong.
        source: client::Error,
    },
    /// The system gave no random bytes, without which no request is safe.
    #[error("no random bytes from the system: {0}")]
    Random(io::Error),
}

/// How far a connection had come when its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Its name was being looked up.
    Resolve,
    /// No address had answered.
    Connect,
}

impl DialError {
    /// Whether to dial again, and when: what a server that could not be reached has in common with one that is lost.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Request(_) | Self::Tls { .. } => Retry::No(Why::SameAgain),
            Self::Handshake { source, .. } => source.retry(),
            Self::Resolve { .. } | Self::Connect { .. } | Self::TimedOut { .. } | Self::Random(_) => {
                Retry::Backoff
            }
        }
    }
}

/// Why a server has no WebSocket. The client has been told, where it could be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// What came was no request for a WebSocket, was rejected, or went away.
    #[error(transparent)]
    Handshake(#[from] server::Error),
    /// The decision of the application cannot be sent; the client was answered with 500.
    #[error(transparent)]
    Answer(#[from] server::AnswerError),
    /// The system gave no random bytes, without which no connection is safe.
    #[error("no random bytes from the system: {0}")]
    Random(io::Error),
}

/// The end that this error of a read stands for.
pub(crate) fn read_end(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            End::Reset
        }
        io::ErrorKind::TimedOut => End::TimedOut,
        // What implementations of TLS say when the stream ends without their own farewell.
        io::ErrorKind::UnexpectedEof => End::TlsTruncated,
        _ => End::ReadFailed,
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "was not found in the name service",
            Self::Connect => "did not answer",
        })
    }
}

fn lookup(error: &io::Error) -> String {
    let text = error.to_string();
    // The system's own words come behind a preamble of the standard library.
    text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned()
}

fn connect(place: &str, addresses: usize, error: &io::Error) -> String {
    let tried =
        if addresses > 1 { format!(", nor at {} more addresses", addresses - 1) } else { String::new() };
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("nobody listens at {place}{tried} (connection refused)"),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            format!("no way leads to {place}{tried}: {error}")
        }
        _ => format!("{place} cannot be reached{tried}: {error}"),
    }
}
