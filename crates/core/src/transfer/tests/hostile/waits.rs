//! Peers that keep us waiting.

use super::*;

#[test]
fn a_peer_that_never_sends_hello_ends_the_link() {
    let mut mute = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
    mute.handle_link_up(Instant::from_secs(5), None);
    let mut victim = Victim(mute);
    let end = Instant::from_secs(65);
    assert_eq!(victim.0.poll_timeout(), Some(end));
    victim.0.handle_timeout(end);
    let said = victim.say(end);
    assert_eq!(broken_because(&said), Some((Code::Protocol, "no HELLO for 60 s")));
    assert_eq!(victim.0.poll_timeout(), None);
}

/// What an end sends, by handle, while its peer accepts nothing for an hour of deadlines.
fn said_after_an_hour(mut victim: Victim) -> Vec<u32> {
    let mut now = Instant::ZERO;
    while now < Instant::from_secs(3600) {
        now = victim.0.poll_timeout().expect("it is at work");
        victim.0.handle_timeout(now);
    }
    let handle = |frame| if let Frame::Finishing(handle, _) = frame { Some(handle) } else { None };
    victim.say(now).into_iter().filter_map(handle).collect()
}

#[test]
fn a_peer_that_reads_nothing_gets_one_notice_for_each_active_transfer() {
    let mut server = Victim::new();
    server.offer(1, 1, 1 << 20);
    server.offer(3, 2, 1 << 20);
    server.hear(Frame::Request(5, asked(id(3), name("file"))));
    assert_eq!(said_after_an_hour(server), [1, 3, 5]);

    let mut client = Transfers::new(Role::Client, Config::default(), Instant::ZERO);
    client.offer(Instant::ZERO, Offer::new(id(1), name("file"), 1 << 20)).expect("new");
    client.handle_link_up(Instant::ZERO, None);
    let mut client = Victim(client);
    client.hear(hello());
    client.hear(Frame::Accept(1, Accept { credit: 1 << 40, ..accept() }));
    assert_eq!(said_after_an_hour(client), [1], "its source gives nothing");
}

#[test]
fn no_work_is_announced_for_a_transfer_that_has_ended() {
    let mut victim = Victim::new();
    victim.offer(1, 1, 1 << 20);
    let now = Instant::from_secs(1);
    victim.0.handle_timeout(now);
    victim.0.fail(now, id(1), Failure::local(Code::Rejected, ""));
    let said = victim.say(now);
    assert!(matches!(said[..], [Frame::Cancel(1, _)]), "{said:?}");
}

/// A server that receives `len` bytes of the transfer every second; returns what it sends about that, and when.
fn trickle(victim: &mut Victim, len: usize, seconds: u64) -> Option<(u64, String)> {
    for second in 0..seconds {
        let now = Instant::from_secs(second);
        victim.0.handle_timeout(now);
        let mut said = victim.say(now);
        let offset = len as u64 * second;
        said.extend(
            victim.hear_at(now, Frame::Data(1, Data { offset, seq: 0, payload: contents(0, len).into() })),
        );
        if let Some((code, text)) = cancelled_because(&said) {
            assert_eq!(code, Code::Stalled);
            return Some((second, text.into()));
        }
        victim.0.written(now, id(1), offset + len as u64);
    }
    None
}

#[test]
fn a_sender_that_trickles_is_given_up() {
    let why = "the rate was 1000 bytes a second over 60 s, and the least allowed here is 1024".into();
    assert_eq!(trickle(&mut Victim::with_transfer(1 << 30), 1000, 100), Some((60, why)));
}

