//! The history of a connection as lines, with its current state below them.

use crate::args::Output;
use crate::report::StatusLine;
use crate::report::json::{self, Line};
use crate::stdout;
use crate::story::Story;
use crate::units::{Span, millis, whole};
use bowline_core::connection::{Event, Lesson};
use bowline_tokio::LinkEvent;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// How often programs are told about a continuing silence.
const AGAIN: Duration = Duration::from_secs(1);

/// The current state of a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) up: Duration,
    /// How long nothing has arrived.
    pub(super) silence: Duration,
    pub(super) round_trip: Option<Duration>,
}

pub(super) struct View {
    output: Output,
    /// Shown only on a terminal.
    line: StatusLine,
    heartbeat: Duration,
    hush: Hush,
    sums: Sums,
    story: Story,
    unread: Unread,
}

/// How many lines were dropped for lack of room and not yet reported.
#[derive(Debug, Default)]
struct Unread(u64);

/// A silence that is reported to programs, each second from when a ping is due.
#[derive(Debug, Default)]
struct Hush {
    /// The silence at which it is reported next.
    due: Duration,
}

/// The totals for the end.
#[derive(Debug)]
struct Sums {
    start: Instant,
    links: u32,
    /// How long there was a link, not counting the current one, which is up since `since`.
    up: Duration,
    since: Option<Instant>,
    least: Option<Duration>,
    most: Option<Duration>,
}

impl View {
    pub(super) fn new(output: Output, story: Story) -> Self {
        let line = StatusLine::new(output);
        let sums = Sums {
            start: Instant::now(),
            links: 0,
            up: Duration::ZERO,
            since: None,
            least: None,
            most: None,
        };
        Self {
            output,
            line,
            heartbeat: Duration::ZERO,
            hush: Hush::default(),
            sums,
            story,
            unread: Unread::default(),
        }
    }

    /// Shows an event of the link.
    pub(super) fn tell(&mut self, event: &LinkEvent) {
        self.story.link(event);
        match event {
            LinkEvent::Up { .. } => {
                self.sums.links += 1;
                self.sums.since = Some(Instant::now());
            }
            LinkEvent::Down { .. } => {
                self.sums.up += self.sums.since.take().map_or(Duration::ZERO, |since| since.elapsed());
            }
            _ => {}
        }
        if self.output.json {
            return json::link(event).map_or((), |line| self.print(line));
        }
        match event {
            LinkEvent::Dialing { attempt: 1 } => self.line.say("connecting"),
            LinkEvent::Dialing { attempt } => self.line.say(&format!("connecting, attempt {attempt}")),
            LinkEvent::Down { disconnect } => self.say(&format!("disconnected: {disconnect}")),
            LinkEvent::DialFailed { disconnect, .. } => self.say(&format!("not reachable: {disconnect}")),
            LinkEvent::Waiting { delay, .. } => self.say(&format!("connecting again in {}", Span(*delay))),
            _ => {}
        }
    }

    /// A link is up, with this heartbeat.
    pub(super) fn opened(&mut self, round_trip: Duration, heartbeat: Duration) {
        self.heartbeat = heartbeat;
        let round_trip = precise(round_trip);
        if !self.output.json {
            self.say(&format!(
                "connected, handshake in {round_trip}; pings after {} of silence",
                Span(heartbeat)
            ));
        }
    }

    /// Shows something that the connection has noticed.
    pub(super) fn notice(&mut self, event: Event) {
        let text = match event {
            Event::Pong { rtt } => {
                self.sums.least = Some(self.sums.least.map_or(rtt, |least| least.min(rtt)));
                self.sums.most = Some(self.sums.most.map_or(rtt, |most| most.max(rtt)));
                if self.output.json {
                    return self.print(Line::new("pong").millis("round_trip_ms", Some(rtt)));
                }
                // The status line shows it. Without one, it is printed only if the user wants details.
                if self.output.level().is_none() {
                    return;
                }
                format!("ping answered in {}", precise(rtt))
            }
            Event::HeartbeatChanged { to, why, .. } => {
                self.heartbeat = to;
                format!("pings after {} of silence from now on: {}", Span(to), lesson(why))
            }
            Event::Stalled { late } => format!("this process did not run for {}", Span(late)),
            Event::Resumed { slept } => format!("this machine slept for {}", Span(slept)),
            Event::PeerDoesNotPong => "the server sends data, but answers no pings".into(),
            Event::CloseReceived(close) => format!("the server is closing: {close}"),
            _ => return,
        };
        if self.output.json {
            return self.print(Line::new("notice").with("text", text));
        }
        self.say(&text);
    }

    /// Shows the current state, if anybody can see it.
    pub(super) fn show(&mut self, now: Now) {
        if self.output.json {
            if self.hush.is_told(now.silence, self.heartbeat) {
                self.print(Line::new("silent").seconds("seconds", now.silence.as_secs_f64()));
            }
            return;
        }
        self.line.say(&state(now, self.heartbeat));
    }

    /// Shows that there is no link, and how long it will be until the next dial.
    pub(super) fn wait(&self, left: Duration) {
        self.line.say(&format!("connecting again in {}", whole(left)));
    }

    /// Prints a line for programs. The connection is driven whether or not they read, so lines without room are only
    /// counted.
    fn print(&mut self, line: Line) {
        for line in self.unread.admit(line, stdout::has_room()) {
            line.print();
        }
    }

    /// Prints the summary of the whole watch, and its story.
    pub(super) fn finish(&mut self) {
        if let Some(missed) = self.unread.told() {
            missed.print();
        }
        self.sum_up();
        // No page was requested, so nothing can fail.
        self.line.above(|| drop(self.story.tell()));
    }

