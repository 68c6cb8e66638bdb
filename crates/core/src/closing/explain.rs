//! The full story of an end, for people.

use super::disconnect::Disconnect;
use super::kind::Who;
use super::retry::{Change, Retry, Why};
use crate::words::{Span, Wrap};
use core::fmt::{self, Write as _};

/// Prints everything known about an end in lines of at most 80 columns: the sentence, the
/// [`Timeline`](crate::Timeline), who ended it, and whether to reconnect.
///
/// It contains no payloads, but, like the sentence, it does contain the reasons of Close frames.
#[derive(Clone, Copy, Debug)]
pub struct Explanation<'a>(pub(super) &'a Disconnect);

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(disconnect) = self;
        paragraph(f, format_args!("{disconnect}"))?;
        if let Some(timeline) = disconnect.timeline() {
            write!(f, "\n{timeline}")?;
        }
        f.write_str("\n")?;
        let (by, advice) = (By(disconnect.who(), disconnect.was_open()), Advice(disconnect.retry()));
        paragraph(f, format_args!("{by}; {advice}."))
    }
}

fn paragraph(f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>) -> fmt::Result {
    let mut wrap = Wrap::new(f, 0, 0);
    wrap.write_fmt(text)?;
    wrap.finish()?;
    f.write_str("\n")
}

/// Who ended it, and whether there ever was a connection.
struct By(Who, bool);

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.0, self.1) {
            (Who::Us, true) => "Ended by this side",
            (Who::Peer, true) => "Ended by the other side",
            (Who::Path, true) => "Ended on the path",
            (Who::PeerOrPath, true) => "Ended by the other side or on the path",
            (Who::Us, false) => "It failed on this side",
            (Who::Peer, false) => "It failed on the other side",
            (Who::Path, false) => "It failed on the path",
            (Who::PeerOrPath, false) => "It failed on the other side or on the path",
        })
    }
}

struct Advice(Retry);

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Retry::Now => f.write_str("connect again at once"),
            Retry::Backoff => f.write_str("connect again, with longer and longer pauses"),
            Retry::BackoffAfter(least) => write!(f, "connect again, but wait at least {}", Span(least)),
            Retry::After { min, max } => {
                write!(f, "connect again after a random time between {} and {}", Span(min), Span(max))
            }
            Retry::AfterChange(Change::SmallerMessages) => {
                f.write_str("connect again, with smaller messages")
            }
            Retry::AfterChange(Change::SlowerHeartbeat) => {
                f.write_str("connect again, with a slower heartbeat")
            }
            Retry::No(why) => match why {
                Why::Asked => f.write_str("it was asked for, so there is nothing to do"),
                Why::Finished => f.write_str("it was finished, so there is nothing to do"),
                Why::Replaced => {
                    f.write_str("another connection has taken its place, so there is nothing to do")
                }
                Why::Refused => f.write_str("do not connect again: this client is not wanted there"),
                Why::SameAgain => f.write_str("do not connect again: the same would happen"),
                Why::Invalid => {
                    f.write_str("do not connect again: what answers does not follow the protocol")
                }
                Why::Certificate => f.write_str("do not connect again: the certificate was not accepted"),
                Why::Status(status) => write!(f, "do not connect again: the answer would be {status}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closing::Obstacle;
    use alloc::string::{String, ToString};
    use core::time::Duration;

    fn last_line(retry: Retry) -> String {
        let failed = Disconnect::connect_failed(Obstacle::Local, "").with_retry(retry);
        failed.explain().to_string().split_once("\n\n").unwrap_or_default().1.replace('\n', " ")
    }

    #[test]
    fn each_piece_of_advice_is_a_sentence() {
        let (min, max) = (Duration::from_secs(5), Duration::from_secs(30));
        for (retry, words) in [
            (Retry::Now, "connect again at once"),
            (Retry::Backoff, "connect again, with longer and longer pauses"),
            (Retry::BackoffAfter(min), "connect again, but wait at least 5 s"),
            (Retry::After { min, max }, "connect again after a random time between 5 s and 30 s"),
            (Retry::AfterChange(Change::SmallerMessages), "connect again, with smaller messages"),
            (Retry::AfterChange(Change::SlowerHeartbeat), "connect again, with a slower heartbeat"),
            (Retry::No(Why::Asked), "it was asked for, so there is nothing to do"),
            (Retry::No(Why::Finished), "it was finished, so there is nothing to do"),
            (Retry::No(Why::Replaced), "another connection has taken its place, so there is nothing to do"),
            (Retry::No(Why::Refused), "do not connect again: this client is not wanted there"),
            (Retry::No(Why::SameAgain), "do not connect again: the same would happen"),
            (Retry::No(Why::Invalid), "do not connect again: what answers does not follow the protocol"),
            (Retry::No(Why::Certificate), "do not connect again: the certificate was not accepted"),
            (Retry::No(Why::Status(404)), "do not connect again: the answer would be 404"),
        ] {
            assert_eq!(last_line(retry), alloc::format!("It failed on this side; {words}. "));
        }
    }

    #[test]
    fn ends_and_failed_dials_both_name_who_caused_them() {
        let by = |who, was_open| By(who, was_open).to_string();
        assert_eq!(by(Who::Us, true), "Ended by this side");
        assert_eq!(by(Who::Peer, true), "Ended by the other side");
        assert_eq!(by(Who::Path, true), "Ended on the path");
        assert_eq!(by(Who::PeerOrPath, true), "Ended by the other side or on the path");
        assert_eq!(by(Who::Us, false), "It failed on this side");
        assert_eq!(by(Who::Peer, false), "It failed on the other side");
        assert_eq!(by(Who::Path, false), "It failed on the path");
        assert_eq!(by(Who::PeerOrPath, false), "It failed on the other side or on the path");
    }
}
