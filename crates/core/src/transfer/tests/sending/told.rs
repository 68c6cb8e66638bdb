//! What a transfer reports about itself and its progress.

use super::*;

#[test]
fn both_ends_report_the_stage_of_a_transfer() {
    let stage = |end: &Scripted| end.0.progress(id(1)).map(|progress| progress.stage);
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 100_000)).expect("new");
    assert_eq!(stage(&sender), Some(Stage::Waiting));
    let offer = sender.say();
    assert!(matches!(offer[..], [Frame::Offer(1, _)]), "{offer:?}");
    assert_eq!(stage(&sender), Some(Stage::Opening));
    let mut receiver = Scripted::server();
    receiver.hear_offer(1, 1, 100_000);
    assert_eq!(stage(&receiver), Some(Stage::Opening));

    receiver.take(1);
    sender.hear(Frame::Accept(1, accept(1 << 20)));
    receiver.hear_data(1, 0, 99_999);
    assert_eq!((stage(&sender), stage(&receiver)), (Some(Stage::Moving), Some(Stage::Moving)));
    assert_eq!((sender.0.moved(), receiver.0.moved()), (0, 99_999));

    sender.read();
    assert_eq!(sender.sent(), 100_000);
    receiver.hear_data(1, 99_999, 1);
    assert_eq!((stage(&sender), stage(&receiver)), (Some(Stage::Finishing), Some(Stage::Finishing)));
    assert_eq!((sender.0.moved(), receiver.0.moved()), (100_000, 100_000));
    assert_eq!((sender.0.received(), receiver.0.received()), (0, 100_000));
}

#[test]
fn both_ends_report_their_traffic() {
    let at = Instant::from_millis;
    let mut receiver = Scripted::server();
    receiver.hear_offer(1, 1, 100_000);
    receiver.take(1);
    assert_eq!(receiver.0.traffic().chunk, None);
    receiver.hear_data(1, 0, 30_000);
    let traffic = receiver.0.traffic();
    assert_eq!((traffic.moved, traffic.chunk, traffic.window), (30_000, Some(30_000), None));
    assert_eq!(traffic.control_delay, None, "nothing was measured");

    let mut sender = Scripted::sending(100_000);
    assert_eq!(sender.0.traffic(), Traffic::default());
    let millis = |millis| Some(Duration::from_millis(millis));
    for rtt in [40, 120] {
        sender.0.handle_rtt(at(0), Duration::from_millis(rtt));
    }
    let traffic = sender.0.traffic();
    assert_eq!((traffic.round_trip, traffic.control_delay), (millis(50), None), "40 and an eighth of 80");
    sender.read();
    let sent: usize = sender
        .say()
        .iter()
        .map(|frame| match frame {
            Frame::Data(_, data) => data.payload.len(),
            _ => 0,
        })
        .sum();
    let traffic = sender.0.traffic();
    assert_eq!((traffic.moved, traffic.in_flight), (0, sent as u64));
    assert_eq!((traffic.chunk, traffic.window), (Some(16_384), Some(sender.0.window())));
    assert_eq!(traffic.control_delay, millis(10));

    sender.hear_ack(sent as u64, None);
    let traffic = sender.0.traffic();
    assert_eq!((traffic.moved, traffic.in_flight), (sent as u64, 0));

    sender.0.handle_link_down(at(3));
    assert_eq!(sender.0.traffic(), Traffic { moved: sent as u64, ..Traffic::default() });
    sender.0.handle_link_up(at(4), None);
    assert_eq!(sender.0.traffic().moved, sent as u64, "what was carried before counts");
}

#[test]
fn bytes_that_arrived_before_a_link_broke_count_on_the_next() {
    let mut sender = Scripted::sending(1 << 30);
    sender.read();
    sender.say();
    assert_eq!(sender.0.moved(), 0);
    sender.relink();
    sender.say();
    sender.hear(Frame::Accept(1, wire::Accept { resume: 4096, ..accept(1 << 30) }));
    assert_eq!(sender.0.moved(), 4096);
    // What another process had delivered does not count.
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 1 << 30)).expect("new");
    sender.say();
    sender.hear(Frame::Accept(1, wire::Accept { resume: 4096, ..accept(1 << 30) }));
    assert_eq!(sender.0.moved(), 0);
}

