mod bodies;
mod laws;

use super::*;
use crate::Rng;
use crate::frame::{Decoder, Limits, Role};
use crate::message::{Assembler, Message};
use crate::outbox::unit::Unit;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

const F: usize = 16_384;

fn keys() -> Keys {
    Keys::new(Rng::from_seed([5; 32]))
}

/// An outbox and everything that it has let go of.
struct Line {
    outbox: Outbox,
    sent: Vec<u8>,
}

impl Line {
    fn server() -> Self {
        Self { outbox: Outbox::new(None, F), sent: Vec::new() }
    }

    fn client() -> Self {
        Self { outbox: Outbox::new(Some(keys()), F), sent: Vec::new() }
    }

    fn send(&mut self, letter: char, len: usize) {
        self.outbox.send(Opcode::Binary, Bytes::from(vec![letter as u8; len]).into());
    }

    /// Lets the transport take `n` bytes.
    fn take(&mut self, n: usize) -> Flushed {
        assert_eq!(self.outbox.first_piece(), self.outbox.pieces().next().unwrap_or_default());
        let waiting: Vec<u8> = self.outbox.pieces().collect::<Vec<_>>().concat();
        self.sent.extend(&waiting[..n.min(waiting.len())]);
        self.outbox.written(n)
    }

    /// Lets the transport take `n` bytes, or as many as there are; returns to which frames they belong.
    fn poll(&mut self, n: usize) -> String {
        let start = self.sent.len();
        let mut left = n;
        let mut shown = self.sent.clone();
        while left > 0 && !self.outbox.is_empty() {
            let waiting = self.outbox.pieces().collect::<Vec<_>>().concat();
            shown.truncate(self.sent.len());
            shown.extend(&waiting);
            let n = left.min(waiting.len());
            self.take(n);
            left -= n;
        }
        let role = if self.outbox.keys.is_some() { Role::Server } else { Role::Client };
        describe(role, &shown, start, self.sent.len())
    }

    /// How many bytes leave before a control frame that is queued now.
    fn ahead(&self) -> usize {
        let controls = self.outbox.controls.rest().len();
        controls + self.outbox.units.first().filter(|unit| unit.is_begun()).map_or(0, Unit::left)
    }

    fn left(&self) -> (usize, usize) {
        // Of a unit that has not begun, everything but the header of its only frame.
        let ready = self.outbox.units.iter().filter(|unit| !unit.is_begun()).map(|unit| unit.left() - 4);
        (self.outbox.waiting + ready.sum::<usize>(), self.outbox.controls.rest().len())
    }
}

fn describe(role: Role, stream: &[u8], start: usize, end: usize) -> String {
    let mut decoder = Decoder::new(role, &Limits::default());
    decoder.push(stream);
    let (mut at, mut words) = (0, Vec::new());
    while let Some(header) = decoder.decode().unwrap() {
        let next = at + header.encode().len() + header.len as usize;
        let taken = next.min(end).saturating_sub(at.max(start));
        let name = match header.opcode {
            Opcode::Close => "Close".into(),
            Opcode::Ping => "Ping".into(),
            Opcode::Pong => format!("Pong{}", decoder.payload()[0]),
            _ => {
                let fin = if header.fin { " fin" } else { "" };
                format!("{}[{}{fin}]", char::from(decoder.payload()[0]), header.len)
            }
        };
        if taken > 0 {
            words.push(format!("{name}:{taken}"));
        }
        at = next;
    }
    words.join(" ")
}

#[test]
fn a_ping_overtakes_queued_data_at_a_frame_boundary() {
    let mut line = Line::server();
    line.send('A', 1_048_576);
    assert_eq!(line.outbox.queued(), 1_048_576 + 4 * 4);
    assert_eq!(line.poll(16_388), "A[16384]:16388");
    assert_eq!(line.ahead(), 0);
    line.outbox.ping(&[0; 8]);
    assert_eq!(line.poll(20), "Ping:10 A[16384]:10");
    assert_eq!(line.left(), (1_015_808, 0));
}

#[test]
fn a_fragment_that_has_begun_is_finished_first() {
    let mut line = Line::server();
    line.send('A', 1_048_576);
    assert_eq!(line.poll(1000), "A[16384]:1000");
    assert_eq!(line.ahead(), 15_388);
    line.outbox.ping(&[0; 8]);
    assert_eq!(line.poll(15_388), "A[16384]:15388");
    assert_eq!(line.poll(12), "Ping:10 A[16384]:2");
    assert_eq!(line.left(), (1_015_808, 0));
}

