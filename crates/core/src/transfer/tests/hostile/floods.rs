//! Floods of things that cost the peer nothing.

use super::super::super::wire::{Pause, Phase, Resume};
use super::super::script::cancel;
use super::*;
use std::format;

const TOO_MANY: (Code, &str) = (Code::Protocol, "more than 1000 frames that carry nothing came in a second");

/// How many of these frames are tolerated if all arrive at once.
fn count_tolerated(victim: &mut Victim, frame: impl Fn(u64) -> Frame) -> u64 {
    for n in 0..3000 {
        let said = victim.hear(frame(n));
        if let Some(why) = broken_because(&said) {
            assert_eq!(why, TOO_MANY);
            assert!(matches!(victim.events().last(), Some(Event::Broken { code: Code::Protocol, .. })));
            return n;
        }
        assert_eq!(cancelled(&said), None, "only the link may end");
    }
    panic!("no end of it");
}

impl Victim {
    fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.0.poll_event()).collect()
    }

    /// Finds the requested file, which has this many bytes.
    fn find(&mut self, length: u64) {
        for event in self.events() {
            let Event::Requested { id, name, .. } = event else { continue };
            self.0.offer(Instant::ZERO, Offer::new(id, name, length)).expect("new");
        }
    }

    /// Receives the answer that everything it offers already exists, with 5 bytes each.
    fn hear_that_everything_is_complete(&mut self) {
        let accept = Accept { have: Have::Complete, resume: 5, ..accept() };
        let whole = Whole { length: 5, digest: Digest::of(b""), deduplicated: true };
        for frame in self.say(Instant::ZERO) {
            let Frame::Offer(handle, _) = frame else { continue };
            self.hear(Frame::Accept(handle, accept));
            self.hear(Frame::Done(handle, whole));
        }
    }

    /// A client that has sent the first chunk of a file of this length.
    pub(super) fn sending(length: usize) -> Self {
        let mut transfers = Transfers::new(Role::Client, Config::default(), Instant::ZERO);
        transfers.offer(Instant::ZERO, Offer::new(id(1), name("file"), length as u64)).expect("new");
        transfers.handle_link_up(Instant::ZERO, None);
        let mut victim = Self(transfers);
        victim.hear(hello());
        victim.hear(Frame::Accept(1, Accept { credit: 1 << 40, ..accept() }));
        victim.read();
        victim
    }

    /// Carries out the requested reads, and sends the results.
    pub(super) fn read(&mut self) -> Vec<Frame> {
        for event in self.events() {
            if let Event::Read { id, offset, len } = event {
                self.0.provide(Instant::ZERO, id, offset, contents(1, len).into());
            }
        }
        self.say(Instant::ZERO)
    }
}

#[test]
fn probes_are_answered_and_a_flood_of_them_ends_the_link() {
    let mut victim = Victim::new();
    assert_eq!(victim.hear(Frame::Probe(7)), [Frame::ProbeAck(7)]);
    assert!((1000..1005).contains(&count_tolerated(&mut victim, Frame::Probe)));
}

#[test]
fn a_flood_of_unrequested_answers_ends_the_link() {
    assert!((1000..1005).contains(&count_tolerated(&mut Victim::new(), Frame::ProbeAck)));
}

#[test]
fn a_flood_of_ignorable_unknown_frames_ends_the_link() {
    assert!((1000..1005).contains(&count_tolerated(&mut Victim::new(), |_| Frame::Ignored(0x99))));
}

#[test]
fn a_flood_of_goaways_ends_the_link_and_is_reported_once() {
    let mut victim = Victim::new();
    let goaway = |_| Frame::GoAway { code: Code::ShuttingDown, retry_after: Duration::ZERO };
    victim.hear(goaway(0));
    victim.hear(goaway(1));
    assert!(matches!(victim.events()[..], [Event::GoingAway { .. }]));
    assert!((999..1005).contains(&count_tolerated(&mut victim, goaway)));
}

#[test]
fn a_flood_of_work_notices_ends_the_link() {
    let mut victim = Victim::sending(1_000_000);
    assert!((1000..1005).contains(&count_tolerated(&mut victim, |_| Frame::Finishing(1, Phase::Commit))));
}

#[test]
fn a_flood_of_pauses_or_resumes_ends_the_link() {
    let halts = [
        Frame::Pause(1, Pause { offset: 0, answer: false }),
        Frame::Resume(1, Resume { offset: 0, pauses: 0 }),
    ];
    for halt in halts {
        let mut victim = Victim::sending(1_000_000);
        assert!((1000..1005).contains(&count_tolerated(&mut victim, |_| halt.clone())), "{halt:?}");
    }
}

