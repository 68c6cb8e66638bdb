//! HTTP CONNECT: a request of several lines, answered by a head.

use data_encoding::BASE64;

use super::{Error, Proxy, Step};
use crate::Config;
use crate::client::Answer;
use crate::client::Error as AnswerError;
use crate::excerpt::{SHORTEST_SECRET, redact};
use crate::head::{Expect, HeadReader, Scan};
use crate::retry_after::retry_after;

/// Waits for the answer to a CONNECT.
pub(super) struct Connect {
    reader: HeadReader,
    head_bytes: usize,
    headers: usize,
    secrets: Vec<Vec<u8>>,
    had_credentials: bool,
}

impl Connect {
    /// Also returns what to send first.
    pub(super) fn new(proxy: &Proxy, host: &str, port: u16, config: &Config) -> (Self, Vec<u8>) {
        let place = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
        let mut secrets = Vec::new();
        if let Some(userinfo) = proxy.userinfo() {
            let encoded = BASE64.encode(userinfo);
            request.extend(["Proxy-Authorization: Basic ", &encoded, "\r\n"]);
            let password = userinfo.splitn(2, |byte| *byte == b':').nth(1).unwrap_or_default();
            secrets.extend([encoded.into_bytes(), userinfo.to_vec(), password.to_vec()]);
            secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
        }
        request.push_str("\r\n");
        let connect = Self {
            reader: HeadReader::new(Expect::Response, config),
            head_bytes: config.head_bytes,
            headers: config.headers,
            secrets,
            had_credentials: proxy.userinfo().is_some(),
        };
        (connect, request.into_bytes())
    }

    pub(super) fn handle_input(&mut self, bytes: &[u8]) -> Step {
        self.reader.push(bytes);
        loop {
            return match self.reader.scan() {
                Scan::Partial => Step::Wait,
                Scan::Complete(head) => match Answer::parse(&head) {
                    // RFC 9110 §15.2: other answers precede the final one.
                    Ok(answer) if answer.status.is_informational() => continue,
                    Ok(answer) => self.conclude(&answer),
                    Err(AnswerError::TooManyHeaders { limit }) => {
                        Step::Failed(Error::TooManyHeaders { limit })
                    }
                    Err(error) => Step::Failed(Error::Malformed { reason: error.to_string() }),
                },
                Scan::Foreign(start) => Step::Failed(self.not_http(&start)),
                Scan::TooLarge => Step::Failed(Error::TooLarge { limit: self.head_bytes }),
                Scan::TooManyHeaders => Step::Failed(Error::TooManyHeaders { limit: self.headers }),
            };
        }
    }

    /// The error for a proxy that does not speak HTTP.
    pub(super) fn foreign(&self) -> Option<Error> {
        self.reader.is_foreign().then(|| self.not_http(self.reader.greeting()))
    }

    fn conclude(&mut self, answer: &Answer) -> Step {
        let Answer { status, ref headers, .. } = *answer;
        if !status.is_success() {
            let (retry_after, had_credentials) = (retry_after(headers), self.had_credentials);
            return Step::Failed(Error::Refused { status, retry_after, had_credentials });
        }
        // RFC 9110 §9.3.6: the server's bytes follow the head of a 2xx, but nothing was sent to the server yet.
        match self.reader.take_rest().len() {
            0 => Step::Open,
            bytes => Step::Failed(Error::Surplus { bytes }),
        }
    }

    fn not_http(&self, greeting: &[u8]) -> Error {
        let mut start = greeting.to_vec();
        redact(&mut start, &self.secrets);
        Error::NotHttp { start: start.into() }
    }
}
