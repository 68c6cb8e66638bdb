//! Properties of the API that hold for any input in any order.

mod steps;

use super::*;
use crate::message::Delivery;
use proptest::prelude::*;
use steps::*;

/// Calls `handle_timeout` at each deadline before `until`, like a host that sleeps for as long as it may.
fn sleep(connection: &mut Connection, now: &mut Instant, until: Instant) {
    for _ in 0..10_000 {
        match connection.poll_timeout() {
            Some(deadline) if deadline.max(*now) < until => {
                *now = deadline.max(*now);
                connection.handle_timeout(*now);
            }
            _ => return *now = until,
        }
    }
    panic!("no progress");
}

fn check_end(events: &[(Instant, Event)], connection: &Connection) {
    let closed = events.iter().filter(|(_, event)| matches!(event, Event::Closed(_))).count();
    let is_last = matches!(events.last(), Some((_, Event::Closed(_))));
    let is_over = connection.transport() == Transport::Drop;
    assert!(closed == usize::from(is_last) && is_over == is_last, "{events:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn there_is_one_end_and_it_comes_last(steps in steps(), delivery in delivery()) {
        let (mut connection, mut seen, mut now) = (hurried(delivery), Seen::default(), T0);
        for (pause, op) in &steps {
            now += Duration::from_millis(*pause);
            apply(&mut connection, &mut seen, now, op);
        }
        apply(&mut connection, &mut seen, now, &Op::Events);
        check_end(&seen.events, &connection);
        let over = connection.transport() == Transport::Drop;
        prop_assert_eq!(over, connection.poll_timeout().is_none() && !connection.wants_input());
    }

    #[test]
    fn sleeping_to_the_deadline_equals_ticking(steps in steps(), delivery in delivery()) {
        let (mut ticking, mut sleeping) = (hurried(delivery), hurried(delivery));
        let (mut at_ticking, mut at_sleeping) = (Seen::default(), Seen::default());
        let (mut now, mut slept) = (T0, T0);
        for (pause, op) in &steps {
            for _ in 0..*pause {
                ticking.handle_timeout(now);
                now += Duration::from_millis(1);
            }
            sleep(&mut sleeping, &mut slept, now);
            apply(&mut ticking, &mut at_ticking, now, op);
            apply(&mut sleeping, &mut at_sleeping, now, op);
            prop_assert_eq!(&at_ticking, &at_sleeping);
        }
    }

    #[test]
    fn an_early_timeout_changes_nothing(steps in steps(), delivery in delivery()) {
        let (mut plain, mut eager) = (hurried(delivery), hurried(delivery));
        let (mut at_plain, mut at_eager) = (Seen::default(), Seen::default());
        let mut now = T0;
        for (pause, op) in &steps {
            now += Duration::from_millis(*pause);
            if eager.poll_timeout().is_none_or(|deadline| deadline > now) {
                eager.handle_timeout(now);
            }
            apply(&mut plain, &mut at_plain, now, op);
            apply(&mut eager, &mut at_eager, now, op);
            prop_assert_eq!(&at_plain, &at_eager);
            prop_assert_eq!(plain.poll_timeout(), eager.poll_timeout());
        }
    }

    #[test]
    fn a_send_without_reading_the_clock_changes_nothing(steps in steps(), delivery in delivery()) {
        let (mut looking, mut trusting) = (hurried(delivery), hurried(delivery));
        let (mut at_looking, mut at_trusting) = (Seen::default(), Seen::default());
        let mut now = T0;
        for (pause, op) in &steps {
            now += Duration::from_millis(*pause);
            let told = match op {
                Op::Send(_) | Op::Piece(..) => trusting.time_to_send().unwrap_or(now),
                _ => now,
            };
            apply(&mut looking, &mut at_looking, now, op);
            apply(&mut trusting, &mut at_trusting, told, op);
            if told != now {
                // The next call, which comes at once, finds whatever was late.
                for connection in [&mut looking, &mut trusting] {
                    connection.handle_timeout(now);
                }
            }
            prop_assert_eq!(&at_looking, &at_trusting);
            prop_assert_eq!(looking.poll_timeout(), trusting.poll_timeout());
        }
        prop_assert_eq!(looking.stats(), trusting.stats());
    }

    #[test]
    fn the_deadline_after_a_timeout_lies_in_the_future(steps in steps(), delivery in delivery()) {
        let (mut connection, mut seen, mut now) = (hurried(delivery), Seen::default(), T0);
        for (pause, op) in &steps {
            now += Duration::from_millis(*pause);
            apply(&mut connection, &mut seen, now, op);
            connection.handle_timeout(now);
            prop_assert!(connection.poll_timeout().is_none_or(|deadline| deadline > now));
        }
    }

    #[test]
    fn splitting_the_input_changes_nothing(
        before in before(),
        frames in prop::collection::vec(input(), 0..20),
        sizes in prop::collection::vec(prop_oneof![3 => 1..60_usize, 1 => 1..6_000_usize], 1..5),
        in_place in any::<bool>(),
        end in ends(),
        delivery in delivery(),
    ) {
        let bytes = frames.concat();
        let (mut whole, mut split) = (hurried(delivery), hurried(delivery));
        let (mut at_whole, mut at_split) = (Seen::default(), Seen::default());
        let now = at(30);
        for op in &before {
            apply(&mut whole, &mut at_whole, now, op);
            apply(&mut split, &mut at_split, now, op);
        }
        apply(&mut whole, &mut at_whole, now, &Op::Input(bytes.clone()));
        let (mut rest, mut sizes) = (&bytes[..], sizes.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
            let piece = piece.to_vec();
            let op = if in_place { Op::Read(piece) } else { Op::Input(piece) };
            apply(&mut split, &mut at_split, now, &op);
            rest = after;
        }
        // Queued pieces are more events than messages are, so we may have to stop reading.
        if delivery == Delivery::Whole {
            prop_assert_eq!(whole.poll_timeout(), split.poll_timeout());
        }
        for op in [Op::WriteAll, Op::End(end), Op::End(End::Eof), Op::Events] {
            apply(&mut whole, &mut at_whole, now, &op);
            apply(&mut split, &mut at_split, now, &op);
        }
        prop_assert_eq!(at_whole.in_few_pieces(), at_split.in_few_pieces());
    }

    #[test]
    fn draining_byte_by_byte_changes_no_output(steps in steps(), is_client in any::<bool>()) {
        let run = |bytewise| {
            let (mut connection, mut seen) = (if is_client { client() } else { server() }, Seen::default());
            for (_, op) in &steps {
                if !matches!(op, Op::Write(_) | Op::WriteAll) {
                    apply(&mut connection, &mut seen, T0, op);
                }
            }
            let mut sent: Vec<u8> = Vec::new();
            while !connection.output().is_empty() {
                let n = if bytewise { 1 } else { connection.output().len() };
                sent.extend(&connection.output()[..n]);
                connection.handle_written(T0, n);
            }
            sent
        };
        prop_assert!(run(false) == run(true));
    }

    #[test]
    fn the_same_calls_give_the_same_answers(steps in steps()) {
        let run = || {
            let (mut connection, mut seen, mut now) = (client(), Seen::default(), T0);
            for (pause, op) in &steps {
                now += Duration::from_millis(*pause);
                apply(&mut connection, &mut seen, now, op);
            }
            (seen, connection.poll_timeout(), connection.stats())
        };
        prop_assert!(run() == run());
    }

    #[test]
    fn any_bytes_at_any_time_do_no_harm(
        pieces in prop::collection::vec((any::<u64>(), prop::collection::vec(any::<u8>(), 0..200)), 0..20),
        is_client in any::<bool>(),
    ) {
        let mut connection = if is_client { client() } else { server() };
        let mut seen = Seen::default();
        for (nanos, bytes) in pieces {
            let now = Instant::from_nanos(nanos);
            for op in [Op::Input(bytes), Op::Blocked, Op::Timeout, Op::WriteAll, Op::Events] {
                apply(&mut connection, &mut seen, now, &op);
            }
        }
        check_end(&seen.events, &connection);
    }

    #[test]
    fn two_connections_deliver_every_message_in_order(
        lens in prop::collection::vec((any::<bool>(), 0..3000_usize), 0..30),
        sizes in prop::collection::vec(1..3000_usize, 1..6),
    ) {
        let (mut client, mut server) = (client(), server());
        let mut sent = [Vec::new(), Vec::new()];
        let mut received = [Vec::new(), Vec::new()];
        let mut sizes = sizes.into_iter().cycle();
        let mut queue = lens.into_iter().enumerate().peekable();
        let mut idle = 0;
        while queue.peek().is_some() || idle < 2 {
            idle += 1;
            if let Some((number, (to_server, len))) = queue.next() {
                let message = Message::text(alloc::format!("{number} {}", "x".repeat(len)));
                let (from, log) = if to_server { (&mut client, 0) } else { (&mut server, 1) };
                if from.send(T0, message.clone()).is_ok() {
                    sent[log].push(Event::Message(message));
                }
            }
            for (from, to, log) in [(0, 1, 0), (1, 0, 1)] {
                let ends = [&mut client, &mut server];
                let n = sizes.next().unwrap_or(1).min(ends[from].output().len());
                let bytes = ends[from].output()[..n].to_vec();
                ends[from].handle_written(T0, n);
                ends[to].handle_input(T0, &bytes);
                received[log].extend(events(ends[to]));
                idle = if n > 0 { 0 } else { idle };
            }
        }
        prop_assert!(received == sent);
    }
}