#[test]
fn a_sender_limit_below_the_least_rate_is_reported_with_both_numbers() {
    let mut world = World::with(Config { min_rate: Some(10_000), ..Config::default() });
    world.client = End::new(Role::Client, Config { limit_rate: Some(5000), ..Config::default() });
    world.send(id(1), "file", contents(1, 2_000_000));
    world.link_up();
    world.run(Duration::from_secs(70));
    let retried = world.client.told.iter().find_map(|event| match event {
        Event::Retrying { failure, .. } => Some((failure.code, std::format!("{failure}"))),
        _ => None,
    });
    let text = "the other side says: the rate was 5014 bytes a second over 60 s, and the least allowed here is 10000";
    assert_eq!(retried, Some((Code::Stalled, text.into())));
}

#[test]
fn a_sender_that_is_slow_but_fast_enough_is_kept() {
    assert_eq!(trickle(&mut Victim::with_transfer(1 << 30), 1024, 1000), None);
}

#[test]
fn several_transfers_share_the_least_rate_of_a_link() {
    let mut victim = Victim::with_transfer(1 << 30);
    for n in 2..5 {
        victim.offer(2 * u32::from(n) + 1, n, 1 << 20);
    }
    assert_eq!(trickle(&mut victim, 260, 500), None);
    let mut victim = Victim::with_transfer(1 << 30);
    victim.offer(3, 2, 1 << 20);
    let why =
        "the rate was 260 bytes a second over 60 s, and the least allowed here is 512 for one of 2 transfers"
            .into();
    assert_eq!(trickle(&mut victim, 260, 500), Some((60, why)));
}

#[test]
fn a_sender_that_waits_for_our_disk_does_not_count_as_trickling() {
    let mut victim = Victim::with_transfer(1 << 30);
    for n in 0..3 {
        assert_eq!(cancelled(&victim.data(n << 20, 1 << 20)), None);
    }
    // All credit is used up: for ten minutes only our disk could change that.
    for second in 0..600 {
        victim.0.handle_timeout(Instant::from_secs(second));
        assert_eq!(
            cancelled(&victim.hear_at(Instant::from_secs(second), Frame::Finishing(1, wire::Phase::Verify))),
            None
        );
    }
}

#[test]
fn the_least_rate_is_optional() {
    let mut victim = Victim::linked(Role::Server, Config { min_rate: None, ..Config::default() });
    victim.hear(hello());
    victim.offer(1, 1, 1 << 20);
    victim.0.answer(
        Instant::ZERO,
        id(1),
        Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None },
    );
    assert_eq!(trickle(&mut victim, 64, 1000), None);
}

/// A sender that only reports, every second, that it is at work; returns when it is given up, and why.
fn at_work(victim: &mut Victim) -> (u64, String) {
    let ended = (0..2000).find_map(|second| {
        let now = Instant::from_secs(second);
        victim.0.handle_timeout(now);
        let mut said = victim.say(now);
        said.extend(victim.hear_at(now, Frame::Finishing(1, wire::Phase::Verify)));
        cancelled_because(&said).map(|(code, text)| (second, code, String::from(text)))
    });
    let (second, code, text) = ended.expect("an end");
    assert_eq!(code, Code::Stalled);
    (second, text)
}

#[test]
fn a_receiver_waits_for_a_sender_at_work_but_not_forever() {
    let mut victim = Victim::with_transfer(1000);
    victim.data(0, 1000);
    victim.0.written(Instant::ZERO, id(1), 1000);
    let (second, why) = at_work(&mut victim);
    // Ten minutes, and then as long as for any other silence.
    assert_eq!((second, why.as_str()), (720, "nothing arrived for 2 min"));
}

#[test]
fn a_sender_that_could_send_does_not_count_as_at_work() {
    let why = "the rate was 0 bytes a second over 60 s, and the least allowed here is 1024".into();
    assert_eq!(at_work(&mut Victim::with_transfer(1 << 30)), (60, why));
}

