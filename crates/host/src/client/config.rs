//! Settings of a client, and what it reports of its link.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bowline_core::transfer::{self, Failure, SUBPROTOCOL, SafeName};
use bowline_core::{Disconnect, Instant, adapt, connection, messages, reconnect};
use bowline_handshake::client::{Request, RequestError};
use http::HeaderMap;

use super::Paths;
use crate::dial;

/// Settings of a client.
#[derive(Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Heartbeat, limits and buffers of each connection. Its limits on frames and messages count only where they are
    /// below what the protocol needs for a chunk of `transfer`, or for a message of `messages`. The interval of the
    /// heartbeat is where learning starts.
    pub connection: connection::Config,
    /// How the interval of the heartbeat follows from what is learned of the path. Default: [`adapt::Mode::Learn`]; it
    /// shrinks as far as the path requires.
    pub learning: adapt::Mode,
    /// What is known of paths, and where to put what is learned. Default: nothing, and what is learned is forgotten
    /// with the client.
    pub paths: Paths,
    /// Which path this is. Name the network too if you know it: another one has other limits. Default: host and port of
    /// the server.
    pub path: Option<String>,
    /// Limits of the transfers. Default: those of [`transfer::Config`], but without a
    /// [minimum rate](transfer::Config::min_rate): a client that fetches is served as slowly as the server shares its
    /// line, and waits as long as something comes.
    pub transfer: transfer::Config,
    /// Whether messages are supported, and their limits. Default: they are not.
    pub messages: Option<messages::Config>,
    /// When to reconnect, and when to give up.
    pub reconnect: reconnect::Config,
    /// How long one dial may take.
    pub dial: dial::Config,
    /// The token that proves to the server who this client is; sent as `Authorization: Bearer`, never shown.
    pub token: Option<String>,
    /// A file with a token, which is read at each dial: if a link ends because its token is no longer valid, the next
    /// one uses the token that the file has then. If the file cannot be read, `token` is used. Default: none.
    pub token_file: Option<PathBuf>,
    /// Further headers of the request, such as `Cookie` or what a gateway requires. Their values are never shown.
    pub headers: HeaderMap,
}

impl Default for ClientConfig {
    fn default() -> Self {
        let mut transfer = transfer::Config::default();
        transfer.min_rate = None;
        Self {
            connection: connection::Config::default(),
            learning: adapt::Mode::default(),
            paths: Paths::default(),
            path: None,
            transfer,
            messages: None,
            reconnect: reconnect::Config::default(),
            dial: dial::Config::default(),
            token: None,
            token_file: None,
            headers: HeaderMap::new(),
        }
    }
}

impl ClientConfig {
    /// The request to the server at this `ws://` URL.
    ///
    /// # Errors
    /// The URL, the token or a header is not valid.
    pub fn request(&self, url: &str) -> Result<Request, RequestError> {
        let mut request = Request::new(url)?.with_subprotocol(SUBPROTOCOL)?;
        if let Some(token) = &self.token {
            // Beside a user and a password in the URL there is no room for it.
            request = request.with_header("authorization", format!("Bearer {token}"))?;
        }
        for (name, value) in &self.headers {
            let mut value = value.clone();
            value.set_sensitive(true);
            request = request.with_header(name, value)?;
        }
        Ok(request)
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            connection,
            learning,
            paths,
            path,
            transfer,
            messages,
            reconnect,
            dial,
            token,
            token_file,
            headers,
        } = self;
        f.debug_struct("ClientConfig")
            .field("connection", connection)
            .field("learning", learning)
            .field("paths", paths)
            .field("path", path)
            .field("transfer", transfer)
            .field("messages", messages)
            .field("reconnect", reconnect)
            .field("dial", dial)
            .field("token", &token.as_ref().map(|_| ".."))
            .field("token_file", token_file)
            .field("headers", &headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>())
            .finish()
    }
}

