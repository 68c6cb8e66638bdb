//! What a command waits for, in words.

use super::still::{Lasting, Patience};
use super::words::why;
use super::{Report, SEND, Voice, json};
use crate::exit::Trouble;
use crate::plain::plain;
use crate::units::Span;
use bowline_core::transfer::{Code, Failure};
use std::time::{Duration, Instant};

/// A file that is put off for this long has a reason that people can do something about; slowing down a crowd of files
/// takes less.
const WORTH_A_LINE: Duration = Duration::from_secs(5);
/// If nothing has moved for this long, people want to know why.
const STANDSTILL: Duration = Duration::from_secs(2);

/// Movement that is seen this soon after a file was put off happened before that: progress is reported a few times a
/// second.
const LATE: Duration = Duration::from_secs(1);

/// That a file was put off, and nothing has moved since.
#[derive(Debug, Default)]
pub(super) struct Stuck {
    /// How long that may last.
    patience: Option<Duration>,
    first: Option<PutOff>,
    /// Until when something waits that has no row, such as a folder to be created here.
    unseen: Option<Instant>,
    /// When it was last checked.
    looked: Option<Instant>,
}

/// The first of the waiting files that was put off.
#[derive(Debug)]
struct PutOff {
    at: Instant,
    /// When something last moved since then, or when it was put off; later by any time that does not count.
    moved: Instant,
    /// Which file, and why.
    why: String,
}

impl Stuck {
    /// Called often. Time does not count while files are paused, or while there is no link and so nobody asks whether
    /// there is room. What has no row is tried again even without a link.
    pub(super) fn look(&mut self, now: Instant, is_up: bool, is_paused: bool) {
        let before = self.looked.replace(now).unwrap_or(now);
        let passes = !is_paused && (is_up || self.waits_unseen(now));
        if let Some(first) = self.first.as_mut().filter(|_| !passes) {
            first.moved += now.saturating_duration_since(before.max(first.moved));
        }
    }

    /// Files have got further than ever, or are done. `some_wait` means that others are still put off, and may not
    /// learn for half a minute whether there is room. For them the time starts again.
    pub(super) fn handle_further(&mut self, now: Instant, some_wait: bool) {
        let some_wait = some_wait || self.waits_unseen(now);
        match &mut self.first {
            Some(first) if now.saturating_duration_since(first.at) <= LATE => {}
            Some(first) if some_wait => first.moved = now,
            _ => self.first = None,
        }
    }

    fn waits_unseen(&self, now: Instant) -> bool {
        self.unseen.is_some_and(|until| now < until)
    }

    fn handle_put_off(&mut self, now: Instant, name: &str, failure: &Failure) {
        self.first.get_or_insert_with(|| PutOff {
            at: now,
            moved: now,
            why: format!("{name}: {}", why(failure)),
        });
    }

    /// The first reason, once this has lasted too long, and how long that is.
    fn last_word(&self, now: Instant) -> Option<(&str, Duration)> {
        let first = self.first.as_ref()?;
        let patience = self.patience?;
        (now.saturating_duration_since(first.moved) >= patience).then_some((&*first.why, patience))
    }

    /// How long this has lasted, if that is worth reporting.
    pub(super) fn wait(&self, now: Instant) -> Option<Lasting> {
        let since = self.first.as_ref()?.moved;
        Lasting::seen("waiting", now.saturating_duration_since(since), self.patience)
    }

    /// What follows after such a wait. Without a limit, nothing is given up.
    fn outlook(&self, delay: Duration) -> String {
        match self.patience.filter(|patience| *patience < delay && self.first.is_some()) {
            Some(patience) => format!("giving up in {}", Span(patience)),
            None => format!("trying again in {}", Span(delay)),
        }
    }
}

impl Report {
    /// The same, but it gives up when files are put off and nothing moves for this long.
    #[must_use]
    pub(crate) fn patient(mut self, mut patience: Patience) -> Self {
        if self.verb != SEND {
            // A receiver gives its peer twice as long.
            patience.answer *= 2;
        }
        self.stuck.patience = Some(patience.outage);
        self.still.wait_for(patience);
        self
    }

    /// Why to give up, once nothing has moved for too long although there is a link. `resumes`: the same command would
    /// resume.
    pub(crate) fn standstill(&self, resumes: bool) -> Option<Trouble> {
        let (why, patience) = self.stuck.last_word(Instant::now())?;
        let missing = if self.is_many() { format!(" ({})", self.loss()) } else { String::new() };
        let hope = if resumes { "; the same command resumes" } else { "" };
        Some(Trouble::failed(format!("{why}; gave up after {}{missing}{hope}", Span(patience))))
    }

    /// Reports why there is no link, and for how long. The bar counts the time down, so above it each reason is printed
    /// only once.
    pub(super) fn wait(&mut self, delay: Duration) {
        let why = self.unreachable.take();
        let is_news = why != self.told;
        if let Voice::Bar(_) = self.voice {
            if let Some(why) = why.as_ref().filter(|_| is_news) {
                self.say(&format!("not reachable: {why}"));
            }
        } else {
            let why = why.as_ref().map(|why| format!("not reachable: {why}; ")).unwrap_or_default();
            let lasts = self.still.outage(Instant::now()).map(|outage| format!(" ({})", outage.text()));
            self.say(&format!("{why}connecting again in {}{}", Span(delay), lasts.unwrap_or_default()));
        }
        self.told = why;
    }

