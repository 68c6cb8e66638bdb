//! Dials that led to no connection, and links that are not ours, in the same form as the end of a connection.

use super::clause::Clause;
use super::code::retry_status;
use super::disconnect::{Disconnect, Record, Verdict};
use super::evidence::Cut;
use super::exchange::Exchange;
use super::kind::{Kind, Obstacle, Who};
use super::retry::{Retry, Why};
use alloc::format;
use alloc::string::String;
use core::time::Duration;

impl Disconnect {
    /// A server answered the upgrade with this HTTP status, and may have asked for a delay before the next attempt
    /// (`Retry-After`). `words` become the sentence; if they are empty, a sentence with the status replaces them.
    ///
    /// ```
    /// use bowline_core::{Disconnect, Retry, closing::Kind};
    /// use core::time::Duration;
    ///
    /// let busy = Disconnect::handshake_rejected(503, Some(Duration::from_secs(7)), "");
    /// assert_eq!(busy.kind(), Kind::HandshakeRejected(503));
    /// assert_eq!(busy.retry(), Retry::BackoffAfter(Duration::from_secs(7)));
    /// assert_eq!(busy.to_string(), "the server answered 503 instead of a WebSocket upgrade");
    /// ```
    pub fn handshake_rejected(status: u16, retry_after: Option<Duration>, words: impl Into<String>) -> Self {
        let who = match status {
            // A gateway answered because it got no valid response, or none in time.
            502 | 504 | 520..=527 | 530 => Who::PeerOrPath,
            _ => Who::Peer,
        };
        let retry = retry_status(status).not_before(retry_after);
        Self::unopened(who, Kind::HandshakeRejected(status), retry, words.into(), || {
            format!("the server answered {status} instead of a WebSocket upgrade")
        })
    }

    /// Something else prevented the connection. `words` become the sentence; if they are empty, a sentence about the
    /// obstacle replaces them.
    ///
    /// ```
    /// use bowline_core::closing::{Kind, Obstacle, Who};
    /// use bowline_core::{Disconnect, Retry};
    ///
    /// let words = "nothing is listening at example.org:80 (connection refused)";
    /// let failed = Disconnect::connect_failed(Obstacle::Refused, words);
    /// assert_eq!(failed.to_string(), words);
    /// assert_eq!((failed.who(), failed.retry()), (Who::PeerOrPath, Retry::Backoff));
    /// ```
    pub fn connect_failed(obstacle: Obstacle, words: impl Into<String>) -> Self {
        let (who, retry, known) = match obstacle {
            Obstacle::Request => (Who::Us, Retry::No(Why::SameAgain), "the request is not valid"),
            Obstacle::Unresolved => {
                (Who::PeerOrPath, Retry::Backoff, "the server's name has no known address")
            }
            Obstacle::Refused => (Who::PeerOrPath, Retry::Backoff, "nothing is listening there"),
            Obstacle::Unreachable => (Who::Path, Retry::Backoff, "no route leads there"),
            Obstacle::TimedOut => (Who::PeerOrPath, Retry::Backoff, "nobody answered in time"),
            Obstacle::Ended => {
                (Who::PeerOrPath, Retry::Backoff, "the transport ended before the handshake did")
            }
            Obstacle::Tls => (Who::PeerOrPath, Retry::No(Why::Invalid), "the server did not prove who it is"),
            Obstacle::Proxy => (Who::Path, Retry::Backoff, "a proxy on the way did not let us through"),
            Obstacle::NotWebSocket => {
                (Who::PeerOrPath, Retry::No(Why::Invalid), "what answers is not a WebSocket server")
            }
            Obstacle::Local => (Who::Us, Retry::Backoff, "this side could not start"),
        };
        Self::unopened(who, Kind::ConnectFailed(obstacle), retry, words.into(), || known.into())
    }

    /// A link has ended that is not a [`Connection`](crate::Connection): a channel, a message bus, a foreign WebSocket.
    /// `words` become the sentence; if they are empty, a sentence replaces them that says no more than that the link
    /// ended. The advice is to try again.
    ///
    /// ```
    /// use bowline_core::closing::{Kind, Who};
    /// use bowline_core::{Disconnect, Retry};
    ///
    /// let lost = Disconnect::link_lost("the bus has restarted");
    /// assert_eq!(lost.to_string(), "the bus has restarted");
    /// assert_eq!((lost.kind(), lost.who(), lost.retry()), (Kind::Eof, Who::PeerOrPath, Retry::Backoff));
    /// ```
    pub fn link_lost(words: impl Into<String>) -> Self {
        Self::unopened(Who::PeerOrPath, Kind::Eof, Retry::Backoff, words.into(), || {
            "the link has ended".into()
        })
    }

