//! The simulator must be right before anything is proven with it.

use super::*;
use bowline_core::{End, Instant, Message, Role};
use std::time::Duration;

const START: Instant = Instant::ZERO;

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn slow() -> Path {
    // 1000 bytes per second in segments of 100: a segment every 100 ms, and 50 ms on the way.
    Path {
        segment: 100,
        send_buffer: 500,
        receive_buffer: 1000,
        ..Path::new(Duration::from_millis(50), Some(1000))
    }
}

/// Steps from event to event; returns what the server could read, and when.
fn arrivals(link: &mut Link, until: Instant) -> Vec<(Instant, usize)> {
    let mut seen = Vec::new();
    while let Some(at) = link.poll_timeout().filter(|at| *at <= until) {
        link.handle_timeout(at);
        while let Read::Bytes(bytes) = link.incoming(Role::Server).read(at, usize::MAX) {
            seen.push((at, bytes.len()));
        }
    }
    seen
}

#[test]
fn a_segment_takes_its_time_on_the_line_and_on_its_way() {
    let mut link = Link::new(slow(), START);
    assert_eq!(link.outgoing(Role::Client).write(START, &[0; 250]), Ok(250));
    assert_eq!(arrivals(&mut link, ms(1000)), [(ms(150), 100), (ms(250), 100), (ms(300), 50)]);
}

#[test]
fn a_full_send_buffer_frees_itself_as_acknowledgements_return() {
    let mut link = Link::new(slow(), START);
    assert_eq!(link.outgoing(Role::Client).write(START, &[0; 800]), Ok(500));
    assert!(!link.outgoing(Role::Client).is_writable());
    link.handle_timeout(ms(199));
    assert_eq!(link.outgoing(Role::Client).room(), 0);
    link.handle_timeout(ms(200));
    assert_eq!(link.outgoing(Role::Client).room(), 100);
}

#[test]
fn a_reader_that_does_not_read_stops_the_writer() {
    let mut link = Link::new(slow(), START);
    let mut taken = 0;
    for at in (0..10_000).step_by(50) {
        link.handle_timeout(ms(at));
        taken += link.outgoing(Role::Client).write(ms(at), &[0; 800]).unwrap();
    }
    // The receive buffer, and the send buffer before it.
    assert_eq!(taken, 1500);
    assert!(link.poll_timeout().is_none());
    link.incoming(Role::Server).read(ms(10_000), 100);
    assert!(link.poll_timeout().is_some());
}

#[test]
fn a_stall_delays_what_has_not_left() {
    let mut link = Link::new(Path { stalls: vec![(ms(100), ms(5000))], ..slow() }, START);
    link.outgoing(Role::Client).write(START, &[0; 200]).unwrap();
    assert_eq!(arrivals(&mut link, ms(10_000)), [(ms(150), 100), (ms(5150), 100)]);
}

#[test]
fn a_fin_comes_after_all_bytes() {
    let mut link = Link::new(slow(), START);
    link.outgoing(Role::Client).write(START, &[0; 150]).unwrap();
    link.outgoing(Role::Client).finish(START);
    assert_eq!(link.outgoing(Role::Client).write(START, &[0]), Err(WriteFailed));
    assert_eq!(arrivals(&mut link, ms(1000)), [(ms(150), 100), (ms(200), 50)]);
    assert_eq!(link.incoming(Role::Server).read(ms(1000), 1), Read::End(End::Eof));
    // The other direction is still open.
    assert_eq!(link.outgoing(Role::Server).write(ms(1000), &[0]), Ok(1));
}

