//! A server that receives a file of unknown length from a script of frames.

use super::*;

#[test]
fn a_source_that_gives_nothing_for_longer_than_the_pause_limit_is_given_up() {
    let mut victim = Receiver::new();
    let mut last = 0;
    for ten in 0..10_000 {
        let now = Instant::from_secs(10 * ten);
        victim.0.handle_timeout(now);
        let mut said = victim.say(now);
        said.extend(victim.hear_at(now, Frame::Finishing(1, wire::Phase::Source)));
        if let Some(code) = cancelled(&said) {
            assert_eq!(code, Code::Stalled);
            break;
        }
        last = 10 * ten;
    }
    // One day, and the time allowed for a silent peer.
    assert!((86_400..86_640).contains(&last), "{last} s");
}

#[test]
fn a_source_of_unknown_length_may_trickle_but_not_fall_silent() {
    let mut victim = Receiver::new();
    for minute in 0..600_u64 {
        let now = Instant::from_secs(60 * minute);
        victim.0.handle_timeout(now);
        assert_eq!(cancelled(&victim.say(now)), None);
        let data = Data { offset: minute, seq: 0, payload: Bytes::from_static(b"x") };
        assert_eq!(cancelled(&victim.hear_at(now, Frame::Data(1, data))), None);
        victim.0.written(now, id(1), minute + 1);
    }
    let silent = Instant::from_secs(60 * 599 + 121);
    victim.0.handle_timeout(silent);
    assert_eq!(cancelled(&victim.say(silent)), Some(Code::Stalled));
}

#[test]
fn an_offer_of_unknown_length_from_a_peer_without_the_feature_is_refused() {
    let mut transfers = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
    transfers.handle_link_up(Instant::ZERO, None);
    let mut victim = Receiver(transfers);
    victim.hear(plain_hello());
    assert_eq!(cancelled(&victim.hear(Frame::Offer(1, unknown_offer()))), Some(Code::Unsupported));
}

#[test]
fn a_request_for_a_pipe_is_refused_to_a_peer_without_the_feature() {
    let mut transfers = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
    transfers.handle_link_up(Instant::ZERO, None);
    let mut victim = Receiver(transfers);
    victim.hear(plain_hello());
    let request = asked(id(1), name("pipe"));
    victim.hear(Frame::Request(1, request));
    victim.0.offer(Instant::ZERO, Offer::of_unknown_length(id(1), name("pipe"))).expect("asked for");
    assert_eq!(cancelled(&victim.say(Instant::ZERO)), Some(Code::Unsupported));
    assert!(victim.0.is_empty() && !victim.0.is_requested(id(1)));
}

#[test]
fn a_fin_whose_length_does_not_match_causes_a_rewind_or_an_end() {
    let fin = |length| Frame::Fin(1, Whole { length, digest: Digest::of(b"x"), deduplicated: false });
    let mut short = Receiver::with_bytes(100);
    assert_eq!(cancelled(&short.hear(fin(99))), Some(Code::LengthMismatch));
    let mut absurd = Receiver::with_bytes(100);
    assert_eq!(cancelled(&absurd.hear(fin(u64::MAX))), Some(Code::LengthMismatch));
    let mut longest = Receiver::with_bytes(100);
    assert_eq!(cancelled(&longest.hear(fin(wire::MAX_LENGTH))), None);
    let mut long = Receiver::with_bytes(100);
    let said = long.hear(fin(101));
    assert!(said.iter().any(|f| matches!(f, Frame::Ack(_, Ack { received: 100, rewind: Some(_), .. }))));
    // An announced length cannot change.
    assert_eq!(cancelled(&long.data(100, 2)), Some(Code::LengthMismatch));
    let mut twice = Receiver::with_bytes(100);
    assert_eq!(cancelled(&twice.hear(fin(101))), None);
    assert_eq!(cancelled(&twice.hear(fin(102))), Some(Code::LengthMismatch));
}

#[test]
fn a_fin_before_the_answer_must_match_the_bytes_that_came_with_it() {
    let fin = |length| Frame::Fin(1, Whole { length, digest: Digest::of(b"x"), deduplicated: false });
    let mut victim = Receiver::opening();
    victim.hear(Frame::Data(1, Data { offset: 0, seq: 0, payload: contents(0, 100).into() }));
    assert_eq!(cancelled(&victim.hear(fin(99))), Some(Code::LengthMismatch));
    // A receiver that has more than there is, according to the sender.
    let mut victim = Receiver::opening();
    victim.hear(fin(99));
    victim.take(100);
    assert_eq!(cancelled(&victim.say(Instant::ZERO)), Some(Code::LengthMismatch));
    // One that has exactly as much needs nothing more.
    let mut victim = Receiver::opening();
    victim.hear(fin(99));
    victim.take(99);
    assert!(victim.finishes_with(99));
}