    /// Replaces the advice that the kind suggests, for a caller that knows better.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.set_retry(retry);
        self
    }

    fn unopened(who: Who, kind: Kind, retry: Retry, words: String, known: impl FnOnce() -> String) -> Self {
        let words = if words.is_empty() { known() } else { words };
        let verdict = Verdict { who, kind, retry, clause: Clause::Unopened(words) };
        Self::new(Record {
            exchange: Exchange::Neither,
            flaw: None,
            ignored: 0,
            end: None,
            cut: Cut::Boundary,
            incomplete_message: 0,
            lost: 0,
            messages: 0,
            longest_message: 0,
            age: Duration::ZERO,
            idle: Duration::ZERO,
            longest_silence: Duration::ZERO,
            is_owed: false,
            unanswered_silence: None,
            verdict,
            heartbeat: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closing::History;
    use alloc::string::ToString;

    #[test]
    fn temporary_rejections_are_retried_after_the_time_given() {
        let retry = |status| Disconnect::handshake_rejected(status, Some(Duration::from_secs(9)), "").retry();
        assert_eq!([503, 529].map(retry), [Retry::BackoffAfter(Duration::from_secs(9)); 2]);
        assert_eq!(retry(404), Retry::No(Why::Status(404)), "waiting does not help");
    }

    #[test]
    fn only_gateway_statuses_leave_the_culprit_open() {
        let who = |status| Disconnect::handshake_rejected(status, None, "").who();
        assert_eq!([401, 429, 500, 503, 529].map(who), [Who::Peer; 5]);
        assert_eq!([502, 504, 520, 527, 530].map(who), [Who::PeerOrPath; 5]);
    }

    #[test]
    fn each_obstacle_has_a_sentence_and_advice() {
        let told = |obstacle| {
            let failed = Disconnect::connect_failed(obstacle, "");
            assert_eq!((failed.kind(), failed.was_open()), (Kind::ConnectFailed(obstacle), false));
            format!("{failed} [{}, {}]", failed.who(), failed.retry())
        };
        let expected = [
            (Obstacle::Request, "the request is not valid [us, no (the same again)]"),
            (Obstacle::Unresolved, "the server's name has no known address [peer or path, backoff]"),
            (Obstacle::Refused, "nothing is listening there [peer or path, backoff]"),
            (Obstacle::Unreachable, "no route leads there [path, backoff]"),
            (Obstacle::TimedOut, "nobody answered in time [peer or path, backoff]"),
            (Obstacle::Ended, "the transport ended before the handshake did [peer or path, backoff]"),
            (Obstacle::Tls, "the server did not prove who it is [peer or path, no (invalid)]"),
            (Obstacle::Proxy, "a proxy on the way did not let us through [path, backoff]"),
            (Obstacle::NotWebSocket, "what answers is not a WebSocket server [peer or path, no (invalid)]"),
            (Obstacle::Local, "this side could not start [us, backoff]"),
        ];
        for (obstacle, words) in expected {
            assert_eq!(told(obstacle), words);
        }
    }

    #[test]
    fn words_from_the_network_stay_on_one_line() {
        let failed = Disconnect::handshake_rejected(500, None, "no\nway \x1b[2J");
        assert_eq!(failed.to_string(), "no\\nway \\u{1b}[2J");
        let failed = Disconnect::connect_failed(Obstacle::Local, "gnp\u{202e}.exe");
        assert_eq!(failed.to_string(), "gnp\\u{202e}.exe");
    }

    #[test]
    fn a_failed_dial_does_not_count_as_a_quick_drop() {
        let mut history = History::default();
        history.record(&Disconnect::connect_failed(Obstacle::Refused, ""));
        assert_eq!(history, History::default());
    }

    #[test]
    fn a_failed_dial_is_explained_without_a_timeline() {
        let failed = Disconnect::handshake_rejected(503, Some(Duration::from_secs(7)), "");
        assert_eq!(
            failed.explain().to_string(),
            "the server answered 503 instead of a WebSocket upgrade\n\n\
             It failed on the other side; connect again, but wait at least 7 s.\n"
        );
    }
}
