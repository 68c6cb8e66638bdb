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

    /// Lets the transport take `n` bytes, or as many as there are; says which frames they belong to.
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
        // Of a unit that has not begun, all but the header of its only frame.
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
fn a_close_keeps_its_place_and_a_ping_does_not_wait() {
    let mut line = Line::server();
    line.send('A', 20_000);
    line.outbox.close(Bytes::from_static(b"\x03\xe8"));
    assert_eq!(line.ahead(), 0);
    line.outbox.ping(&[0; 8]);
    assert_eq!(line.poll(99_999), "Ping:10 A[16384]:16388 A[3616 fin]:3620 Close:4");
    assert_eq!(line.left(), (0, 0));
}

#[test]
fn beyond_sixteen_pongs_the_newest_replaces_the_last() {
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
fn controls_that_never_run_out_do_not_pile_up() {
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
fn a_close_that_does_not_wait_replaces_what_has_not_begun() {
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
fn a_close_that_has_left_does_not_come_back() {
    for step in [1, 4] {
        let mut line = Line::server();
        line.outbox.close(Bytes::from_static(b"\x03\xe8"));
        while line.outbox.written(step) != Flushed::default() {}
        line.outbox.drop_messages();
        assert_eq!(line.outbox.pieces().next(), None);
    }
}

#[test]
fn it_tells_when_pings_or_the_close_have_left_completely() {
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
fn a_server_does_not_copy_what_is_large() {
    let mut line = Line::server();
    let body = Bytes::from(vec![7; 40_000]);
    let place = body.as_ptr();
    line.outbox.send(
        Opcode::Binary,
        Parts { head: Bytes::from_static(b"head"), body, tail: Bytes::from_static(b"tail") },
    );
    let lens: Vec<_> = line.outbox.pieces().map(<[u8]>::len).collect();
    assert_eq!(lens, [4, 4, F - 4, 4, F, 4, 40_000 + 4 - 2 * F, 4]);
    assert_eq!(line.outbox.pieces().nth(2).map(<[u8]>::as_ptr), Some(place));
}

#[test]
fn no_more_is_made_ready_than_one_write_may_take() {
    let mut line = Line::server();
    line.send('a', 1 << 20);
    let ready = |line: &Line| line.outbox.pieces().map(<[u8]>::len).sum::<usize>();
    assert_eq!(ready(&line), 4 * (F + 4));
    line.outbox.set_fragment(1);
    line.take(4 * (F + 4));
    assert_eq!(ready(&line), MAX_UNITS * 3);
}

#[test]
fn a_client_masks_in_place_what_it_owns_alone() {
    let mut line = Line::client();
    let body = Bytes::from(vec![7; 3 * F]);
    let place = body.as_ptr().addr();
    let tail = Bytes::from_static(b"tail");
    line.outbox.send(Opcode::Binary, Parts { head: Bytes::new(), body, tail });
    let places: Vec<_> = line.outbox.pieces().map(|piece| piece.as_ptr().addr()).collect();
    // Each fragment, behind its header.
    assert_eq!([places[1], places[3], places[5]], [place, place + F, place + 2 * F]);

    // What others hold too is copied and masked in one pass.
    let mut line = Line::client();
    let body = Bytes::from(vec![7; 10_000]);
    line.outbox.send(Opcode::Binary, body.clone().into());
    assert_eq!(line.outbox.pieces().count(), 1);
    assert_eq!(body, vec![7; 10_000]);
}

#[test]
fn large_copies_go_through_the_same_memory() {
    const LEN: usize = 1 << 20;
    let mut line = Line::client();
    (0..8).for_each(|_| line.send('s', F));
    line.outbox.set_fragment(LEN);
    let shared = Bytes::from(vec![7; LEN]);
    for _ in 0..30 {
        line.outbox.send(Opcode::Binary, shared.clone().into());
        // One write takes the rest of a unit and most of the next one.
        while line.outbox.queued() > LEN {
            line.take(LEN - 20_000);
        }
    }
    let memory = line.outbox.memory();
    assert!(memory < 3 * LEN, "{memory} bytes");
}

#[test]
fn a_large_copy_is_masked_as_it_leaves() {
    const LEN: usize = 4 * MASKED;
    let body: Bytes = (0..LEN).map(|n| (n % 251) as u8).collect();
    for step in [999, 133_000, MASKED, usize::MAX] {
        let mut line = Line::client();
        line.outbox.set_fragment(LEN);
        line.outbox.send(Opcode::Binary, body.clone().into());
        let mut writes = 0;
        while !line.outbox.is_empty() {
            let waiting = line.outbox.pieces().map(<[u8]>::len).sum::<usize>();
            assert!(waiting > MASKED / 5 || waiting == line.outbox.queued(), "{waiting} bytes are little");
            line.take(step.min(waiting));
            writes += 1;
            let memory = line.outbox.memory();
            assert!(memory < MASKED + 2000, "{memory} bytes");
        }
        assert!(step < MASKED || writes == LEN / MASKED + 1, "{writes} writes");
        let mut decoder = Decoder::new(Role::Server, &Limits::default());
        decoder.push(&line.sent);
        assert!(decoder.decode().unwrap().is_some_and(|header| header.fin));
        assert!(decoder.take() == body && decoder.is_between_frames());
    }
}

#[test]
fn nothing_is_written_inside_a_frame_that_is_masked_as_it_leaves() {
    let mut line = Line::client();
    line.outbox.set_fragment(2 << 20);
    let bodies = [b'a', b'b'].map(|letter| Bytes::from(vec![letter; 300_000]));
    for body in &bodies {
        line.outbox.send(Opcode::Binary, body.clone().into());
    }
    line.take(1);
    line.outbox.ping(&[0; 8]);
    line.outbox.close(Bytes::new());
    assert_eq!(line.poll(300_013), "a[300000 fin]:300013");
    assert_eq!(line.poll(usize::MAX), "Ping:14 b[300000 fin]:300014 Close:6");
}

#[test]
fn a_place_through_which_a_large_copy_has_left_begins_anew() {
    let mut line = Line::client();
    line.outbox.set_fragment(2 << 20);
    let body = Bytes::from(vec![b'a'; 300_000]);
    line.outbox.send(Opcode::Binary, body.clone().into());
    assert_eq!(line.poll(usize::MAX), "a[300000 fin]:300014");
    line.send('b', 5);
    line.outbox.ping(&[0; 8]);
    assert_eq!(line.poll(usize::MAX), "Ping:14 b[5 fin]:11");
}

#[test]
fn more_than_was_shown_cannot_be_written() {
    let mut line = Line::client();
    line.outbox.set_fragment(2 << 20);
    let body = Bytes::from(vec![7; 4 * MASKED]);
    line.outbox.send(Opcode::Binary, body.clone().into());
    let waiting = line.outbox.pieces().map(<[u8]>::len).sum::<usize>();
    assert_eq!(line.outbox.written(waiting + 1).bytes, waiting);
    let waiting = line.outbox.pieces().map(<[u8]>::len).sum::<usize>();
    assert_eq!(line.outbox.written(usize::MAX).bytes, waiting);
    assert_eq!(line.outbox.queued(), 4 * MASKED + 14 - 2 * waiting);

    // Nor is a ping that stands behind.
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
fn empty_messages_have_a_weight() {
    let mut line = Line::server();
    line.send('a', 20_000);
    let before = line.outbox.weight();
    for _ in 0..10 {
        line.send('b', 0);
    }
    assert!(line.outbox.weight() >= before + 10);
}

/// What a test does to an outbox.
#[derive(Clone, Debug)]
enum Op {
    Send { text: bool, head: usize, body: usize, tail: usize, shared: bool },
    Ping,
    Pong,
    Fragment(usize),
    Take(prop::sample::Index),
}

fn op() -> impl Strategy<Value = Op> {
    let body = prop_oneof![4 => 0..200_usize, 4 => 0..9000_usize, 1 => AHEAD..3 * MASKED];
    let send = (any::<bool>(), 0..40_usize, body, 0..9_usize, any::<bool>())
        .prop_map(|(text, head, body, tail, shared)| Op::Send { text, head, body, tail, shared });
    prop_oneof![
        4 => send,
        1 => Just(Op::Ping),
        1 => Just(Op::Pong),
        1 => prop_oneof![2 => 1..6000_usize, 1 => AHEAD..4 * MASKED].prop_map(Op::Fragment),
        4 => any::<prop::sample::Index>().prop_map(Op::Take),
    ]
}

/// Runs the ops, lets everything leave after a Close, and checks what leaves on the way.
fn run(ops: &[Op], masked: bool, drain: impl Fn(usize) -> usize) -> (Vec<u8>, Vec<Message>, usize) {
    let mut line = Line { outbox: Outbox::new(masked.then(keys), 1000), sent: Vec::new() };
    let (mut messages, mut shared_bodies, mut controls) = (Vec::new(), Vec::new(), 0);
    let (mut flushed_pings, mut fragment) = (0, 1000);
    for (number, op) in ops.iter().enumerate() {
        let ahead = line.ahead();
        match op {
            Op::Send { text, head, body, tail, shared } => {
                let bytes = |len| Bytes::from(vec![b'a' + (number % 26) as u8; len]);
                let parts = Parts { head: bytes(*head), body: bytes(*body), tail: bytes(*tail) };
                let whole = parts.clone().into_bytes();
                if *shared {
                    shared_bodies.push(parts.body.clone());
                }
                let opcode = if *text { Opcode::Text } else { Opcode::Binary };
                line.outbox.send(opcode, parts);
                messages.push(match core::str::from_utf8(&whole) {
                    Ok(whole) if *text => Message::text(whole),
                    _ => Message::Binary(whole.clone()),
                });
            }
            Op::Ping => line.outbox.ping(&[0; 8]),
            Op::Pong => line.outbox.pong(&[0; 8]),
            Op::Fragment(size) => {
                line.outbox.set_fragment(*size);
                fragment = fragment.max(*size);
            }
            Op::Take(index) => {
                let waiting = line.outbox.pieces().map(<[u8]>::len).sum::<usize>();
                flushed_pings += line.take(index.index(waiting + 1)).pings;
            }
        }
        if matches!(op, Op::Ping | Op::Pong) {
            controls += 1;
            assert!(ahead <= fragment + 14 + 14 * controls, "{ahead}");
        }
    }
    line.outbox.close(Bytes::from_static(b"\x03\xe8"));
    while !line.outbox.is_empty() {
        let waiting = line.outbox.pieces().map(<[u8]>::len).sum::<usize>();
        let flushed = line.take(drain(waiting));
        flushed_pings += flushed.pings;
        assert_eq!(flushed.close, line.outbox.is_empty());
    }
    assert_eq!(line.outbox.weight(), 0);
    assert_eq!(flushed_pings as usize, ops.iter().filter(|op| matches!(op, Op::Ping)).count());
    (line.sent, messages, controls)
}

#[test]
fn parts_that_are_not_copied_leave_one_after_the_other() {
    let mut line = Line::server();
    let [head, body, tail] = [b'a', b'b', b'c'].map(|letter| Bytes::from(vec![letter; 5000]));
    line.outbox.send(Opcode::Binary, Parts { head, body, tail });
    for len in [4, 5000, 2000, 3000, 5000] {
        assert!(line.outbox.first_piece().len() >= len);
        line.take(len);
    }
    assert!(line.outbox.is_empty());
    assert_eq!(line.sent[4..], [vec![b'a'; 5000], vec![b'b'; 5000], vec![b'c'; 5000]].concat());
}

proptest! {
    #[test]
    fn what_leaves_is_what_was_queued(ops in prop::collection::vec(op(), 0..40), masked in any::<bool>()) {
        let (sent, messages, controls) = run(&ops, masked, |waiting| waiting);
        let role = if masked { Role::Server } else { Role::Client };
        let mut decoder = Decoder::new(role, &Limits::default());
        // A long message may leave in more fragments than a peer takes.
        let mut assembler = Assembler::new(Limits { fragments: None, ..Limits::default() });
        decoder.push(&sent);
        let (mut seen, mut seen_controls, mut closed) = (Vec::new(), 0, false);
        while let Some(header) = decoder.decode().unwrap() {
            prop_assert!(!closed);
            match header.opcode {
                Opcode::Close => closed = true,
                Opcode::Ping | Opcode::Pong => seen_controls += 1,
                _ => seen.extend(assembler.handle_frame(&header, &mut decoder).unwrap()),
            }
        }
        prop_assert!(closed && decoder.is_between_frames());
        prop_assert_eq!(seen, messages);
        prop_assert!(seen_controls <= controls && seen_controls >= controls.min(16));
    }

    #[test]
    fn the_drain_schedule_changes_no_byte(
        ops in prop::collection::vec(op(), 0..20),
        masked in any::<bool>(),
        step in 1..3000_usize,
    ) {
        let ops: Vec<_> = ops.into_iter().filter(|op| !matches!(op, Op::Take(_))).collect();
        let whole = run(&ops, masked, |waiting| waiting);
        let stepwise = run(&ops, masked, |waiting| step.min(waiting));
        prop_assert!(whole == stepwise);
    }
}
