//! The laws of the API, for any input in any order.

use super::*;
use crate::message::{Delivery, Piece};
use proptest::prelude::*;

/// One step of a host, and how many milliseconds pass before it.
type Step = (u64, Op);

#[derive(Clone, Debug)]
enum Op {
    Input(Vec<u8>),
    /// The same, read into the place that is lent.
    Read(Vec<u8>),
    /// The transport takes this share of what there is.
    Write(prop::sample::Index),
    WriteAll,
    Blocked,
    Reading(bool),
    Wake(u64),
    Timeout,
    Hold,
    Send(usize),
    /// A piece of a message, and whether it is the last.
    Piece(usize, bool),
    Close,
    Fail,
    End(End),
    Events,
}

fn ends() -> impl Strategy<Value = End> {
    prop::sample::select(vec![End::Eof, End::Reset, End::WriteFailed, End::LocalAbort, End::ReadFailed])
}

/// Frames that make sense, mostly, as they come from a client.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let first = prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x82, 0x82, 0x89]);
    let payload = prop_oneof![
        8 => prop::collection::vec(b'a'..=b'z', 0..120),
        1 => (3_000..9_000_usize).prop_map(|len| vec![b'a'; len]),
        1 => prop::collection::vec(any::<u8>(), 0..120),
        1 => Just(Vec::new()),
    ];
    let good = (first, payload).prop_map(|(first, payload)| to_server(first, &payload));
    let close = (prop::sample::select(vec![1000_u16, 1001, 1006, 4000]), "[a-z]{0,9}")
        .prop_map(|(code, reason)| to_server(0x88, &close_payload(code, &reason)));
    prop_oneof![20 => good, 1 => close, 1 => prop::collection::vec(any::<u8>(), 0..20)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => prop::collection::vec(input(), 1..4).prop_map(|frames| Op::Input(frames.concat())),
        2 => input().prop_map(Op::Read),
        4 => any::<prop::sample::Index>().prop_map(Op::Write),
        4 => Just(Op::WriteAll),
        2 => Just(Op::Blocked),
        1 => any::<bool>().prop_map(Op::Reading),
        1 => (0..20_u64).prop_map(Op::Wake),
        2 => Just(Op::Timeout),
        1 => Just(Op::Hold),
        4 => prop_oneof![0..200_usize, 0..70_000_usize].prop_map(Op::Send),
        2 => (prop_oneof![0..200_usize, 0..70_000_usize], any::<bool>()).prop_map(|(len, last)| Op::Piece(len, last)),
        1 => Just(Op::Close),
        1 => ends().prop_map(Op::End),
        4 => Just(Op::Events),
    ]
}

/// How things stand when input comes.
fn before() -> impl Strategy<Value = Vec<Op>> {
    prop::sample::select(vec![
        vec![],
        vec![Op::Events],
        vec![Op::Events, Op::Hold],
        vec![Op::Input(to_server(0x01, b"begun"))],
        vec![Op::End(End::WriteFailed)],
        vec![Op::Fail],
        vec![Op::Close],
        vec![Op::Close, Op::WriteAll],
    ])
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop::sample::select(vec![Delivery::Whole, Delivery::Pieces])
}

/// Steps that lie from no time at all to several heartbeats apart; the last one may end everything.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![4 => Just(0), 4 => 0..50_u64, 2 => 0..400_u64];
    let last = prop_oneof![Just(Op::Fail), Just(Op::Events), ends().prop_map(Op::End)];
    (prop::collection::vec((pause, op()), 0..30), last).prop_map(|(mut steps, last)| {
        steps.push((0, last));
        steps
    })
}

/// A server with short times: ping after 100 ms, death 100 ms later.
fn hurried(delivery: Delivery) -> Connection {
    let mut config = config();
    config.delivery = delivery;
    config.heartbeat.interval = Duration::from_millis(100);
    config.heartbeat.timeout = Duration::from_millis(100);
    config.heartbeat.timeout_max = Duration::from_millis(200);
    config.heartbeat.grace = Duration::from_millis(150);
    config.closing.close_timeout = Duration::from_millis(50);
    config.receive_buffer = 400;
    config.message_timeout = Some(Duration::from_millis(150));
    config.write_timeout = Some(Duration::from_millis(250));
    config.min_ping_interval = Some(Duration::from_millis(1));
    Connection::server(config, [2; 32], T0)
}

/// What a host has seen of its connection.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// With the time at which it was written.
    output: Vec<(Instant, Vec<u8>)>,
    events: Vec<(Instant, Event)>,
}

impl Seen {
    /// With each piece joined to the one before it that is not the last.
    fn in_few_pieces(self) -> Self {
        let mut events: Vec<(Instant, Event)> = Vec::new();
        let mut open: Option<usize> = None;
        for (now, event) in self.events {
            let Event::Piece(piece) = event else {
                events.push((now, event));
                continue;
            };
            let is_last = piece.is_last;
            if let Some((_, Event::Piece(begun))) = open.and_then(|at| events.get_mut(at)) {
                let bytes = [begun.part.as_bytes(), piece.part.as_bytes()].concat();
                *begun = Piece { part: Message::binary(bytes), is_last };
            } else {
                open = Some(events.len());
                let part = Message::binary(piece.part.into_bytes());
                events.push((now, Event::Piece(Piece { part, is_last })));
            }
            open = open.filter(|_| !is_last);
        }
        Self { events, ..self }
    }
}

fn apply(connection: &mut Connection, seen: &mut Seen, now: Instant, op: &Op) {
    match op {
        Op::Input(bytes) => connection.handle_input(now, bytes),
        Op::Read(bytes) => {
            connection.input().extend_from_slice(bytes);
            connection.handle_read(now);
        }
        Op::Write(share) => {
            let waiting = connection.outputs().collect::<Vec<_>>().concat();
            let n = share.index(waiting.len() + 1);
            seen.output.push((now, waiting[..n].to_vec()));
            connection.handle_written(now, n);
        }
        Op::WriteAll => seen.output.push((now, drain(connection, now))),
        Op::Blocked => connection.handle_blocked(now),
        Op::Reading(reading) => connection.set_reading(now, *reading),
        Op::Wake(slept) => connection.handle_wake(now, Duration::from_secs(*slept)),
        Op::Timeout => connection.handle_timeout(now),
        Op::Hold => connection.hold_answer(),
        Op::Send(len) => drop(connection.send(now, Message::binary(vec![7; *len]))),
        Op::Piece(len, is_last) => {
            let part = Message::binary(vec![7; *len]);
            drop(connection.send_piece(now, Piece { part, is_last: *is_last }));
        }
        Op::Close => drop(connection.close(now, Close::normal())),
        Op::Fail => connection.fail(now, CloseCode::INTERNAL_ERROR, "as a test"),
        Op::End(end) => connection.handle_end(now, *end),
        Op::Events => seen.events.extend(events(connection).into_iter().map(|event| (now, event))),
    }
}

/// Calls `handle_timeout` at each deadline before `until`, as a host does that sleeps as long as it may.
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
    fn sleeping_is_as_good_as_ticking(steps in steps(), delivery in delivery()) {
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
    fn a_send_without_a_look_at_the_clock_changes_nothing(steps in steps(), delivery in delivery()) {
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
                // Whatever was late is found by the next call, which comes at once.
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
    fn after_a_timeout_the_next_one_lies_ahead(steps in steps(), delivery in delivery()) {
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
        // Pieces that wait are more events than messages are, and we may not read on.
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
    fn draining_byte_by_byte_changes_no_byte(steps in steps(), is_client in any::<bool>()) {
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
