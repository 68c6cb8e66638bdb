//! One JSON object per line on stdout, with its keys in the given order.

use super::still::Silence;
use crate::stdout;
use bowline_core::transfer::Failure;
use bowline_tokio::{Finished, LinkEvent, TransferProgress};
use serde_json::Value;
use std::time::Duration;

/// An object under construction.
#[derive(Debug)]
pub(crate) struct Line(String);

impl Line {
    /// `{"event":"..."`.
    pub(crate) fn new(event: &str) -> Self {
        Self(format!("{{\"event\":{}", Value::from(event)))
    }

    /// Adds a key and its value.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        for part in [",", &Value::from(key).to_string(), ":", &value.into().to_string()] {
            self.0.push_str(part);
        }
        self
    }

    /// Adds a time, to the millisecond.
    #[must_use]
    pub(crate) fn seconds(self, key: &str, seconds: f64) -> Self {
        self.with(key, rounded(seconds))
    }

    /// Adds a time in milliseconds, or null if there is none.
    #[must_use]
    pub(crate) fn millis(self, key: &str, time: Option<Duration>) -> Self {
        self.with(key, time.map(|time| time.as_secs_f64() * 1000.0))
    }

    /// The whole line.
    pub(crate) fn into_text(self) -> String {
        self.0 + "}\n"
    }

    /// Prints the object at once.
    pub(crate) fn print(self) {
        stdout::print(self.into_text().as_bytes());
    }
}

fn in_seconds(time: Option<Duration>) -> Option<f64> {
    time.map(|time| rounded(time.as_secs_f64()))
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// A file has been sent or fetched, and confirmed.
pub(crate) fn done(finished: &Finished) -> Line {
    Line::new("done")
        .with("name", finished.name.as_str())
        .with("bytes", finished.bytes)
        .seconds("seconds", finished.seconds)
        .with("blake3", finished.digest.to_string())
        .with("links", finished.links)
        .with("resent_bytes", finished.resent)
        .with("already_there", finished.deduplicated)
        .with("resumed_bytes", finished.resumed)
}

/// A file is on its way, though it may not be moving.
pub(super) fn progress(name: &str, progress: &TransferProgress, silence: Option<Silence>) -> Line {
    Line::new("progress")
        .with("name", name)
        .with("stage", super::words::stage(progress.stage))
        .with("bytes", progress.length)
        .with("received", progress.received)
        .with("durable", progress.durable)
        .with("resent_bytes", progress.resent)
        .with("links", progress.links)
        .with("rate", progress.rate)
        .with("seconds_left", in_seconds(progress.time_left))
        .with("seconds_still", in_seconds(silence.map(|silence| silence.lasts)))
        .with("seconds_borne", in_seconds(silence.and_then(|silence| silence.most)))
}

/// A file was not sent or fetched.
pub(crate) fn failed(name: &str, trouble: &crate::exit::Trouble) -> Line {
    Line::new("failed").with("name", name).with("error", trouble.to_string()).with("exit", trouble.exit as u8)
}

/// A file must wait, and is tried again after this time.
pub(super) fn retrying(name: &str, failure: &Failure, delay: Duration) -> Line {
    let line = Line::new("retrying").with("name", name).with("why", failure.to_string());
    line.seconds("seconds", delay.as_secs_f64())
}

/// Something happened to the connection.
pub(crate) fn link(event: &LinkEvent) -> Option<Line> {
    let line = |state: &str| Line::new("link").with("state", state);
    Some(match event {
        LinkEvent::Up { link } => line("up").with("link", *link),
        LinkEvent::Down { disconnect } => line("down").with("why", disconnect.to_string()),
        LinkEvent::DialFailed { disconnect, .. } => line("unreachable").with("why", disconnect.to_string()),
        LinkEvent::DialingBeside => line("second"),
        LinkEvent::DialBesideFailed { disconnect } => {
            line("second_unreachable").with("why", disconnect.to_string())
        }
        LinkEvent::Kept => line("kept"),
        LinkEvent::Waiting { delay, .. } => line("waiting").seconds("seconds", delay.as_secs_f64()),
        LinkEvent::Retrying { name, failure, delay } => {
            return Some(retrying(name.as_str(), failure, *delay));
        }
        LinkEvent::GaveUp { why, reached } => {
            line("gave_up").with("why", why.as_str()).with("reached", *reached)
        }
        _ => return None,
    })
}

/// This many lines were dropped while nobody read.
pub(crate) fn missed(count: u64) -> Line {
    Line::new("missed").with("count", count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::closing::{Disconnect, Obstacle};

    #[test]
    fn keys_keep_their_order_and_texts_are_quoted() {
        let line = Line::new("x").with("z", 1).with("a", "q\"\n文").seconds("s", 1.23456);
        assert_eq!(line.into_text(), "{\"event\":\"x\",\"z\":1,\"a\":\"q\\\"\\n文\",\"s\":1.235}\n");
    }

    #[test]
    fn missed_lines_are_reported_with_their_number() {
        assert_eq!(missed(7).into_text(), "{\"event\":\"missed\",\"count\":7}\n");
    }

    #[test]
    fn a_wait_is_reported_with_its_reason() {
        let failure = Failure::local(bowline_core::transfer::Code::Busy, "too many files are open");
        let line = retrying("a", &failure, Duration::from_secs(2));
        let expected =
            "{\"event\":\"retrying\",\"name\":\"a\",\"why\":\"too many files are open\",\"seconds\":2.0}\n";
        assert_eq!(line.into_text(), expected);
    }

    #[test]
    fn a_second_connection_beside_a_silent_one_is_reported() {
        let told = |event| link(&event).map(Line::into_text);
        let line = |keys: &str| Some(format!("{{\"event\":\"link\",\"state\":{keys}}}\n"));
        assert_eq!(told(LinkEvent::DialingBeside), line("\"second\""));
        let disconnect = Disconnect::connect_failed(Obstacle::Refused, "nothing listens".to_owned());
        let failed = LinkEvent::DialBesideFailed { disconnect };
        assert_eq!(told(failed), line("\"second_unreachable\",\"why\":\"nothing listens\""));
        assert_eq!(told(LinkEvent::Kept), line("\"kept\""));
    }

    #[test]
    fn a_standstill_is_reported_with_its_limit() {
        let still = |silence| progress("a", &TransferProgress::default(), silence).into_text();
        let silence = Silence { lasts: Duration::from_millis(12_345), most: Some(Duration::from_secs(60)) };
        assert!(still(Some(silence)).ends_with(",\"seconds_still\":12.345,\"seconds_borne\":60.0}\n"));
        let borne = Silence { most: None, ..silence };
        assert!(still(Some(borne)).ends_with(",\"seconds_still\":12.345,\"seconds_borne\":null}\n"));
        assert!(still(None).ends_with(",\"seconds_still\":null,\"seconds_borne\":null}\n"));
    }
}