#[test]
fn early_chunks_do_not_claim_the_part_of_another_process() {
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 10_000)).expect("new");
    sender.say();
    sender.read();
    assert_eq!(lengths(&sender.say()).iter().sum::<usize>(), 10_000);
    sender.hear(Frame::Accept(1, wire::Accept { resume: 4096, ..accept(10_000) }));
    assert_eq!(sender.0.moved(), 0);
    sender.hear_ack(10_000, None);
    assert_eq!(sender.0.moved(), 10_000 - 4096);
}

#[test]
fn bytes_sent_twice_are_counted() {
    let mut sender = Scripted::sending(1 << 20);
    sender.read();
    assert_eq!(sender.say().len(), 6);
    sender.hear_ack(16 * 1024, Some(wire::Rewind::Gap));
    sender.read();
    sender.say();
    assert_eq!(sender.0.progress(id(1)).map(|progress| progress.resent), Some(16 * 1024));
}

#[test]
fn bytes_acknowledged_only_by_done_count_as_moved() {
    let whole = wire::Whole { length: 1000, digest: Digest::of(&[0; 1000]), deduplicated: false };
    for acknowledged in [0, 400, 1000] {
        let mut sender = Scripted::sending(1000);
        sender.read();
        sender.say();
        sender.0.provide_digest(Instant::ZERO, id(1), 1000, whole.digest);
        sender.0.confirm(Instant::ZERO, id(1));
        assert!(matches!(sender.say()[..], [Frame::Fin(1, _)]));
        sender.hear_ack(acknowledged, None);
        assert_eq!(sender.0.moved(), acknowledged);
        sender.hear(Frame::Done(1, whole));
        assert_eq!(sender.0.moved(), 1000);
    }
    // What was there before does not count.
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 1000)).expect("new");
    sender.say();
    sender.hear(Frame::Accept(1, wire::Accept { resume: 1000, have: wire::Have::Complete, ..accept(1000) }));
    sender.hear(Frame::Done(1, wire::Whole { deduplicated: true, ..whole }));
    assert_eq!(sender.0.moved(), 0);
}

#[test]
fn durable_bytes_of_a_pipe_are_released_once() {
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::of_unknown_length(id(1), name("pipe"))).expect("new");
    sender.say();
    sender.hear(Frame::Accept(1, accept(1 << 20)));
    sender.events();
    sender.provide(0, 1000);
    sender.say();
    for (durable, released) in [(0, None), (600, Some(600)), (600, None), (1000, Some(1000))] {
        let ack = Ack { received: 1000, durable, credit: 1 << 20, last_seq: 0, hold_us: 0, rewind: None };
        sender.hear(Frame::Ack(1, ack));
        let upto = sender.events().into_iter().find_map(|event| match event {
            Event::Release { upto, .. } => Some(upto),
            _ => None,
        });
        assert_eq!(upto, released, "{durable}");
    }
}

#[test]
fn bytes_sent_on_a_link_that_broke_unanswered_are_ours() {
    for (on_earlier_links, resume, expected) in [(1000, 1000, 0), (1000, 600, 0), (0, 1000, 1000)] {
        let mut sender = Scripted::client();
        sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 1000)).expect("new");
        let digest = Digest::of(&[0; 1000]);
        let mut resumed = None;
        let mut work = |sender: &mut Scripted| {
            for event in sender.events() {
                match event {
                    Event::Read { id, offset, len } => {
                        sender.0.provide(Instant::ZERO, id, offset, vec![0; len].into());
                    }
                    Event::Hash { id, upto } => sender.0.provide_digest(Instant::ZERO, id, upto, digest),
                    Event::Check { id } => sender.0.confirm(Instant::ZERO, id),
                    Event::Done { resumed: from, .. } => resumed = Some(from),
                    _ => {}
                }
            }
            sender.say();
        };
        if on_earlier_links > 0 {
            (0..4).for_each(|_| work(&mut sender));
            sender.relink();
        }
        work(&mut sender);
        sender.hear(Frame::Accept(1, wire::Accept { resume, ..accept(1000) }));
        (0..4).for_each(|_| work(&mut sender));
        sender.hear(Frame::Done(1, wire::Whole { length: 1000, digest, deduplicated: false }));
        (0..4).for_each(|_| work(&mut sender));
        assert_eq!(resumed, Some(expected), "{on_earlier_links} {resume}");
    }
}