#[test]
fn a_cut_lets_exactly_so_many_bytes_through() {
    for limit in 0..250 {
        let mut link = Link::new(slow(), START);
        link.cut_after(Role::Client, limit, End::Reset);
        link.outgoing(Role::Client).write(START, &[0; 250]).unwrap_or_default();
        let seen: usize = arrivals(&mut link, ms(1000)).iter().map(|(_, len)| len).sum();
        assert_eq!((seen as u64, link.passed(Role::Client)), (limit, limit));
        for role in [Role::Client, Role::Server] {
            assert_eq!(link.incoming(role).read(ms(1000), 1), Read::End(End::Reset), "{limit} {role:?}");
            assert_eq!(link.outgoing(role).write(ms(1000), &[0]), Err(WriteFailed), "{limit} {role:?}");
        }
        assert_eq!(link.poll_timeout(), None);
    }
}

#[test]
fn the_writer_learns_of_a_cut_later_than_the_reader() {
    let mut link = Link::new(slow(), START);
    link.cut_after(Role::Client, 100, End::Eof);
    link.outgoing(Role::Client).write(START, &[0; 150]).unwrap();
    link.handle_timeout(ms(199));
    assert_eq!(link.incoming(Role::Client).read(ms(199), 1), Read::Blocked);
    assert!(link.outgoing(Role::Client).write(ms(199), &[0]).is_ok());
    link.handle_timeout(ms(200));
    assert_eq!(link.incoming(Role::Client).read(ms(200), 1), Read::End(End::Eof));
    assert_eq!(link.outgoing(Role::Client).write(ms(200), &[0]), Err(WriteFailed));
}

#[test]
fn a_black_hole_reports_nothing_and_fills_the_buffer() {
    let mut link = Link::new(slow(), START);
    link.swallow(Role::Client, ms(150));
    let mut taken = 0;
    for at in (0..60_000).step_by(100) {
        link.handle_timeout(ms(at));
        taken += link.outgoing(Role::Client).write(ms(at), &[0; 800]).unwrap();
    }
    assert_eq!((taken, link.passed(Role::Client)), (500, 0));
    assert_eq!(link.incoming(Role::Server).read(ms(60_000), 1), Read::Blocked);
}

#[test]
fn a_middlebox_counts_silence_in_both_directions() {
    let after = Duration::from_secs(60);
    let quiet = |then| {
        let mut link = Link::new(slow(), START);
        link.drop_idle(after, then);
        link.outgoing(Role::Client).write(START, &[0; 50]).unwrap();
        link.handle_timeout(ms(30_000));
        link.outgoing(Role::Server).write(ms(30_000), &[0; 50]).unwrap();
        link.handle_timeout(ms(90_099));
        assert_eq!(
            link.incoming(Role::Server).read(ms(90_099), 1).clone(),
            Read::Bytes([0].as_slice().into())
        );
        link.incoming(Role::Server).read(ms(90_099), 100);
        assert_eq!(link.incoming(Role::Server).read(ms(90_099), 1), Read::Blocked);
        link.handle_timeout(ms(90_100));
        link
    };
    let mut link = quiet(Then::Finish);
    assert_eq!(link.incoming(Role::Server).read(ms(90_100), 1), Read::End(End::Eof));
    let mut link = quiet(Then::Reset);
    assert_eq!(link.incoming(Role::Server).read(ms(90_100), 1), Read::End(End::Reset));
    let mut link = quiet(Then::Swallow);
    link.outgoing(Role::Client).write(ms(90_100), &[0; 50]).unwrap();
    link.handle_timeout(ms(900_000));
    assert_eq!(link.incoming(Role::Server).read(ms(900_000), 1), Read::Blocked);
    let mut link = quiet(Then::ResetLater);
    link.handle_timeout(ms(900_000));
    link.outgoing(Role::Client).write(ms(900_000), &[0; 50]).unwrap();
    link.handle_timeout(ms(900_150));
    assert_eq!(link.outgoing(Role::Client).write(ms(900_150), &[0]), Err(WriteFailed));
}

