//! What a command waits for, in words.

use super::{Report, Voice, json};
use crate::plain::plain;
use crate::units::Span;
use bowline_core::transfer::{Code, Failure};
use std::time::{Duration, Instant};

/// So long a file is put off for a reason that people can do something about; a crowd of files is slowed down by less.
const WORTH_A_LINE: Duration = Duration::from_secs(5);
/// Where nothing has moved for so long, whoever looks wants to know why.
const STANDSTILL: Duration = Duration::from_secs(2);

impl Report {
    /// Says why and how long there is no link. The bar counts the time down, so above it a reason is told once.
    pub(super) fn wait(&mut self, delay: Duration) {
        let why = self.unreachable.take();
        let is_news = why != self.told;
        if let Voice::Bar(_) = self.voice {
            if let Some(why) = why.as_ref().filter(|_| is_news) {
                self.say(&format!("not reachable: {why}"));
            }
        } else {
            let why = why.as_ref().map(|why| format!("not reachable: {why}; ")).unwrap_or_default();
            self.say(&format!("{why}connecting again in {}", Span(delay)));
        }
        self.told = why;
    }

    /// Says why a file is put off. Of a tree, people hear it once: for all the others it is the same disk.
    pub(crate) fn put_off(&mut self, name: &str, failure: &Failure, delay: Duration) {
        if matches!(self.voice, Voice::Json) {
            json::retrying(&plain(name), failure, delay).print();
        } else if self.is_worth_telling(failure.code, delay, Instant::now()) {
            self.say(&format!("not yet: {name}: {failure}; trying again in {}", Span(delay)));
        }
    }

    fn is_worth_telling(&mut self, code: Code, delay: Duration, now: Instant) -> bool {
        let is_long = delay >= WORTH_A_LINE || now.saturating_duration_since(self.moved) >= STANDSTILL;
        is_long && self.delayed.replace(code) != Some(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Output, Record};
    use crate::report::SEND;
    use crate::story::Story;

    fn report() -> Report {
        let story = Story::new(&Record::default(), "send", String::new(), "ws://h/").expect("no page");
        Report::new(SEND, Output { quiet: true, ..Output::default() }, story, Vec::new(), 1)
    }

    #[test]
    fn short_waits_are_told_where_nothing_moves() {
        let (second, start) = (Duration::from_secs(1), Instant::now());
        let mut report = report();
        report.moved = start;
        assert!(!report.is_worth_telling(Code::Busy, second, start + second), "others move");
        assert!(report.is_worth_telling(Code::Busy, second, start + 3 * second));
        assert!(!report.is_worth_telling(Code::Busy, second, start + 4 * second), "it was told");
        assert!(report.is_worth_telling(Code::NoSpace, second, start + 5 * second));
    }

    #[test]
    fn a_long_wait_is_told_at_once_and_once() {
        let mut report = report();
        let now = report.moved;
        assert!(report.is_worth_telling(Code::NoSpace, WORTH_A_LINE, now));
        assert!(!report.is_worth_telling(Code::NoSpace, WORTH_A_LINE, now));
    }
}
