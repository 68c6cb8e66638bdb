//! Large bodies: copied, not copied, or masked in one of three ways.

use super::*;

#[test]
fn a_server_does_not_copy_large_messages() {
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
fn a_client_masks_unshared_messages_in_place() {
    let mut line = Line::client();
    let body = Bytes::from(vec![7; 3 * F]);
    let place = body.as_ptr().addr();
    let tail = Bytes::from_static(b"tail");
    line.outbox.send(Opcode::Binary, Parts { head: Bytes::new(), body, tail });
    let places: Vec<_> = line.outbox.pieces().map(|piece| piece.as_ptr().addr()).collect();
    // Each fragment, behind its header.
    assert_eq!([places[1], places[3], places[5]], [place, place + F, place + 2 * F]);

    // What others also hold is copied and masked in one pass.
    let mut line = Line::client();
    let body = Bytes::from(vec![7; 10_000]);
    line.outbox.send(Opcode::Binary, body.clone().into());
    assert_eq!(line.outbox.pieces().count(), 1);
    assert_eq!(body, vec![7; 10_000]);
}

#[test]
fn large_copies_reuse_the_same_memory() {
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
    let bodies = b"ab".map(|letter| Bytes::from(vec![letter; 300_000]));
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
fn the_buffer_of_a_large_copy_starts_over_once_the_copy_has_left() {
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
fn parts_that_are_not_copied_leave_one_after_the_other() {
    let mut line = Line::server();
    let [head, body, tail] = b"abc".map(|letter| Bytes::from(vec![letter; 5000]));
    line.outbox.send(Opcode::Binary, Parts { head, body, tail });
    for len in [4, 5000, 2000, 3000, 5000] {
        assert!(line.outbox.first_piece().len() >= len);
        line.take(len);
    }
    assert!(line.outbox.is_empty());
    assert_eq!(line.sent[4..], [vec![b'a'; 5000], vec![b'b'; 5000], vec![b'c'; 5000]].concat());
}
