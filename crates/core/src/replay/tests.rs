//! The table of the message session.
//!
//! The buffer holds three messages and 20 bytes; acknowledgements are due after four messages, 10 bytes or 200 ms.
//! Inputs: `send(x)`; `recv(n,x)` a message with its number; `ack(n)`; `up(n)` a link comes up, and the peer says that
//! n was the last to arrive there (`tells n`: what we say); `link` and `resumed(n)` the two halves of that; `down`;
//! `wait(ms)`; `along` something is written anyway; `confirm(n)`; `reset`; `limit(n)` another size of the buffer,
//! `window(n)` neither end accepts more than n messages and 10 bytes unacknowledged, and `confirmation` another kind of
//! acknowledgement, all three at the start. Messages that can be written are written: after `=>`, as `number:message`
//! (`takes n`: only n of them). At the end: what is kept.

use super::*;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

struct Bench {
    replay: Replay,
    now: Instant,
}

fn text(message: &Message) -> &str {
    core::str::from_utf8(message.as_bytes()).expect("text")
}

impl Bench {
    fn new(config: Config) -> Self {
        Self { replay: Replay::new(config), now: Instant::ZERO }
    }

    /// Everything that can be written, up to this many messages.
    fn written(&mut self, most: usize) -> String {
        let mut written = Vec::new();
        while written.len() < most {
            assert_eq!(
                self.replay.has_message(),
                self.replay.outgoing.has_next(self.replay.window) && self.replay.link == Link::Up
            );
            let Some((number, message)) = self.replay.poll_message() else { break };
            written.push(format!("{number}:{}", text(&message)));
        }
        written.join(" ")
    }

    fn step(&mut self, input: &str) -> String {
        let (input, extra) = input.split_once(' ').unwrap_or((input, ""));
        let (name, arguments) = input.trim_end_matches(')').split_once('(').unwrap_or((input, ""));
        let number = || arguments.split(',').next().and_then(|number| number.parse().ok()).expect("a number");
        let fault = |fault: Fault| format!("fault({fault})");
        match name {
            "send" => match self.replay.send(Message::text(arguments)) {
                Ok(_) if self.replay.link == Link::Up => self.written(9),
                Ok(_) => "kept".to_string(),
                Err(Full(message)) => {
                    assert_eq!(text(&message), arguments, "it comes back");
                    "full".to_string()
                }
            },
            "recv" => {
                let (number, message) = arguments.split_once(',').expect("a number and a message");
                let number = number.parse().expect("a number");
                let arrival = match self.replay.handle_message(self.now, number, Message::text(message)) {
                    Arrival::Deliver(message) => format!("deliver({})", text(&message)),
                    Arrival::Duplicate => "duplicate".to_string(),
                    Arrival::Fault(why) => fault(why),
                };
                let ack =
                    self.replay.poll_ack(self.now).map_or(String::new(), |last| format!(", ack({last})"));
                format!("{arrival}{ack}")
            }
            "ack" => match self.replay.handle_ack(self.now, number()) {
                Some(why) => fault(why),
                None => format!("free={}", self.replay.config.max_messages - self.replay.unacknowledged()),
            },
            "up" => {
                let ours = self.replay.handle_link_up(self.now);
                if let Some(told) = extra.strip_prefix("tells ") {
                    assert_eq!(ours.to_string(), told);
                }
                self.resumed(number(), 9)
            }
            "link" => {
                self.replay.handle_link_up(self.now);
                String::new()
            }
            "resumed" => {
                let most = extra.strip_prefix("takes ").map_or(9, |most| most.parse().expect("a number"));
                self.resumed(number(), most)
            }
            "down" => {
                self.replay.handle_link_down(self.now);
                String::new()
            }
            "wait" => {
                let millis: i64 = arguments.parse().expect("milliseconds");
                let wait = Duration::from_millis(millis.unsigned_abs());
                self.now = if millis < 0 { self.now - wait } else { self.now + wait };
                self.replay.poll_ack(self.now).map_or(String::new(), |last| format!("ack({last})"))
            }
            "along" => self.replay.ack_along().map_or(String::new(), |last| format!("ack({last})")),
            "confirm" => {
                self.replay.confirm(self.now, number());
                String::new()
            }
            "reset" => {
                let back =
                    self.replay.reset().into_iter().map(|Unacknowledged { message, maybe_delivered }| {
                        format!("{}{}", text(&message), if maybe_delivered { " maybe" } else { "" })
                    });
                let back: Vec<_> = back.collect();
                if back.is_empty() { String::new() } else { format!("back({})", back.join(", ")) }
            }
            "window" => {
                let window = Window { messages: number() as u32, bytes: 10 };
                self.replay.config.window = window;
                self.replay.handle_window(window);
                String::new()
            }
            "limit" => {
                self.replay.config.max_messages = number() as usize;
                String::new()
            }
            "confirmation" => {
                self.replay.config.ack_on = AckOn::Confirmation;
                String::new()
            }
            _ => panic!("unknown input {input}"),
        }
    }

    fn resumed(&mut self, last: u64, most: usize) -> String {
        match self.replay.handle_resumed(self.now, last) {
            Ok(()) => self.written(most),
            Err(Lost { last }) => format!("lost({last})"),
        }
    }

    fn waiting(&self) -> String {
        let waiting: Vec<_> = self.replay.outgoing.waiting().map(text).collect();
        format!("[{}]", waiting.join(" "))
    }
}

fn small() -> Config {
    Config { max_bytes: 20, max_messages: 3, ack_messages: 4, ack_bytes: 10, ..Config::default() }
}

#[test]
fn every_row_of_the_table_holds() {
    let mut broken = Vec::new();
    for row in include_str!("tests/table.txt").split("\n\n") {
        let (title, row) = row.trim().split_once('\n').expect("a title and steps");
        let (steps, _) = row.trim().split_once(" | ").expect("what is kept at the end");
        let mut bench = Bench::new(small());
        let played: Vec<_> = steps
            .split("; ")
            .map(|step| {
                let input = step.split(" => ").next().unwrap_or(step);
                let output = bench.step(input);
                if output.is_empty() { input.to_string() } else { format!("{input} => {output}") }
            })
            .collect();
        let played = format!("{} | waiting={}", played.join("; "), bench.waiting());
        if row.trim() != played {
            broken.push(format!("\n{title}\n  want {}\n  got  {played}", row.trim()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.concat());
}

#[test]
fn debug_output_hides_messages() {
    let mut replay = Replay::new(Config::default());
    replay.send(Message::text("a secret")).expect("room");
    let full = Full(Message::text("a secret"));
    assert!(!format!("{replay:?} {full:?}").contains("secret"), "{replay:?}");
}

#[test]
fn the_largest_message_numbers_do_not_overflow() {
    let mut bench = Bench::new(Config::default());
    bench.step("up(0)");
    let last = bench.step(&format!("recv({},x)", u64::MAX));
    assert_eq!(last, format!("fault(gap: expected 1, got {})", u64::MAX));
    assert_eq!(bench.step(&format!("ack({})", u64::MAX)).find("fault"), Some(0));
    bench.replay.handle_link_down(bench.now);
    assert_eq!(bench.step(&format!("up({})", u64::MAX)), format!("lost({})", u64::MAX));
}