#[test]
fn a_ping_waits_for_one_fragment_at_most() {
    let mut line = Line::server();
    line.send('A', 40_000);
    assert_eq!(line.poll(1), "A[16384]:1");
    assert_eq!(line.ahead(), 16_387);
    line.outbox.ping(&[0; 8]);
    assert_eq!(line.poll(16_397), "A[16384]:16387 Ping:10");
    assert_eq!(line.poll(99_999), "A[16384]:16388 A[7232 fin]:7236");
    assert_eq!(line.left(), (0, 0));
}

#[test]
fn a_close_keeps_its_place_in_the_queue_and_a_ping_does_not_wait() {
    let mut line = Line::server();
    line.send('A', 20_000);
    line.outbox.close(Bytes::from_static(b"\x03\xe8"));
    assert_eq!(line.ahead(), 0);
    line.outbox.ping(&[0; 8]);
    assert_eq!(line.poll(99_999), "Ping:10 A[16384]:16388 A[3616 fin]:3620 Close:4");
    assert_eq!(line.left(), (0, 0));
}

#[test]
fn a_pong_beyond_sixteen_replaces_the_last_one() {
    let mut line = Line::server();
    for number in 1..=16 {
        line.outbox.pong(&[number; 8]);
    }
    line.outbox.ping(&[0; 8]);
    for number in 17..=99 {
        line.outbox.pong(&[number; 3]);
    }
    assert_eq!(line.poll(150), (1..=15).map(|n| format!("Pong{n}:10")).collect::<Vec<_>>().join(" "));
    assert_eq!(line.poll(999), "Ping:10 Pong99:5");
}

#[test]
fn a_pong_that_has_begun_is_not_replaced() {
    let mut line = Line::server();
    line.outbox.pong(&[1; 8]);
    line.take(3);
    for number in 2..=99 {
        line.outbox.pong(&[number; 8]);
    }
    assert_eq!(line.poll(17), "Pong1:7 Pong2:10");
    assert_eq!(line.poll(999).split(' ').next_back(), Some("Pong99:10"));
    assert_eq!(line.sent.len(), 10 + 16 * 10);
}

#[test]
fn a_steady_stream_of_control_frames_does_not_pile_up() {
    let mut line = Line::server();
    line.outbox.pong(&[0; 8]);
    for _ in 0..1000 {
        line.outbox.pong(&[0; 8]);
        line.take(10);
    }
    assert!(line.outbox.controls.rest().len() == 10 && line.outbox.controls.memory() < 100);
}

#[test]
fn small_messages_leave_in_one_piece() {
    let mut line = Line::server();
    for letter in 'a'..='z' {
        line.send(letter, 100);
    }
    assert_eq!(line.outbox.pieces().count(), 1);
    assert_eq!(line.outbox.pieces().next().map(<[u8]>::len), Some(26 * 102));
    assert_eq!(line.outbox.queued(), 26 * 102);
}

#[test]
fn a_batch_is_no_longer_than_a_fragment() {
    let mut line = Line::server();
    for _ in 0..100 {
        line.send('a', 1000);
    }
    let lens: Vec<_> = line.outbox.pieces().map(<[u8]>::len).collect();
    assert!(lens.iter().all(|len| *len <= F + 14) && lens[0] > F - 2000, "{lens:?}");
    assert!((AHEAD..AHEAD + F + 14).contains(&lens.iter().sum()));
    line.take(1);
    assert!(line.ahead() <= F + 14);
}

#[test]
fn a_batch_does_not_grow_before_a_control_frame_that_waits_for_it() {
    let mut line = Line::server();
    line.send('a', 100);
    line.take(1);
    line.outbox.ping(&[0; 8]);
    line.send('b', 100);
    line.outbox.close(Bytes::new());
    assert_eq!(line.poll(999), "a[100 fin]:101 Ping:10 b[100 fin]:102 Close:2");
}