#[test]
fn a_flood_of_acknowledgements_without_news_ends_the_link() {
    let mut victim = Victim::sending(1_000_000);
    let ack = Ack { received: 0, durable: 0, credit: 0, last_seq: 0, hold_us: 0, rewind: None };
    assert!((1000..1005).contains(&count_tolerated(&mut victim, |_| Frame::Ack(1, ack))));
}

#[test]
fn a_flood_of_tiny_chunks_ends_the_link() {
    let mut victim = Victim::with_transfer(1 << 20);
    let tiny = |n| Frame::Data(1, Data { offset: n, seq: 0, payload: Bytes::from_static(b"x") });
    assert!((1000..1005).contains(&count_tolerated(&mut victim, tiny)));
}

#[test]
fn a_flood_for_a_transfer_that_has_ended_ends_the_link() {
    let mut victim = Victim::with_transfer(1 << 20);
    victim.0.fail(Instant::ZERO, id(1), Failure::local(Code::Rejected, ""));
    victim.say(Instant::ZERO);
    victim.events();
    // Chunks that were on their way are paid for by their bytes.
    for n in 0..2000 {
        assert!(victim.data(64 * n, 64).is_empty());
    }
    let cancel = cancel(Code::Cancelled, Duration::ZERO);
    assert!((1000..1010).contains(&count_tolerated(&mut victim, |_| Frame::Cancel(1, cancel.clone()))));
}

#[test]
fn late_chunks_of_rejected_small_files_are_no_flood() {
    let mut victim = Victim::new();
    for n in 0..2000 {
        let (handle, which) = (2 * n + 1, many(n));
        victim.hear(Frame::Offer(handle, plain_offer(which, "file", 2)));
        let chunk = Data { offset: 0, seq: 0, payload: Bytes::from_static(b"xy") };
        assert_eq!(broken(&victim.hear(Frame::Data(handle, chunk))), None, "{n}");
        victim.0.fail(Instant::ZERO, which, Failure::local(Code::Rejected, ""));
    }
}

#[test]
fn late_frames_for_files_that_are_there_already_are_no_flood() {
    let mut victim = Victim::new();
    let whole = Whole { length: 2, digest: Digest::of(b"xy"), deduplicated: false };
    for n in 0..20_000 {
        let (handle, which) = (2 * n + 1, many(n));
        victim.hear(Frame::Offer(handle, plain_offer(which, "file", 2)));
        victim.0.answer(Instant::ZERO, which, Answer::Complete { length: 2, digest: whole.digest });
        assert!(victim.say(Instant::ZERO).iter().any(|frame| matches!(frame, Frame::Done(..))), "{n}");
        let chunk = Data { offset: 0, seq: 0, payload: Bytes::from_static(b"xy") };
        for late in [Frame::Data(handle, chunk), Frame::Fin(handle, whole)] {
            assert_eq!(broken(&victim.hear(late)), None, "{n}");
        }
    }
    assert!(count_tolerated(&mut victim, |_| Frame::Fin(1, whole)) < 2005);
}

fn many(n: u32) -> TransferId {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    TransferId::from_bytes(bytes)
}

#[test]
fn a_thousand_frames_a_second_may_go_on_indefinitely() {
    let mut victim = Victim::new();
    for n in 0..10_000 {
        let said = victim.hear_at(Instant::from_millis(n), Frame::Probe(n));
        assert_eq!(said, [Frame::ProbeAck(n)]);
    }
}

#[test]
fn a_flood_of_withdrawn_offers_ends_the_link_of_a_host_that_does_not_read() {
    let mut victim = Victim::new();
    let cancel = cancel(Code::Cancelled, Duration::ZERO);
    let ended = (0..22_000_u32).find_map(|n| {
        let (now, handle) = (Instant::from_millis(n.into()), 2 * n + 1);
        victim.hear_at(now, Frame::Offer(handle, plain_offer(many(n), "file", 1 << 30)));
        let said = victim.hear_at(now, Frame::Cancel(handle, cancel.clone()));
        broken_because(&said).map(|(code, text)| (n, code, String::from(text)))
    });
    let text = "65538 events are waiting, and the host does not read them".into();
    assert_eq!(ended, Some((21_845, Code::Internal, text)));
    assert_eq!(victim.events().len(), 65_539);
}

#[test]
fn an_empty_message_ends_the_link() {
    let said = Victim::new().hear_bytes(Bytes::new());
    assert_eq!(
        broken_because(&said),
        Some((Code::Protocol, "frame type 0x00, handle 0: 0 bytes are too few"))
    );
}

