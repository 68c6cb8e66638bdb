//! Transcripts of endings: what happens when, and the expected result.
//!
//! Times are in seconds since the connection was opened. We are the client unless the row says `server`. Inputs:
//! `close` and `fail` are commands, `rx_*` is a frame from the peer, `rx` and `tx` are any bytes, `block` is a full
//! transport, `gone(end,idle)` is the end of the transport after that much silence, `dead(ping)` is the verdict of the
//! heartbeat, `stalled(s)` means that this process did not run, `read_nothing` and `read_again` mean that the
//! application stops and resumes reading. Our Close leaves at the instant at which it is written, unless the row says
//! `hold`; then it leaves at `flush`. The peer's Close is answered at once, unless it came by `rx_held`; then it is
//! answered at `answer`. `due` is a `timeout` that reports whether data should be dropped. Other words are evidence
//! given at the end. `again` opens the next link of the same history.

mod codes;
mod laws;
mod record;

use super::*;
use crate::{Instant, Role};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

#[test]
fn the_handshake_table_holds() {
    check(include_str!("tests/handshake.txt"));
}

#[test]
fn the_diagnosis_table_holds() {
    check(include_str!("tests/diagnosis.txt"));
}

#[test]
fn pings_are_wanted_until_our_close_has_left() {
    let now = Instant::ZERO;
    let mut closing = Closing::new(Config::default(), Role::Client, now);
    assert!(closing.wants_heartbeat());
    closing.close(now, Close::normal()).unwrap();
    assert!(closing.wants_heartbeat()); // data may be waiting before it
    closing.handle_close_flushed(now, None);
    assert!(!closing.wants_heartbeat());
}

#[test]
fn a_failure_is_recorded_even_after_our_close() {
    let now = Instant::ZERO;
    let mut closing = Closing::new(Config::default(), Role::Client, now);
    closing.close(now, Close::normal()).unwrap();
    assert!(!closing.has_failed());
    closing.fail(now, CloseCode::POLICY, "");
    assert!(closing.has_failed());
}