    fn sum_up(&mut self) {
        let Sums { start, links, up, least, most, .. } = self.sums;
        let (all, up) = (start.elapsed(), up.as_secs_f64());
        if self.output.json {
            return Line::new("summary")
                .seconds("seconds", all.as_secs_f64())
                .with("links", links)
                .seconds("up_seconds", up)
                .millis("least_ms", least)
                .millis("most_ms", most)
                .print();
        }
        let share = 100.0 * up / all.as_secs_f64().max(f64::MIN_POSITIVE);
        let connections = if links == 1 { "1 connection".into() } else { format!("{links} connections") };
        let round_trips = match (least, most) {
            (Some(least), Some(most)) => format!("; round trips of {} to {}", precise(least), precise(most)),
            _ => String::new(),
        };
        self.say(&format!(
            "watched for {}: {connections}, up for {share:.1} % of that time{round_trips}",
            Span(all)
        ));
    }

    fn say(&self, text: &str) {
        if !self.output.quiet {
            self.line.print(&format!("{} ", time_of_day()), text);
        }
    }
}

impl Unread {
    /// The lines to print when this line comes: none without room; otherwise first how many are missing.
    fn admit(&mut self, line: Line, has_room: bool) -> Vec<Line> {
        if !has_room {
            self.0 += 1;
            return Vec::new();
        }
        self.told().into_iter().chain([line]).collect()
    }

    /// How many lines are missing, if any are.
    fn told(&mut self) -> Option<Line> {
        let missing = std::mem::take(&mut self.0);
        (missing > 0).then(|| json::missed(missing))
    }
}

impl Hush {
    fn is_told(&mut self, silence: Duration, heartbeat: Duration) -> bool {
        if silence < heartbeat {
            self.due = heartbeat;
        }
        let is_told = silence >= self.due;
        if is_told {
            self.due = silence + AGAIN;
        }
        is_told
    }
}

/// The state of a link. What matters most comes first: a narrow terminal shows no more.
fn state(now: Now, heartbeat: Duration) -> String {
    let (up, silent) = (whole(now.up), whole(now.silence));
    let round_trip = now.round_trip.map_or("not known yet".into(), precise);
    match heartbeat.saturating_sub(now.silence) {
        Duration::ZERO => {
            format!(
                "silent for {silent}, asking whether anybody is there, up for {up}, round trip {round_trip}"
            )
        }
        left => format!("up for {up}, silent for {silent}, ping in {}, round trip {round_trip}", whole(left)),
    }
}

fn lesson(why: Lesson) -> String {
    match why {
        Lesson::Dropped { silence } => format!("a connection did not survive a silence of {}", Span(silence)),
        Lesson::Survived { silence } => format!("a connection survived a silence of {}", Span(silence)),
        Lesson::Explores => "a longer silence is being tried".into(),
        Lesson::Busy => "nothing is risked while something is under way".into(),
        Lesson::Forgotten => "what was known of the path is out of date".into(),
        Lesson::TooManyPings => "the server does not want pings that often".into(),
        _ => "it was asked for".into(),
    }
}

/// The time of the wall clock, in the format that servers use in logs.
fn time_of_day() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// With a tenth of a millisecond, as long as that matters.
fn precise(time: Duration) -> String {
    if time < Duration::from_millis(100) { millis(time) } else { Span(time).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unread_lines_are_counted_until_somebody_reads() {
        let mut unread = Unread::default();
        let mut printed = |has_room| -> String {
            let lines = unread.admit(Line::new("pong"), has_room);
            lines.into_iter().map(Line::into_text).collect()
        };
        let pong = "{\"event\":\"pong\"}\n";
        assert_eq!(printed(true), pong);
        assert_eq!((printed(false), printed(false)), (String::new(), String::new()));
        assert_eq!(printed(true), format!("{{\"event\":\"missed\",\"count\":2}}\n{pong}"));
        assert_eq!(printed(true), pong, "it is told once");
    }

    #[test]
    fn a_silence_that_is_doubtful_comes_first() {
        let seconds = Duration::from_secs;
        let now = |silence| Now { up: seconds(200), silence: seconds(silence), round_trip: Some(seconds(2)) };
        let calm = "up for 3 min 20 s, silent for 12 s, ping in 8 s, round trip 2 s";
        assert_eq!(state(now(12), seconds(20)), calm);
        let asked = "silent for 20 s, asking whether anybody is there, up for 3 min 20 s, round trip 2 s";
        assert_eq!(state(now(20), seconds(20)), asked);
        let young = Now { round_trip: None, ..now(0) };
        assert!(state(young, seconds(20)).ends_with(", round trip not known yet"));
    }

    #[test]
    fn a_silence_is_reported_to_programs_each_second_once_a_ping_is_due() {
        let (mut hush, heartbeat) = (Hush::default(), Duration::from_secs(20));
        let halves = |from: u64, to: u64| (from..to).map(|half| Duration::from_millis(500 * half));
        let mut told = |from, to| -> Vec<_> {
            let told = halves(from, to).filter(|silence| hush.is_told(*silence, heartbeat));
            told.map(|silence| silence.as_secs_f64()).collect()
        };
        assert_eq!(told(0, 40), [0.0; 0]);
        assert_eq!(told(40, 45), [20.0, 21.0, 22.0]);
        assert_eq!(told(0, 40), [0.0; 0], "something has come");
        assert_eq!(told(40, 42), [20.0]);
    }
}
