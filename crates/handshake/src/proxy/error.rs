//! Why a proxy did not let us through, in words.

use std::time::Duration;

use bowline_core::closing::{Span, Why, retry_status};
use bowline_core::{End, Retry};
use bytes::Bytes;
use http::StatusCode;
use thiserror::Error;

use crate::excerpt::{raw, speaker};

/// Why a proxy refused the tunnel. Each text continues a sentence about "the proxy".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// It answered CONNECT with this status.
    #[error("answered {status}{}{}", wait(*retry_after), hint(*status, *had_credentials))]
    Refused {
        /// The status of its answer.
        status: StatusCode,
        /// How long it asks to wait (`Retry-After`, in seconds or as a date beside a `Date`).
        retry_after: Option<Duration>,
        /// Whether it was given a user and a password.
        had_credentials: bool,
    },
    /// It does not speak HTTP/1.
    #[error("does not speak HTTP: it said \"{}\"{}", raw(start), speaker(start))]
    NotHttp {
        /// The first bytes, up to the end of a line.
        start: Bytes,
    },
    /// Its answer cannot be parsed.
    #[error("sent a broken answer: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// The head of its answer exceeds the limit.
    #[error("sent a head of more than {limit} bytes")]
    TooLarge {
        /// [`Config::head_bytes`](crate::Config::head_bytes).
        limit: usize,
    },
    /// Its answer has more headers than the limit.
    #[error("sent more than {limit} headers")]
    TooManyHeaders {
        /// [`Config::headers`](crate::Config::headers).
        limit: usize,
    },
    /// It sent more than its answer before anything was sent to the server.
    #[error("sent {bytes} bytes that nobody had asked for")]
    Surplus {
        /// How many.
        bytes: usize,
    },
    /// It does not speak SOCKS 5.
    #[error("does not speak SOCKS 5: its answer begins with the byte {first}{}", if *first == b'H' { ", as HTTP does" } else { "" })]
    NotSocks {
        /// Its first byte.
        first: u8,
    },
    /// It requires another authentication method than those offered.
    #[error("{}", if *had_credentials { "wants a way of logging in that is not supported here" } else { WANTS_LOGIN })]
    NoLogin {
        /// Whether a user and a password were offered.
        had_credentials: bool,
    },
    /// It rejected the user and the password.
    #[error("does not accept the user and the password")]
    WrongLogin,
    /// It says, by a SOCKS code, that it cannot reach the server.
    #[error("says: {}", reply(*code))]
    Unreachable {
        /// RFC 1928 §6.
        code: u8,
    },
    /// The server's name is longer than SOCKS allows.
    #[error("cannot be asked for a name of {length} bytes; SOCKS allows 255")]
    LongName {
        /// How long it is.
        length: usize,
    },
    /// The connection ended before the answer was complete.
    #[error("ended the connection before it had answered, after {received} bytes")]
    Closed {
        /// How it ended.
        end: End,
        /// How many bytes of an answer had arrived.
        received: usize,
    },
    /// The answer did not arrive in time.
    #[error("did not answer within {}; {received} bytes came", Span(*after))]
    TimedOut {
        /// [`Config::timeout`](crate::Config::timeout).
        after: Duration,
        /// How many bytes of an answer had arrived.
        received: usize,
    },
}

const WANTS_LOGIN: &str = "wants a user and a password; write them before its host, as USER:PASSWORD@";

impl Error {
    /// Whether to try again. A proxy that cannot reach the server now may reach it later; one that refuses us, or
    /// speaks something else, will not change its mind.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Refused { status, retry_after, .. } => {
                retry_status(status.as_u16()).not_before(*retry_after)
            }
            Self::Closed { end: End::LocalAbort, .. } => Retry::No(Why::Asked),
            // RFC 1928 §6: not allowed, or command or address type not supported.
            Self::Unreachable { code: 2 | 7 | 8 } | Self::NoLogin { .. } | Self::WrongLogin => {
                Retry::No(Why::Refused)
            }
            Self::Unreachable { .. } | Self::Closed { .. } | Self::TimedOut { .. } => Retry::Backoff,
            Self::NotHttp { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::TooManyHeaders { .. }
            | Self::Surplus { .. }
            | Self::NotSocks { .. }
            | Self::LongName { .. } => Retry::No(Why::Invalid),
        }
    }
}

fn wait(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!(" and asks us to wait {}", Span(wait)))
}

fn hint(status: StatusCode, had_credentials: bool) -> String {
    match status.as_u16() {
        407 if had_credentials => ": it does not accept the user and the password".into(),
        407 => format!(": it {WANTS_LOGIN}"),
        403 => ": it does not allow connections to this server".into(),
        502..=504 => ": it cannot reach the server".into(),
        _ => String::new(),
    }
}

/// RFC 1928 §6.
fn reply(code: u8) -> String {
    match code {
        1 => "something went wrong at the proxy".into(),
        2 => "connections to this server are not allowed".into(),
        3 => "no route leads to the server's network".into(),
        4 => "no route leads to the server, or its name is not known".into(),
        5 => "nothing is listening there (connection refused)".into(),
        6 => "the server is too far away (TTL expired)".into(),
        7 => "this proxy does not make connections".into(),
        8 => "this proxy does not know this kind of address".into(),
        code => format!("no, for the unknown reason {code}"),
    }
}
