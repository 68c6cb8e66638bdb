//! What has happened during a command, for whoever asks afterwards: `--explain` prints it.
//!
//! However long a command runs, little is kept: the first turns and the last ones, and the records of the last connections.

mod turns;

use crate::args::Record;
use crate::exit::Trouble;
use crate::plain::wrapped;
use crate::report::print_line;
use bowline_core::Disconnect;
use bowline_tokio::LinkEvent;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use turns::Turns;

/// The records of so many connections are kept.
const LIVES: usize = 16;
/// So many files are told one by one.
const FILES: u32 = 32;
/// What fits into a line of a terminal.
const COLUMNS: usize = 80;
/// How wide a time is, as in the records of connections.
const TIME: usize = 13;

/// What has happened so far.
#[derive(Debug)]
pub(crate) struct Story {
    record: Record,
    server: String,
    start: Instant,
    turns: Turns,
    /// How many connections there have been.
    links: u32,
    /// When the one that is up came about.
    since: Duration,
    lives: VecDeque<Life>,
    files: u32,
}

/// A connection that has ended.
#[derive(Debug)]
struct Life {
    link: u32,
    began: Duration,
    disconnect: Disconnect,
}

impl Story {
    /// Of a command about this server, as far as somebody wants to hear it.
    pub(crate) fn new(record: &Record, server: &str) -> Self {
        Self {
            record: record.clone(),
            server: server.to_owned(),
            start: Instant::now(),
            turns: Turns::default(),
            links: 0,
            since: Duration::ZERO,
            lives: VecDeque::new(),
            files: 0,
        }
    }

    /// The link has come to another turn.
    pub(crate) fn link(&mut self, event: &LinkEvent) {
        let now = self.start.elapsed();
        match event {
            LinkEvent::Dialing { attempt: 1 } => self.turn(format!("dials {}", self.server)),
            LinkEvent::Dialing { attempt } => self.turn(format!("dials again, attempt {attempt}")),
            LinkEvent::DialFailed { disconnect, .. } => {
                self.turn(format!("not reachable: {disconnect}"));
            }
            LinkEvent::Up { link } => {
                (self.links, self.since) = (*link, now);
                self.turn(format!("connection {link} is up"));
            }
            LinkEvent::Down { disconnect } => {
                self.turn(format!("connection {} has ended: {disconnect}", self.links));
                if self.lives.len() == LIVES {
                    self.lives.pop_front();
                }
                let (link, began) = (self.links, self.since);
                self.lives.push_back(Life { link, began, disconnect: disconnect.clone() });
            }
            LinkEvent::Waiting { delay, .. } => {
                self.turn(format!("waits for {:.1} s", delay.as_secs_f64()));
            }
            // After an end that was asked for there is nothing to give up.
            LinkEvent::GaveUp { why, .. } => {
                if let Some((_, why)) = why.rsplit_once("; gave up: ") {
                    self.turn(format!("gives up: {why}"));
                }
            }
            _ => {}
        }
    }

    /// A file is complete; in words.
    pub(crate) fn done(&mut self, words: String) {
        self.files += 1;
        if self.files <= FILES {
            self.turn(words);
        }
    }

    /// Something has failed, for this reason.
    pub(crate) fn failed(&mut self, trouble: &Trouble) {
        let text = trouble.to_string();
        // What concerns all files is told once.
        if self.turns.iter().next_back().is_none_or(|turn| turn.text != text) {
            self.turn(text);
        }
    }

    /// Tells it to whoever wants to hear it.
    pub(crate) fn tell(&self) {
        if self.record.explain {
            self.lines().iter().for_each(|line| print_line(line));
        }
    }

    fn turn(&mut self, text: String) {
        self.turns.push(self.start.elapsed(), text);
    }