    /// Reports why a file is put off. For a tree, people see that once: all the other files wait for the same disk.
    pub(super) fn put_off(&mut self, name: &str, failure: &Failure, delay: Duration) {
        // A busy peer has time for others. If we are the busy ones, it may be because of all the files that this
        // command has open.
        if failure.code != Code::Busy || !failure.by_peer {
            self.stuck.handle_put_off(Instant::now(), name, failure);
        }
        self.tell_put_off(name, failure, delay);
    }

    fn tell_put_off(&mut self, name: &str, failure: &Failure, delay: Duration) {
        if matches!(self.voice, Voice::Json) {
            json::retrying(&plain(name), failure, delay).print();
        } else if self.is_worth_telling(failure.code, delay, Instant::now()) {
            self.say(&format!("not yet: {name}: {}; {}", why(failure), self.stuck.outlook(delay)));
        }
    }

    /// The same for something here that has no row, such as a folder to be created.
    pub(crate) fn put_off_unseen(&mut self, name: &str, failure: &Failure, delay: Duration) {
        let now = Instant::now();
        self.stuck.unseen = Some(now + delay);
        self.stuck.handle_put_off(now, name, failure);
        self.tell_put_off(name, failure, delay);
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
    fn short_waits_are_reported_only_if_nothing_moves() {
        let (second, start) = (Duration::from_secs(1), Instant::now());
        let mut report = report();
        report.moved = start;
        assert!(!report.is_worth_telling(Code::Busy, second, start + second), "others move");
        assert!(report.is_worth_telling(Code::Busy, second, start + 3 * second));
        assert!(!report.is_worth_telling(Code::Busy, second, start + 4 * second), "it was told");
        assert!(report.is_worth_telling(Code::NoSpace, second, start + 5 * second));
    }

    #[test]
    fn a_standstill_that_lasts_too_long_ends_with_its_first_reason() {
        let (second, start) = (Duration::from_secs(1), Instant::now());
        let full = |text| Failure::local(Code::NoSpace, text);
        let mut stuck = Stuck { patience: Some(10 * second), ..Stuck::default() };
        stuck.handle_put_off(start, "a", &full("full"));
        stuck.handle_put_off(start + 5 * second, "b", &full("fuller"));
        assert_eq!(stuck.last_word(start + 9 * second), None);
        assert_eq!(stuck.last_word(start + 10 * second), Some(("a: here: full", 10 * second)));
        stuck.handle_further(start + 10 * second, false);
        assert_eq!(stuck.last_word(start + 20 * second), None, "it goes on");
        stuck.handle_put_off(start + 11 * second, "b", &full("fuller"));
        assert_eq!(stuck.last_word(start + 20 * second), None, "it counts anew");
        assert_eq!(stuck.outlook(10 * second), "trying again in 10 s");
        assert_eq!(stuck.outlook(11 * second), "giving up in 10 s");
        let borne = Stuck { patience: Some(second), ..Stuck::default() };
        assert_eq!(borne.outlook(10 * second), "trying again in 10 s");
    }

    #[test]
    fn a_wait_is_shown_with_its_limit_from_five_seconds_on() {
        let (second, start) = (Duration::from_secs(1), Instant::now());
        let mut stuck = Stuck { patience: Some(60 * second), ..Stuck::default() };
        let shown = |stuck: &Stuck, seconds| stuck.wait(start + seconds * second).map(Lasting::text);
        assert_eq!(shown(&stuck, 9), None, "nothing is put off");
        stuck.handle_put_off(start, "a", &Failure::local(Code::NoSpace, "full"));
        assert_eq!(shown(&stuck, 4), None);
        assert_eq!(shown(&stuck, 12).as_deref(), Some("waiting for 12 s of 60 s"));
        assert_eq!(shown(&stuck, 61).as_deref(), Some("waiting for 61 s"));
        stuck.handle_further(start + 30 * second, true);
        assert_eq!(shown(&stuck, 40).as_deref(), Some("waiting for 10 s of 60 s"), "others have gone on");
    }

    #[test]
    fn earlier_progress_does_not_end_the_wait_of_a_file_put_off_later() {
        let (second, start) = (Duration::from_secs(1), Instant::now());
        let mut stuck = Stuck { patience: Some(2 * second), ..Stuck::default() };
        stuck.handle_put_off(start, "a", &Failure::local(Code::NoSpace, "full"));
        stuck.handle_further(start + second / 2, false);
        assert!(stuck.last_word(start + 2 * second).is_some());
        stuck.handle_further(start + 2 * second, false);
        assert_eq!(stuck.last_word(start + 2 * second), None, "others go on");
    }

    #[test]
    fn a_file_that_waits_is_given_up_so_long_after_the_others_have_moved() {
        let (second, start) = (Duration::from_secs(1), Instant::now());
        let mut stuck = Stuck { patience: Some(10 * second), ..Stuck::default() };
        stuck.handle_put_off(start, "a", &Failure::local(Code::NoSpace, "full"));
        for tenths in 15..50 {
            stuck.handle_further(start + tenths * second / 10, true);
        }
        let moved = start + 49 * second / 10;
        assert_eq!(stuck.last_word(moved + 9 * second), None, "others have gone on");
        assert!(stuck.last_word(moved + 10 * second).is_some(), "it is tried again after 30 s");
    }

    #[test]
    fn a_folder_that_waits_is_given_up_so_long_after_the_others_have_moved() {
        let (second, start) = (Duration::from_secs(1), Instant::now());
        let (patience, unseen) = (Some(10 * second), Some(start + 30 * second));
        let mut stuck = Stuck { patience, unseen, ..Stuck::default() };
        stuck.handle_put_off(start, "a", &Failure::local(Code::NoSpace, "full"));
        let moved = start + 20 * second;
        stuck.handle_further(moved, false);
        assert_eq!(stuck.last_word(moved + 9 * second), None, "others have gone on");
        assert!(stuck.last_word(moved + 10 * second).is_some(), "it is tried again after 30 s");
        stuck.handle_further(start + 30 * second, false);
        assert_eq!(stuck.last_word(start + 60 * second), None, "it was tried again, and did not complain");
    }

    /// Checks ten times a second, in this range of seconds.
    fn look(stuck: &mut Stuck, start: Instant, seconds: std::ops::Range<u32>, is_up: bool, is_paused: bool) {
        for tenths in seconds.start * 10..seconds.end * 10 {
            stuck.look(start + tenths * Duration::from_millis(100), is_up, is_paused);
        }
    }

    #[test]
    fn a_file_that_waits_is_given_up_by_the_time_that_links_were_up() {
        let (second, start) = (Duration::from_secs(1), Instant::now());
        let mut stuck = Stuck { patience: Some(10 * second), ..Stuck::default() };
        stuck.handle_put_off(start, "a", &Failure::local(Code::NoSpace, "full"));
        look(&mut stuck, start, 0..4, true, false);
        look(&mut stuck, start, 4..60, false, false);
        stuck.handle_put_off(start + 61 * second, "a", &Failure::local(Code::NoSpace, "full"));
        look(&mut stuck, start, 60..62, true, false);
        look(&mut stuck, start, 62..100, true, true);
        look(&mut stuck, start, 100..103, true, false);
        assert_eq!(stuck.last_word(start + 103 * second), None);
        assert!(stuck.last_word(start + 105 * second).is_some(), "without a link or paused for 94 s");
    }

    #[test]
    fn a_file_without_a_row_waits_without_a_link_too() {
        let (second, start) = (Duration::from_secs(1), Instant::now());
        let (patience, unseen) = (Some(10 * second), Some(start + 30 * second));
        let mut stuck = Stuck { patience, unseen, ..Stuck::default() };
        stuck.handle_put_off(start, "a", &Failure::local(Code::NoSpace, "full"));
        look(&mut stuck, start, 0..10, false, false);
        assert!(stuck.last_word(start + 10 * second).is_some(), "its disk is here");
    }

    #[test]
    fn a_file_without_a_row_waits_until_it_is_tried_again() {
        let (hour, mut report) = (Duration::from_secs(3600), report());
        report.put_off_unseen("a", &Failure::local(Code::NoSpace, "full"), hour);
        assert!(report.stuck.first.is_some() && report.stuck.unseen > Some(Instant::now()));
    }

    #[test]
    fn a_busy_server_is_never_given_up() {
        const ZERO: Duration = Duration::ZERO;
        let mut report = report().patient(Patience { first: ZERO, outage: ZERO, answer: ZERO });
        let mut busy = Failure::local(Code::Busy, "");
        busy.by_peer = true;
        report.put_off("a", &busy, Duration::ZERO);
        assert_eq!(report.standstill(true), None);
        report.put_off("a", &Failure::local(Code::NoSpace, "full"), Duration::ZERO);
        assert_eq!(
            report.standstill(false).map(|trouble| trouble.to_string()).as_deref(),
            Some("a: here: full; gave up after less than 1 ms (0 files and folders have arrived)")
        );
    }

    #[test]
    fn a_wait_for_files_to_be_closed_here_is_limited() {
        const ZERO: Duration = Duration::ZERO;
        let waiting = || report().patient(Patience { first: ZERO, outage: ZERO, answer: ZERO });
        let (mut unseen, mut seen, busy) =
            (waiting(), waiting(), Failure::local(Code::Busy, "too many files"));
        unseen.put_off_unseen("a", &busy, ZERO);
        assert!(unseen.standstill(true).is_some());
        seen.put_off("a", &busy, ZERO);
        assert!(seen.standstill(true).is_some());
    }

    #[test]
    fn a_long_wait_is_reported_at_once_and_only_once() {
        let mut report = report();
        let now = report.moved;
        assert!(report.is_worth_telling(Code::NoSpace, WORTH_A_LINE, now));
        assert!(!report.is_worth_telling(Code::NoSpace, WORTH_A_LINE, now));
    }
}