fn check(table: &str) {
    let mut broken: Vec<String> = Vec::new();
    for row in table.split("\n\n") {
        let (title, steps) = row.trim().split_once('\n').expect("a title and steps");
        let mut link = Link::new();
        for (time, input, expected) in parse(steps) {
            let got = link.step(&time, &input);
            if got != expected {
                broken.push(format!("\n{title}\n  at {time} {input}\n  want {expected}\n  got  {got}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.concat());
}

/// Steps as (time, input, output); lines that start with `who=` belong to the step before.
fn parse(steps: &str) -> Vec<(String, String, String)> {
    let mut parsed: Vec<(String, String, String)> = Vec::new();
    for line in steps.lines().map(str::trim) {
        if line.starts_with("who=") {
            let last = parsed.last_mut().expect("a verdict belongs to an END");
            last.2 = format!("{} {line}", last.2);
            continue;
        }
        let (left, output) = line.split_once("=>").unwrap_or((line, ""));
        let (time, input) = left.trim().split_once(' ').unwrap_or(("0", left.trim()));
        parsed.push((time.into(), input.trim().into(), output.trim().into()));
    }
    parsed
}

fn seconds(text: &str) -> Duration {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let millis = format!("{part:0<3}");
    Duration::from_millis(whole.parse::<u64>().unwrap() * 1000 + millis.parse::<u64>().unwrap())
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// `1000,bye`; a reason like `124 bytes` is that long.
fn code_with_reason(arguments: &str) -> (u16, String) {
    let (code, reason) = arguments.split_once(',').unwrap_or((arguments, ""));
    let length = reason.strip_suffix(" bytes").map(|length| length.parse().unwrap());
    (code.parse().unwrap(), length.map_or(reason.into(), |length| "x".repeat(length)))
}

fn end(name: &str) -> End {
    match name {
        "Eof" => End::Eof,
        "TlsTruncated" => End::TlsTruncated,
        "Reset" => End::Reset,
        "TimedOut" => End::TimedOut,
        "ReadFailed" => End::ReadFailed,
        "WriteFailed" => End::WriteFailed,
        "WriteReset" => End::WriteReset,
        "WriteTimedOut" => End::WriteTimedOut,
        "LocalAbort" => End::LocalAbort,
        "Miscounted" => End::Miscounted,
        _ => panic!("unknown end {name}"),
    }
}

struct Link {
    closing: Closing,
    evidence: Evidence,
    hold: bool,
    last: Option<Disconnect>,
    said: Vec<String>,
}

impl Link {
    fn new() -> Self {
        Self {
            closing: Closing::new(Config::default(), Role::Client, Instant::ZERO),
            evidence: Evidence::default(),
            hold: false,
            last: None,
            said: Vec::new(),
        }
    }

    /// Carries out one step; returns the outcome.
    fn step(&mut self, time: &str, input: &str) -> String {
        let now = Instant::from(seconds(time));
        let (word, arguments) =
            input.strip_suffix(')').and_then(|i| i.split_once('(')).unwrap_or((input, ""));
        let (was, drained) = (self.closing.transport(), self.closing.is_draining());
        if !self.set(word, arguments) {
            self.input(now, word, arguments);
            let is = self.closing.transport();
            if is == Transport::FinishWriting && is != was {
                self.said.push("FinishWriting".into());
            }
            if self.closing.is_draining() && !drained {
                self.said.push("Drain".into());
            }
            self.poll();
        }
        core::mem::take(&mut self.said).join(", ")
    }

    /// For words that are not inputs of the machine.
    fn set(&mut self, word: &str, arguments: &str) -> bool {
        let number = |index| arguments.split(',').nth(index).unwrap().parse::<u64>().unwrap();
        match word {
            "server" => self.closing = Closing::new(Config::default(), Role::Server, Instant::ZERO),
            "again" => {
                let mut next = Self::new();
                next.evidence.history = self.evidence.history;
                next.evidence.history.record(self.last.as_ref().unwrap());
                *self = next;
            }
            "hold" => self.hold = true,
            "cut" if arguments == "header" => self.evidence.cut = Cut::Header,
            "cut" => {
                let opcode = u8::try_from(number(0)).unwrap();
                self.evidence.cut = Cut::Payload { opcode, got: number(1), of: number(2) };
            }
            "incomplete" => self.evidence.incomplete_message = number(0),
            "queued" => self.evidence.queued = number(0),
            "lost" => self.evidence.lost = number(0),
            "messages" => self.evidence.messages = number(0),
            "longest" => self.evidence.longest_message = number(0),
            "pings" => (self.evidence.pings, self.evidence.pongs) = (number(0), number(1)),
            "answer_time" => self.evidence.answer_time = Some(seconds(arguments)),
            _ => return false,
        }
        true
    }

    fn input(&mut self, now: Instant, word: &str, arguments: &str) {
        if word.starts_with("rx") {
            self.closing.handle_received(now);
        }
        match word {
            "close" => {
                let (code, reason) = code_with_reason(arguments);
                match Close::new(code, reason).and_then(|close| self.closing.close(now, close)) {
                    Ok(payload) => self.write(now, &payload),
                    Err(error) => self.said.push(format!("Err({error:?})")),
                }
            }
            "fail" => {
                let (code, reason) = code_with_reason(arguments);
                let payload = self.closing.fail(now, code.into(), &reason);
                self.write_if(now, payload);
            }
            "dead" => {
                let unsent = arguments == "unsent";
                self.evidence.ping = if unsent { Ping::Unsent } else { Ping::Unanswered(seconds(arguments)) };
                let payload = self.closing.dead(now);
                self.write_if(now, payload);
            }
            "rx_close" | "rx_close_raw" => {
                let (code, reason) =
                    if word == "rx_close" { code_with_reason(arguments) } else { (0, String::new()) };
                let sane = [&code.to_be_bytes(), reason.as_bytes()].concat();
                let payload = if word == "rx_close" { sane } else { bytes(arguments) };
                let answer = self.closing.handle_close(now, &payload);
                self.write_if(now, answer);
            }
            "rx_data" => {
                let deliver = self.closing.handle_data(now);
                self.said.push(if deliver { "deliver" } else { "no" }.into());
            }
            "rx_ping" => {
                let answer = self.closing.handle_ping(now);
                self.said.push(if answer { "answer" } else { "no" }.into());
            }
            "rx" => {}
            "tx" => self.closing.handle_sent(now, 1),
            "block" => self.closing.handle_blocked(now),
            "flush" => self.flush(now),
            "stalled" => self.closing.handle_stalled(now, seconds(arguments)),
            "timeout" | "due" => match self.closing.handle_timeout(now) {
                Some(Overdue::Answer(payload)) => self.write(now, &payload),
                Some(Overdue::Data) if word == "due" => self.said.push("Drop".into()),
                _ => {}
            },
            "rx_held" => {
                let (code, reason) = code_with_reason(arguments);
                self.closing.hold_close(now, &[&code.to_be_bytes(), reason.as_bytes()].concat());
            }
            "answer" => {
                let answer = self.closing.answer(now);
                self.write_if(now, answer);
            }
            "awaiting" => self.closing.set_awaiting(now, true),
            "read_nothing" | "read_again" => self.closing.set_reading(now, word == "read_again"),
            "rx_pong" => {
                let news = self.closing.handle_pong(now);
                self.said.push(if news { "news" } else { "no" }.into());
            }
            "gone" => {
                let (name, idle) = arguments.split_once(',').unwrap_or((arguments, ""));
                if !idle.is_empty() {
                    self.closing.handle_received(now - seconds(idle));
                }
                self.closing.handle_end(now, end(name));
            }
            _ => panic!("unknown input {word}"),
        }
    }

    fn write_if(&mut self, now: Instant, payload: Option<Bytes>) {
        if let Some(payload) = payload {
            self.write(now, &payload);
        }
    }

    fn write(&mut self, now: Instant, payload: &[u8]) {
        let (close, flaw) = Close::decode(payload);
        assert_eq!(flaw, None, "we wrote {close}");
        self.said.push(match close.reason() {
            _ if payload.is_empty() => "Write(empty)".into(),
            long if long.len() > 100 => format!("Write({} {} bytes)", close.code(), long.len()),
            _ => format!("Write({close})"),
        });
        if !self.hold {
            self.flush(now);
        }
    }

    fn flush(&mut self, now: Instant) {
        self.closing.handle_sent(now, 1);
        self.closing.handle_close_flushed(now, None);
    }

    fn poll(&mut self) {
        let Some(disconnect) = self.closing.poll_disconnect(&self.evidence) else { return };
        assert_eq!(self.closing.transport(), Transport::Drop);
        let (who, kind, retry) = (disconnect.who(), disconnect.kind(), disconnect.retry());
        let mut said = format!("END \"{disconnect}\" who={who} kind={kind:?} retry={retry}");
        if disconnect.ignored_after_close() > 0 {
            said = format!("{said} ignored={}", disconnect.ignored_after_close());
        }
        self.said.push(said);
        self.last = Some(disconnect);
    }
}