#[test]
fn a_file_that_was_requested_whole_may_come_through_a_pipe() {
    let mut transfers = Transfers::new(Role::Client, Config::default(), Instant::ZERO);
    transfers.request(Instant::ZERO, id(1), name("pipe")).expect("new");
    transfers.handle_link_up(Instant::ZERO, None);
    let mut asking = Receiver(transfers);
    asking.hear(hello());
    assert_eq!(cancelled(&asking.hear(Frame::Offer(2, unknown_offer()))), None);
    assert!(matches!(asking.0.poll_event(), Some(Event::Offered(offered)) if offered.requested));
}

#[test]
fn a_pipe_is_refused_if_its_name_is_taken() {
    let mut victim = Receiver::opening();
    victim.0.answer(Instant::ZERO, id(1), Answer::Present { digest: Digest::of(b"x") });
    assert_eq!(cancelled(&victim.say(Instant::ZERO)), Some(Code::Exists));
}

#[test]
fn a_disk_that_is_slow_after_the_last_byte_is_not_held_against_the_sender() {
    let mut victim = Receiver::with_bytes(100);
    victim.hear(Frame::Fin(1, Whole { length: 100, digest: Digest::of(b"x"), deduplicated: false }));
    for second in 0..600 {
        let now = Instant::from_secs(second);
        victim.0.handle_timeout(now);
        assert_eq!(cancelled(&victim.say(now)), None, "after {second} s");
    }
    assert!(victim.finishes_with(100));
}

#[test]
fn credit_beyond_the_end_is_freed_for_others() {
    let mut victim = Receiver::with_bytes(100);
    let fin = Frame::Fin(1, Whole { length: 101, digest: Digest::of(b"x"), deduplicated: false });
    let said = victim.hear(fin);
    assert!(said.iter().any(|f| matches!(f, Frame::Ack(_, Ack { credit: 101, .. }))), "{said:?}");
}

#[test]
fn nothing_is_kept_of_a_pipe_that_is_refused_permanently() {
    for (code, retry_after, kept) in [
        (Code::Quota, 0, false),
        (Code::NoSpace, 0, false),
        (Code::NoSpace, 5, true),
        (Code::Internal, 0, true),
        // Somebody else has it.
        (Code::Fenced, 0, true),
    ] {
        let mut victim = Receiver::with_bytes(100);
        while victim.0.poll_event().is_some() {}
        let mut failure = Failure::local(code, "no");
        failure.retry_after = Duration::from_secs(retry_after);
        victim.0.fail(Instant::ZERO, id(1), failure);
        let effect = victim.0.poll_event();
        assert_eq!(matches!(effect, Some(Event::Detach { .. })), kept, "{code:?}: {effect:?}");
        assert_eq!(matches!(effect, Some(Event::Discard { .. })), !kept, "{code:?}: {effect:?}");
        let said = victim.say(Instant::ZERO);
        let told = said.iter().any(|f| matches!(f, Frame::Cancel(_, cancel) if cancel.discard != kept));
        assert!(told, "{code:?}: {said:?}");
    }
}

/// A server that receives a file of unknown length from a script of frames.
struct Receiver(Transfers);

impl Receiver {
    fn opening() -> Self {
        let mut transfers = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
        transfers.handle_link_up(Instant::ZERO, None);
        let mut receiver = Self(transfers);
        receiver.hear(hello());
        receiver.hear(Frame::Offer(1, unknown_offer()));
        receiver
    }

    fn new() -> Self {
        let mut receiver = Self::opening();
        receiver.take(0);
        receiver
    }

    fn with_bytes(len: usize) -> Self {
        let mut receiver = Self::new();
        receiver.data(0, len);
        receiver
    }

    /// Whether the file is put in place once this much of it is written.
    fn finishes_with(&mut self, upto: u64) -> bool {
        self.0.written(Instant::ZERO + 20 * MINUTE, id(1), upto);
        core::iter::from_fn(|| self.0.poll_event()).any(|event| matches!(event, Event::Finish { .. }))
    }

    fn take(&mut self, from: u64) {
        let prefix = Digest::of(b"");
        self.0.answer(Instant::ZERO, id(1), Answer::Take { from, prefix, epoch: 1, expires: None });
    }

    fn data(&mut self, offset: u64, len: usize) -> Vec<Frame> {
        self.hear(Frame::Data(1, Data { offset, seq: 0, payload: contents(0, len).into() }))
    }

    fn hear(&mut self, frame: Frame) -> Vec<Frame> {
        self.hear_at(Instant::ZERO, frame)
    }

    fn hear_at(&mut self, now: Instant, frame: Frame) -> Vec<Frame> {
        self.0.handle_message(now, frame.encode().into_bytes());
        self.say(now)
    }

    fn say(&mut self, now: Instant) -> Vec<Frame> {
        core::iter::from_fn(|| self.0.poll_message(now, 1))
            .map(|message| wire::decode(message.into_bytes()).expect("we send what we can read"))
            .collect()
    }
}

fn unknown_offer() -> wire::Offer {
    wire::Offer { length: None, ..plain_offer(id(1), "pipe", 0) }
}

fn cancelled(frames: &[Frame]) -> Option<Code> {
    frames
        .iter()
        .find_map(|frame| if let Frame::Cancel(_, cancel) = frame { Some(cancel.code) } else { None })
}
