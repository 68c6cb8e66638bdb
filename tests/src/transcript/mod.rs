//! Transcripts: what two hosts are told to do, and below a rule the exact frames, events and times that follow.
//!
//! ```text
//! # A comment.
//! link latency=10ms idle=60s:finish          settings, before the first command
//! client heartbeat=off
//! explain client                           its story is told at the end
//! 0s client sends "hello"                    commands, in the order of time
//! 100s end
//! ----
//!    0.000s  client  81 85 0a1b2c3d ...       what happened; written by the machine, read by people
//! ```
//!
//! `BLESS=1 cargo test -p bowline-tests --test transcripts` writes what is below the rule; without it the test
//! compares. A change of behaviour is then a difference to be read in a review.

mod command;
mod settings;
mod tell;
mod words;

use crate::golden;
use crate::sim::{Link, Pair};
use bowline_core::Instant;
use command::Command;
use settings::Settings;
use std::fs;
use std::path::Path;
use words::{Words, time};

/// What divides commands from outcome.
const RULE: &str = "----";

/// Runs the transcript in this file, and compares the outcome with what is written below the rule, or writes it there
/// if the environment says `BLESS=1`.
///
/// # Errors
/// What does not fit, to be read by a person.
pub fn check(file: &Path) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let script = text.split_once(&format!("\n{RULE}\n")).map_or(text.trim_end(), |(script, _)| script);
    let outcome = run(script).map_err(|error| format!("{}: {error}", file.display()))?;
    golden::check(file, &format!("{script}\n{RULE}\n{outcome}"))
}

/// Runs the commands of a transcript; returns what happened, a line each.
///
/// # Errors
/// The line that cannot be understood.
pub fn run(script: &str) -> Result<String, String> {
    let mut settings = Settings::default();
    let mut pair = None;
    let mut foreign = Vec::new();
    for (number, line) in script.lines().enumerate() {
        let mut words = Words::new(line);
        if words.is_empty() {
            continue;
        }
        let told = match time(words.peek()) {
            None if pair.is_none() => settings.apply(&mut words),
            None => Err("settings stand before the first command".into()),
            Some(at) => {
                words.next()?;
                let pair = pair.get_or_insert_with(|| settings.pair());
                Command::parse(&mut words).and_then(|command| obey(pair, at, command, &mut foreign))
            }
        };
        told.and_then(|()| words.finish())
            .map_err(|error| format!("line {}: {error}: {line}", number + 1))?;
    }
    let mut pair = pair.ok_or("there are no commands")?;
    Ok(tell::tell(&pair, &foreign) + &tell::explain(&mut pair, &settings.explain))
}

fn obey(
    pair: &mut Pair,
    at: Instant,
    command: Command,
    foreign: &mut Vec<(Instant, crate::sim::Did)>,
) -> Result<(), String> {
    if at < pair.now() {
        return Err("time does not go back".into());
    }
    pair.run_until(at);
    command.carry_out(pair, foreign)?;
    pair.settle();
    Ok(())
}

impl Settings {
    fn pair(&self) -> Pair {
        let link = Link::with(self.up.clone(), self.down.clone(), Instant::ZERO);
        let mut pair = Pair::new(self.client.clone(), self.server.clone(), link, self.seed);
        if let Some((after, then)) = self.idle {
            pair.link.drop_idle(after, then);
        }
        pair.client.tap = Some(Vec::new());
        pair.server.tap = Some(Vec::new());
        if self.mute {
            pair.server.sleep(Instant::MAX);
        }
        pair
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_carried_out_in_time() {
        let outcome = run("link latency=10ms\n5s client sends \"hello\" # a comment\n6s end").unwrap();
        let lines: Vec<_> = outcome.lines().collect();
        assert!(lines[0].starts_with("   5.000s  client  81 85 "), "{outcome}");
        assert!(lines[0].ends_with("Text \"hello\""), "{outcome}");
        assert_eq!(lines[1..], ["   5.010s  server  got Text \"hello\""]);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (script, error) in [
            ("link latency=fast\n0s end", "line 1: fast is no time: link latency=fast"),
            ("wire latency=1s", "line 1: no setting of wire: wire latency=1s"),
            ("0s client sings", "line 1: nobody can do that: sings: 0s client sings"),
            ("1s end\n0s end", "line 2: time does not go back: 0s end"),
            ("0s end now", "line 1: too much: now: 0s end now"),
            ("", "there are no commands"),
        ] {
            assert_eq!(run(script).unwrap_err(), error);
        }
    }
}
