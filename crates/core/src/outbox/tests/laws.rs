//! What leaves is what was queued, for any operations in any order.

use super::*;

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

proptest! {
    #[test]
    fn everything_queued_leaves_unchanged(ops in prop::collection::vec(op(), 0..40), masked in any::<bool>()) {
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