#[test]
fn small_chunks_that_wait_for_a_disk_are_counted() {
    // At a KiB each, it would be fine.
    let mut victim = Victim::with_transfer(8 << 20);
    let ended = (0..).find_map(|n| {
        let said = victim.hear_at(Instant::from_millis(n), Frame::Data(1, chunk(n * 100, 100)));
        cancelled_because(&said).map(|(code, text)| (n, code, String::from(text)))
    });
    let text = "8257 small chunks are waiting to be written; at most 8256 may".into();
    assert_eq!(ended, Some((8256, Code::Protocol, text)));
}

#[test]
fn small_chunks_that_a_disk_keeps_up_with_are_accepted() {
    let mut victim = Victim::with_transfer(8 << 20);
    for n in 0..20_000 {
        let said = victim.hear_at(Instant::from_millis(n), Frame::Data(1, chunk(n * 100, 100)));
        assert_eq!(cancelled(&said), None, "{n}");
        victim.0.written(Instant::from_millis(n), id(1), (n + 1) * 100);
    }
}

fn chunk(offset: u64, len: usize) -> Data {
    Data { offset, seq: 0, payload: contents(0, len).into() }
}

#[test]
fn small_chunks_before_the_answer_to_an_offer_are_counted() {
    let mut victim = Victim::new();
    victim.offer(1, 1, 1 << 20);
    let ended = (0..).find_map(|n| {
        let said = victim.hear(Frame::Data(1, chunk(n * 100, 100)));
        cancelled_because(&said).map(|(code, text)| (n, code, String::from(text)))
    });
    let text = "129 small chunks are waiting to be written; at most 128 may".into();
    assert_eq!(ended, Some((128, Code::Protocol, text)));
}

#[test]
fn offers_beyond_the_announced_rate_are_told_how_long_to_wait() {
    let config = Config { max_offers_per_second: 10, ..Config::default() };
    let mut victim = Victim::linked(Role::Server, config);
    let said = victim.hear(hello());
    assert!(matches!(&said[..], [Frame::Hello(hello)] if hello.max_offers_per_second == 10));
    let mut offer = |n: u8, now| {
        let said = victim.hear_at(now, Frame::Offer(2 * u32::from(n) + 1, plain_offer(id(n), "file", 5)));
        said.into_iter().find_map(|frame| match frame {
            Frame::Cancel(_, cancel) => Some((cancel.code, cancel.retry_after.as_millis(), cancel.text)),
            _ => None,
        })
    };
    let refused = Some((Code::RateLimited, 100, "at most 10 offers a second are accepted".into()));
    for n in 0..11 {
        assert_eq!(offer(n, Instant::ZERO), None, "{n}");
    }
    assert_eq!(offer(11, Instant::ZERO), refused);
    assert_eq!(
        offer(12, Instant::from_millis(99)).map(|(code, after, _)| (code, after)),
        Some((Code::RateLimited, 1))
    );
    assert_eq!(offer(13, Instant::from_millis(100)), None);
    assert_eq!(offer(14, Instant::from_secs(50)), None);
}

#[test]
fn requests_count_like_offers_and_a_flood_of_refused_ones_ends_the_link() {
    let config = Config { max_offers_per_second: 1, ..Config::default() };
    let mut victim = Victim::linked(Role::Server, config);
    victim.hear(hello());
    let mut ended = None;
    for n in 0..2000_u32 {
        let request = asked(many(n), name("file"));
        let said = victim.hear(Frame::Request(2 * n + 1, request));
        let code = cancelled(&said);
        assert_eq!(code, (n >= 2).then_some(Code::RateLimited), "{n}");
        if let Some(why) = broken_because(&said) {
            assert_eq!(why, TOO_MANY);
            ended = Some(n);
            break;
        }
    }
    assert!(ended.is_some_and(|n| n < 1010), "{ended:?}");
}

#[test]
fn no_more_requests_are_served_than_may_be_open_if_offers_are_not_taken() {
    let Frame::Hello(hello) = hello() else { unreachable!() };
    for reads in [false, true] {
        let mut victim = Victim::linked(Role::Server, Config::default());
        victim.hear(Frame::Hello(Hello { max_transfers: 1, ..hello.clone() }));
        for n in 0..1000_u32 {
            let request = Frame::Request(2 * n + 1, asked(many(n), name("file")));
            victim.0.handle_message(Instant::ZERO, request.encode().into_bytes());
            victim.find(1 << 30);
            if reads {
                victim.say(Instant::ZERO);
            }
        }
        assert_eq!(victim.0.sending().count(), 256, "{reads}");
    }
}