#[test]
fn an_immediate_close_replaces_what_has_not_begun_to_leave() {
    let mut line = Line::server();
    line.send('a', 20_000);
    line.take(1);
    line.send('b', 20_000);
    line.outbox.close_now(Bytes::from_static(b"\x03\xea"));
    assert_eq!(line.outbox.queued(), 16_387 + 4);
    assert_eq!(line.poll(99_999), "a[16384]:16387 Close:4");

    let mut line = Line::server();
    line.send('a', 100);
    line.outbox.pong(&[1; 8]);
    line.outbox.close_now(Bytes::from_static(b"\x03\xea"));
    assert_eq!(line.poll(99_999), "Pong1:10 Close:4");
    assert!(line.outbox.is_empty());
}

#[test]
fn a_close_that_has_left_is_not_sent_again() {
    for step in [1, 4] {
        let mut line = Line::server();
        line.outbox.close(Bytes::from_static(b"\x03\xe8"));
        while line.outbox.written(step) != Flushed::default() {}
        line.outbox.drop_messages();
        assert_eq!(line.outbox.pieces().next(), None);
    }
}

#[test]
fn the_outbox_reports_when_pings_and_the_close_have_left_completely() {
    let mut line = Line::client();
    line.outbox.ping(&[1; 8]);
    line.outbox.pong(&[2; 8]);
    line.outbox.ping(&[3; 8]);
    line.send('a', 10);
    line.outbox.close(Bytes::new());
    assert_eq!(line.take(13), Flushed { bytes: 13, ..Flushed::default() });
    assert_eq!(line.take(1), Flushed { bytes: 1, pings: 1, close: false });
    assert_eq!(line.take(27), Flushed { bytes: 27, ..Flushed::default() });
    assert_eq!(line.take(2), Flushed { bytes: 2, pings: 1, close: false });
    assert!(line.outbox.is_closing());
    assert_eq!(line.take(20), Flushed { bytes: 20, ..Flushed::default() });
    assert_eq!(line.take(9), Flushed { bytes: 1, pings: 0, close: true });
    assert!(line.outbox.is_empty() && !line.outbox.is_closing());
}

#[test]
fn no_more_is_prepared_than_one_write_may_take() {
    let mut line = Line::server();
    line.send('a', 1 << 20);
    let ready = |line: &Line| line.outbox.pieces().map(<[u8]>::len).sum::<usize>();
    assert_eq!(ready(&line), 4 * (F + 4));
    line.outbox.set_fragment(1);
    line.take(4 * (F + 4));
    assert_eq!(ready(&line), MAX_UNITS * 3);
}

#[test]
fn no_more_counts_as_written_than_was_shown() {
    let mut line = Line::client();
    line.outbox.set_fragment(2 << 20);
    let body = Bytes::from(vec![7; 4 * MASKED]);
    line.outbox.send(Opcode::Binary, body.clone().into());
    let waiting = line.outbox.pieces().map(<[u8]>::len).sum::<usize>();
    assert_eq!(line.outbox.written(waiting + 1).bytes, waiting);
    let waiting = line.outbox.pieces().map(<[u8]>::len).sum::<usize>();
    assert_eq!(line.outbox.written(usize::MAX).bytes, waiting);
    assert_eq!(line.outbox.queued(), 4 * MASKED + 14 - 2 * waiting);

    // Nor is a ping that is queued behind it.
    line.outbox.ping(b"1");
    let waiting = line.outbox.pieces().map(<[u8]>::len).sum::<usize>();
    let flushed = line.outbox.written(waiting + 100);
    assert_eq!((flushed.bytes, flushed.pings), (waiting, 0));
}

#[test]
fn an_idle_outbox_owns_no_memory() {
    for mut line in [Line::server(), Line::client()] {
        line.send('a', 100_000);
        line.outbox.ping(&[0; 8]);
        line.outbox.release();
        let before = line.sent.len();
        line.poll(usize::MAX);
        assert_eq!(
            line.sent.len() - before,
            100_000 + 10 + 7 * 4 + 8 * if line.outbox.keys.is_some() { 4 } else { 0 }
        );
        line.outbox.release();
        assert_eq!(line.outbox.memory(), 0);
    }
}

#[test]
fn empty_messages_add_to_the_weight_of_the_queue() {
    let mut line = Line::server();
    line.send('a', 20_000);
    let before = line.outbox.weight();
    for _ in 0..10 {
        line.send('b', 0);
    }
    assert!(line.outbox.weight() >= before + 10);
}
