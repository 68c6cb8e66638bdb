//! Settings of a client.

use std::fmt;
use std::path::PathBuf;

use bowline_core::transfer::{self, SUBPROTOCOL};
use bowline_core::{adapt, connection, messages, reconnect};
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
    /// What is known about paths, and where to store what is learned. Default: nothing is known, and what is learned is
    /// forgotten with the client.
    pub paths: Paths,
    /// The key of this path. Include the network if you know it, because another network has other limits. Default:
    /// host and port of the server.
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
            // The header is already used if the URL has a user and a password.
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

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_handshake::HeaderError;
    use http::HeaderValue;
    use http::header::{AUTHORIZATION, COOKIE, HOST};

    #[test]
    fn headers_are_sent_in_the_request_and_not_shown() {
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
    fn headers_that_are_set_elsewhere_are_refused() {
        let mut config = ClientConfig { token: Some("geheim".into()), ..ClientConfig::default() };
        config.headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic x"));
        assert_eq!(config.request("ws://h/"), Err(RequestError::Credentials));
        config.headers.clear();
        config.headers.insert(HOST, HeaderValue::from_static("other"));
        assert_eq!(config.request("ws://h/"), Err(RequestError::Header(HeaderError::Owned { name: HOST })));
    }
}