#[test]
fn a_file_that_the_peer_has_already_counts_until_it_is_compared() {
    let mut victim = Victim::new();
    for n in 0..1000_u32 {
        let request = Frame::Request(2 * n + 1, asked(many(n), name("file")));
        victim.0.handle_message(Instant::ZERO, request.encode().into_bytes());
        victim.find(5);
        victim.hear_that_everything_is_complete();
    }
    assert_eq!(victim.0.sending().count(), 256, "their digests are made");
}

#[test]
fn unrequested_offers_take_no_place_from_requests() {
    let config = Config { max_transfers: 1, ..Config::default() };
    let mut victim = Victim::linked(Role::Server, config);
    victim.hear(hello());
    victim.0.offer(Instant::ZERO, Offer::new(id(1), name("ours"), 5)).expect("new");
    victim.hear_that_everything_is_complete();
    victim.events();
    victim.hear(Frame::Request(1, asked(id(2), name("theirs"))));
    let is_asked = |event: &Event| matches!(event, Event::Requested { .. });
    assert!(victim.events().iter().any(is_asked), "our digest is made, and their file is looked for");
}

#[test]
fn offers_and_requests_keep_to_the_peers_rate() {
    let mut victim = Victim::linked(Role::Client, Config::default());
    let Frame::Hello(hello) = hello() else { unreachable!() };
    victim.hear(Frame::Hello(Hello { max_offers_per_second: 20, max_transfers: 1000, ..hello }));
    for n in 0..100 {
        victim.0.offer(Instant::ZERO, Offer::new(many(n), name("file"), 1 << 30)).expect("new");
        victim.0.request(Instant::ZERO, many(1000 + n), name("file")).expect("new");
    }
    let mut times = Vec::new();
    let mut now = Instant::ZERO;
    while times.len() < 60 {
        let said = victim.say(now);
        let asked = said.iter().filter(|frame| matches!(frame, Frame::Offer(..) | Frame::Request(..)));
        times.extend(asked.map(|_| now));
        now = victim.0.poll_timeout().expect("more wait");
        victim.0.handle_timeout(now);
    }
    for (n, at) in times.iter().enumerate() {
        let allowed = 20 * (at.since_start() + Duration::from_secs(1)).as_millis() as usize / 1000;
        assert!(n <= allowed, "number {n} at {at}");
    }
    assert!(times[59] < Instant::from_secs(4), "{:?}", times[59]);
}

#[test]
fn no_timer_is_set_for_transfers_that_no_longer_wait() {
    let mut victim = Victim::linked(Role::Client, Config::default());
    let Frame::Hello(hello) = hello() else { unreachable!() };
    victim.hear(Frame::Hello(Hello { max_offers_per_second: 4, ..hello }));
    for n in 0..3 {
        victim.0.offer(Instant::ZERO, Offer::new(many(n), name("file"), 5)).expect("new");
    }
    assert_eq!(victim.say(Instant::ZERO).len(), 2);
    assert_eq!(victim.0.poll_timeout(), Some(Instant::from_millis(250)), "the third one waits");
    for n in 0..3 {
        victim.0.fail(Instant::ZERO, many(n), Failure::local(Code::Cancelled, ""));
    }
    victim.say(Instant::ZERO);
    assert_eq!(victim.0.poll_timeout(), None);
}

#[test]
fn absurd_limits_of_a_peer_are_bounded_or_refused() {
    let Frame::Hello(hello) = hello() else { unreachable!() };
    for (most, per_second) in [(0, 0), (u32::MAX, u32::MAX)] {
        let mut victim = Victim::linked(Role::Client, Config::default());
        victim.hear(Frame::Hello(Hello {
            max_transfers: most,
            max_offers_per_second: per_second,
            credit: 0,
            features: u64::MAX,
            ..hello.clone()
        }));
        for n in 0..1000 {
            victim.0.offer(Instant::ZERO, Offer::new(many(n), name("file"), 1 << 30)).expect("new");
        }
        let offers = victim.say(Instant::ZERO).len();
        assert_eq!(offers, if most == 0 { 1 } else { 256 }, "{most}");
    }
    for chunk in [0, (16 << 10) - 1, (16 << 20) + 1, u32::MAX] {
        let mut mute = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
        mute.handle_link_up(Instant::ZERO, None);
        let said = Victim(mute).hear(Frame::Hello(Hello { max_chunk: chunk, ..hello.clone() }));
        let text = format!("frame type 0x01, handle 0: max_chunk cannot be {chunk}");
        assert_eq!(broken_because(&said), Some((Code::Protocol, text.as_str())));
    }
}