#[test]
fn a_sender_says_that_it_is_at_work_during_a_slow_digest() {
    let data = contents(1, 70_000);
    let mut world = World::new();
    world.send(id(1), "file", data);
    world.link_up();
    // Everything is fast except the digest.
    let mut hashes = Vec::new();
    let end = world.now + Duration::from_secs(500);
    while world.now < end {
        for _ in 0..200 {
            world.poll_messages();
            world.deliver(true);
            world.deliver(false);
            world.client.collect();
            let is_hash = |event: &Event| matches!(event, Event::Hash { .. });
            while let Some(at) = world.client.effects.iter().position(is_hash) {
                hashes.extend(world.client.effects.remove(at));
            }
            world.client.carry_out_one(world.now);
            world.server.carry_out_one(world.now);
        }
        if !world.jump() {
            break;
        }
    }
    assert!(world.now >= end, "{:?}", world.now);
    assert_eq!((world.client.failure(id(1)), world.server.failure(id(1))), (None, None));
    world.client.effects.extend(hashes);
    world.run(Duration::from_secs(10));
    assert!(world.client.done(id(1)));
}

fn goaway() -> Frame {
    Frame::GoAway { code: Code::ShuttingDown, retry_after: Duration::from_secs(1) }
}

/// 49 days and some hours, the most that a frame can express.
const FOR_EVER: Duration = Duration::from_millis(u32::MAX as u64);

#[test]
fn no_peer_can_make_us_wait_for_more_than_an_hour() {
    let hour = Duration::from_secs(3600);
    let mut victim = Victim::sending(1_000_000);
    victim.hear(Frame::Cancel(1, super::super::script::cancel(Code::Busy, FOR_EVER)));
    victim.hear(Frame::GoAway { code: Code::ShuttingDown, retry_after: FOR_EVER });
    let waits: Vec<_> = core::iter::from_fn(|| victim.0.poll_event())
        .filter_map(|event| match event {
            Event::Retrying { after, .. } => Some(after),
            Event::GoingAway { retry_after, .. } => Some(retry_after),
            _ => None,
        })
        .collect();
    assert_eq!(waits, [hour; 2]);
}

#[test]
fn a_link_is_not_kept_for_a_peer_that_is_slow_to_go_away() {
    let mut victim = Victim::linked(Role::Client, Config::default());
    victim.hear(hello());
    victim.hear_at(Instant::from_secs(3), goaway());
    assert_eq!(victim.0.poll_timeout(), None, "nothing waits");
    victim.0.offer(Instant::from_secs(4), Offer::new(id(1), name("file"), 5)).expect("new");
    victim.0.request(Instant::from_secs(4), id(2), name("other")).expect("new");
    assert_eq!(victim.say(Instant::from_secs(4)), [], "no new ones on this link");
    let end = Instant::from_secs(63);
    assert_eq!(victim.0.poll_timeout(), Some(end));
    victim.0.handle_timeout(end);
    let said = victim.say(end);
    let text = "the connection is still open 60 s after GOAWAY, and transfers wait";
    assert_eq!(broken_because(&said), Some((Code::ShuttingDown, text)));
    victim.0.handle_link_down(end);
    victim.0.handle_link_up(end, None);
    assert_eq!(victim.0.len(), 2, "they go on on the next link");
}

#[test]
fn transfers_under_way_may_end_before_a_peer_goes_away() {
    let mut victim = Victim::sending(1_000_000);
    victim.hear(goaway());
    victim.0.offer(Instant::ZERO, Offer::new(id(2), name("other"), 5)).expect("new");
    for second in 1..200 {
        let now = Instant::from_secs(second);
        victim.0.handle_timeout(now);
        victim.hear_at(now, Frame::Finishing(1, wire::Phase::Verify));
        assert!(victim.0.progress(id(1)).is_some(), "{second}");
    }
    let now = Instant::from_secs(200);
    victim.0.fail(now, id(1), Failure::local(Code::Cancelled, ""));
    victim.say(now);
    victim.0.handle_timeout(now);
    assert_eq!(broken(&victim.say(now)), Some(Code::ShuttingDown));
}