#[test]
fn writing_to_a_peer_that_left_is_answered_by_a_reset() {
    let mut link = Link::new(slow(), START);
    link.outgoing(Role::Server).write(START, b"last words").unwrap();
    link.leave(START, Role::Server);
    link.handle_timeout(ms(100));
    link.outgoing(Role::Client).write(ms(100), &[0; 10]).unwrap();
    link.handle_timeout(ms(1000));
    assert_eq!(link.outgoing(Role::Client).write(ms(1000), &[0]), Err(WriteFailed));
    // What had arrived before is still there.
    assert_eq!(link.incoming(Role::Client).read(ms(1000), 100), Read::Bytes("last words".into()));
    assert_eq!(link.incoming(Role::Client).read(ms(1000), 100), Read::End(End::Eof));
}

#[test]
fn pieces_are_never_empty() {
    let mut random = Pieces::random(1);
    let sizes: Vec<_> = (0..1000).map(|_| random.next(1000)).collect();
    assert!(sizes.iter().all(|size| (1..=1000).contains(size)));
    assert!(sizes.contains(&1) && sizes.iter().any(|size| *size > 900));
    assert_eq!((Pieces::Bytes.next(9), Pieces::Whole.next(9)), (1, 9));
}

#[test]
fn a_pair_talks_in_pieces_of_any_size() {
    for pieces in [Pieces::Whole, Pieces::Bytes, Pieces::random(7)] {
        let mut pair = Pair::default();
        for host in [&mut pair.client, &mut pair.server] {
            host.reads = pieces.clone();
            host.writes = pieces.clone();
        }
        let text = Message::text("x".repeat(10_000));
        pair.client.connection.send(pair.now(), text.clone()).unwrap();
        pair.server.connection.send(pair.now(), Message::binary("y")).unwrap();
        pair.run_for(Duration::from_secs(1));
        assert_eq!(pair.server_messages().collect::<Vec<_>>(), [&text]);
        assert_eq!(pair.client_messages().collect::<Vec<_>>(), [&Message::binary("y")]);
    }
}

#[test]
fn the_same_seed_runs_the_same_way_twice() {
    let trace = |seed| {
        let mut pair = Pair::new(
            bowline_core::connection::Config::default(),
            bowline_core::connection::Config::default(),
            Link::new(Path::default(), START),
            seed,
        );
        pair.client.tap = Some(Vec::new());
        pair.client.connection.send(pair.now(), Message::text("hello")).unwrap();
        pair.run_for(Duration::from_secs(100));
        pair.client.tap
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}

#[test]
fn a_world_moves_files_both_ways() {
    let mut world = World::new(3);
    let up: Vec<u8> = (0..300_000).map(|i| (i % 251) as u8).collect();
    let id = world.upload("up", up.clone());
    world.download("down", vec![9; 200_000]);
    assert!(world.run(Duration::from_secs(60)), "{world:?}");
    assert_eq!(world.server_disk.file("up"), up);
    assert_eq!(world.client_disk.file("down"), vec![9; 200_000]);
    assert_eq!(world.done(id), Some((300_000, 0)));
    assert_eq!(world.dials(), 1);
}

#[test]
fn a_world_dials_until_somebody_answers() {
    let mut world = World::new(4);
    world.dialler = Box::new(|n, now| (n >= 3).then(|| Link::new(Path::default(), now)));
    world.upload("up", vec![1; 1000]);
    assert!(world.run(Duration::from_secs(60)), "{world:?}");
    assert_eq!(world.dials(), 4);
}

#[test]
fn only_the_chosen_bytes_are_damaged() {
    let mut link = Link::new(Path { segment: 4, ..Path::default() }, Instant::ZERO);
    link.damage(Role::Client, 5, 0x20);
    link.damage(Role::Client, 3, 0x20);
    link.outgoing(Role::Client).write(Instant::ZERO, b"abcdefgh").unwrap();
    link.handle_timeout(Instant::from_secs(1));
    assert_eq!(link.incoming(Role::Server).read(Instant::from_secs(1), 100), Read::Bytes("abcDeFgh".into()));
}
