//! Transcripts: what two hosts are told to do and, below a rule, the exact frames, events and times that follow.
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
//! A client that redials whenever its link is lost has commands that apply to each of its links, each with a `+` and
//! the time after the opening:
//!
//! ```text
//! +5ms server leaves
//! 60s end
//! ```
//!
//! `BLESS=1 cargo test -p bowline-tests --test transcripts` writes what is below the rule; without it, the test
//! compares. A change of behaviour is then a difference to be read in a review.

mod command;
mod redial;
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
use words::{Words, duration, time};

/// The rule between commands and outcome.
const RULE: &str = "----";

/// Runs the transcript in this file, and compares the outcome with what is below the rule, or writes it there if the
/// environment has `BLESS=1`.
///
/// # Errors
/// The differences, for people to read.
pub fn check(file: &Path) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let script = text.split_once(&format!("\n{RULE}\n")).map_or(text.trim_end(), |(script, _)| script);
    let outcome = run(script).map_err(|error| format!("{}: {error}", file.display()))?;
    golden::check(file, &format!("{script}\n{RULE}\n{outcome}"))
}

/// Runs the commands of a transcript; returns what happened, one line each.
///
/// # Errors
/// The line that cannot be understood.
pub fn run(script: &str) -> Result<String, String> {
    let mut settings = Settings::default();
    let mut pair = None;
    let mut foreign = Vec::new();
    let (mut each, mut redialled) = (Vec::new(), None);
    for (number, line) in script.lines().enumerate() {
        let mut words = Words::new(line);
        if words.is_empty() {
            continue;
        }
        let told = if let Some(after) = words.peek().strip_prefix('+') {
            let after = duration(after);
            words.next()?;
            after.and_then(|after| Command::parse(&mut words).map(|command| each.push((after, command))))
        } else if let Some(at) = time(words.peek()) {
            words.next()?;
            Command::parse(&mut words).and_then(|command| match command {
                Command::End if !each.is_empty() => {
                    redialled = Some(redial::run(&settings, &each, at)?);
                    Ok(())
                }
                command => {
                    obey(pair.get_or_insert_with(|| settings.pair(Instant::ZERO)), at, command, &mut foreign)
                }
            })
        } else if pair.is_none() && each.is_empty() {
            settings.apply(&mut words)
        } else {
            Err("settings stand before the first command".into())
        };
        told.and_then(|()| words.finish())
            .map_err(|error| format!("line {}: {error}: {line}", number + 1))?;
    }
    match (redialled, pair) {
        (Some(lines), _) => Ok(tell::tell(lines)),
        (None, Some(mut pair)) => {
            let told = tell::tell(tell::lines(&pair, &foreign));
            Ok(told + &tell::explain(&mut pair, &settings.explain))
        }
        (None, None) => Err("there are no commands".into()),
    }
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
    fn pair(&self, now: Instant) -> Pair {
        let link = Link::with(self.up.clone(), self.down.clone(), now);
        let mut pair = Pair::at(self.client.clone(), self.server.clone(), link, self.seed, now);
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
    fn a_command_that_is_not_understood_is_named() {
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