/// What a client's link is doing. `I` is an instant of whatever clock its reader has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LinkState<I = Instant> {
    /// It is being dialled.
    Dialing {
        /// Which attempt of this outage it is, from 1.
        attempt: u32,
    },
    /// It is up.
    Up,
    /// It is down, and will be dialled at a later time.
    Waiting {
        /// Which attempt of this outage that will be, from 1.
        attempt: u32,
        /// When.
        until: I,
        /// Why it is down, in one sentence.
        why: String,
    },
    /// It is down for good: it will not be dialled again, or the client was closed.
    Ended {
        /// Why, in one sentence.
        why: String,
    },
}

impl<I> LinkState<I> {
    /// The same, with the time as another clock shows it.
    pub fn map<J>(self, time: impl FnOnce(I) -> J) -> LinkState<J> {
        match self {
            Self::Dialing { attempt } => LinkState::Dialing { attempt },
            Self::Up => LinkState::Up,
            Self::Waiting { attempt, until, why } => LinkState::Waiting { attempt, until: time(until), why },
            Self::Ended { why } => LinkState::Ended { why },
        }
    }
}

/// An event in the life of a client's link.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LinkEvent {
    /// It is up.
    Up {
        /// Which link of this client it is, from 1.
        link: u32,
    },
    /// It is down; the disconnect says why in one sentence.
    Down {
        /// Everything known about the end.
        disconnect: Disconnect,
    },
    /// It is being dialled.
    Dialing {
        /// Which attempt of this outage it is, from 1.
        attempt: u32,
    },
    /// A dial has failed; the disconnect says why in one sentence, in the same form as for the end of a link.
    DialFailed {
        /// Which attempt of this outage it was, from 1.
        attempt: u32,
        /// Whose fault, what kind, and what to do.
        disconnect: Disconnect,
    },
    /// The next dial comes after this time.
    Waiting {
        /// Which attempt of this outage that will be, from 1.
        attempt: u32,
        /// From now on.
        delay: Duration,
    },
    /// There will be no other dial.
    GaveUp {
        /// Why, in one sentence.
        why: String,
        /// Whether there has ever been a link.
        reached: bool,
    },
    /// It carries no transfer of this name for the moment; that is tried again after this time.
    Retrying {
        /// The file.
        name: SafeName,
        /// Why.
        failure: Failure,
        /// From now on.
        delay: Duration,
    },
    /// Something else that the connection has noticed.
    Notice(connection::Event),
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_handshake::HeaderError;
    use http::HeaderValue;
    use http::header::{AUTHORIZATION, COOKIE, HOST};

    #[test]
    fn headers_are_asked_with_and_not_shown() {
        let mut config = ClientConfig { token: Some("geheim".into()), ..ClientConfig::default() };
        config.headers.append("x-team", HeaderValue::from_static("blue"));
        config.headers.append("x-team", HeaderValue::from_static("green"));
        config.headers.append(COOKIE, HeaderValue::from_static("a=secret"));
        let request = config.request("ws://h/").expect("valid");
        let all: Vec<_> = request.headers().get_all("x-team").iter().collect();
        assert_eq!(all, ["blue", "green"]);
        assert!(request.headers().values().all(HeaderValue::is_sensitive));
        for shown in [format!("{config:?}"), format!("{request:?}")] {
            assert!(shown.contains("x-team") && !shown.contains("blue"), "{shown}");
            assert!(!shown.contains("secret") && !shown.contains("geheim"), "{shown}");
        }
    }

    #[test]
    fn headers_that_others_write_are_refused() {
        let mut config = ClientConfig { token: Some("geheim".into()), ..ClientConfig::default() };
        config.headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic x"));
        assert_eq!(config.request("ws://h/"), Err(RequestError::Credentials));
        config.headers.clear();
        config.headers.insert(HOST, HeaderValue::from_static("other"));
        assert_eq!(config.request("ws://h/"), Err(RequestError::Header(HeaderError::Owned { name: HOST })));
    }
}