    /// All of it, for a terminal.
    fn lines(&self) -> Vec<String> {
        let mut lines =
            vec![String::new(), "What happened, from the start of the command on:".into(), String::new()];
        for (index, turn) in self.turns.iter().enumerate() {
            if index == turns::FIRST && self.turns.left_out() > 0 {
                lines.push(format!("{:TIME$}  ... {} more are not kept ...", "", self.turns.left_out()));
            }
            let time = format!("{:.3} s", turn.at.as_secs_f64());
            let (width, mut label) = (time.len().max(TIME), time.as_str());
            for line in wrapped(&turn.text, COLUMNS - width - 2) {
                lines.push(format!("{label:>width$}  {line}"));
                label = "";
            }
        }
        if self.files > FILES {
            lines.push(format!("{:TIME$}  {} files in all", "", self.files));
        }
        for Life { link, began, disconnect } in &self.lives {
            // One that never got as far as a connection has none.
            let Some(timeline) = disconnect.timeline() else { continue };
            let began = format!("Connection {link}, from {:.3} s on:", began.as_secs_f64());
            lines.extend([String::new(), began, String::new()]);
            lines.extend(timeline.to_string().lines().map(str::to_owned));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::Instant as Time;
    use bowline_core::closing::Obstacle;
    use bowline_core::connection::{Config, Connection, Event};

    fn story() -> Story {
        Story::new(&Record { explain: true }, "ws://h/")
    }

    /// The end of a connection that lived for so many seconds.
    fn end(seconds: u64) -> Disconnect {
        let mut connection = Connection::client(Config::default(), [1; 32], Time::ZERO);
        connection.handle_end(Time::from_secs(seconds), bowline_core::End::Eof);
        std::iter::from_fn(|| connection.poll_event())
            .find_map(|event| if let Event::Closed(end) = event { Some(end) } else { None })
            .expect("it has ended")
    }

    fn text(story: &Story) -> String {
        story.lines().join("\n")
    }

    #[test]
    fn each_turn_is_a_line_and_each_connection_has_its_record() {
        let mut story = story();
        let failed = Disconnect::connect_failed(Obstacle::Refused, "nobody listens at h:80".to_owned());
        story.link(&LinkEvent::Dialing { attempt: 1 });
        story.link(&LinkEvent::DialFailed { attempt: 1, disconnect: failed });
        story.link(&LinkEvent::Waiting { attempt: 2, delay: Duration::from_millis(1500) });
        story.link(&LinkEvent::Dialing { attempt: 2 });
        story.link(&LinkEvent::Up { link: 1 });
        story.link(&LinkEvent::Down { disconnect: end(7) });
        let text = text(&story);
        for words in [
            "  dials ws://h/\n",
            "  not reachable: nobody listens at h:80\n",
            "  waits for 1.5 s\n",
            "  dials again, attempt 2\n",
            "  connection 1 is up\n",
            "  connection 1 has ended: no close frame received or sent;",
            "Connection 1, from 0.0",
            "      0.000 s  opened as the client; heartbeat 20.0 s, time-out 20.0 s\n",
            "      7.000 s  ",
        ] {
            assert!(text.contains(words), "{words:?} in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
    }

    #[test]
    fn of_many_connections_the_last_are_kept() {
        let mut story = story();
        for link in 1..=400 {
            story.link(&LinkEvent::Up { link });
            story.link(&LinkEvent::Down { disconnect: end(1) });
        }
        let text = text(&story);
        assert!(!text.contains("Connection 384, from") && text.contains("Connection 385, from"), "{text}");
        assert!(text.contains("Connection 400, from"), "{text}");
        assert!(text.contains("connection 1 is up") && text.contains("connection 400 is up"), "{text}");
        assert!(text.contains("... 544 more are not kept ..."), "{text}");
    }

    #[test]
    fn of_many_files_the_first_are_named() {
        let mut story = story();
        for number in 1..=FILES + 2 {
            story.done(format!("sent {number}.txt"));
        }
        let text = text(&story);
        assert!(text.contains("sent 32.txt") && !text.contains("sent 33.txt"), "{text}");
        assert!(text.ends_with("  34 files in all"), "{text}");
    }
}
