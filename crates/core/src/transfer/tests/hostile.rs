//! A peer that violates the protocol: it gets a clear answer, and nobody else is harmed.

mod floods;
mod frames;
mod lies;
mod names;
mod ranges;
mod waits;

use super::super::wire::{self, Accept, Ack, Data, Frame, Have, Hello, Whole};
use super::super::*;
use super::world::*;
use bytes::Bytes;
use std::vec::Vec;

/// A server that is played against by a script of frames.
struct Victim(Transfers);

impl Victim {
    /// A server whose link is up and that has received nothing.
    fn linked(role: Role, config: Config) -> Self {
        let mut transfers = Transfers::new(role, config, Instant::ZERO);
        transfers.handle_link_up(Instant::ZERO, None);
        Self(transfers)
    }

    fn new() -> Self {
        let mut victim = Self::linked(Role::Server, Config::default());
        assert_eq!(victim.hear(hello()).len(), 1, "it says HELLO");
        victim
    }

    fn hear(&mut self, frame: Frame) -> Vec<Frame> {
        self.hear_at(Instant::ZERO, frame)
    }

    fn hear_at(&mut self, now: Instant, frame: Frame) -> Vec<Frame> {
        self.0.handle_message(now, frame.encode().into_bytes());
        self.say(now)
    }

    fn hear_bytes(&mut self, bytes: Bytes) -> Vec<Frame> {
        self.0.handle_message(Instant::ZERO, bytes);
        self.say(Instant::ZERO)
    }

    fn say(&mut self, now: Instant) -> Vec<Frame> {
        core::iter::from_fn(|| self.0.poll_message(now, 1))
            .map(|message| wire::decode(message.into_bytes()).expect("we send what we can read"))
            .collect()
    }

    fn offer(&mut self, handle: u32, n: u8, length: u64) -> Vec<Frame> {
        self.hear(Frame::Offer(handle, plain_offer(id(n), "file", length)))
    }

    /// An open transfer that accepts bytes from 0 on.
    fn with_transfer(length: u64) -> Self {
        let mut victim = Self::new();
        victim.offer(1, 1, length);
        victim.0.answer(
            Instant::ZERO,
            id(1),
            Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None },
        );
        assert!(victim.0.poll_message(Instant::ZERO, 1).is_some());
        victim
    }

    fn data(&mut self, offset: u64, len: usize) -> Vec<Frame> {
        self.hear(Frame::Data(1, Data { offset, seq: 0, payload: Bytes::from(contents(0, len)) }))
    }
}

fn cancelled(frames: &[Frame]) -> Option<Code> {
    frames
        .iter()
        .find_map(|frame| if let Frame::Cancel(_, cancel) = frame { Some(cancel.code) } else { None })
}

fn broken(frames: &[Frame]) -> Option<Code> {
    frames.iter().find_map(|frame| if let Frame::Error { code, .. } = frame { Some(*code) } else { None })
}

/// What ended a transfer, in words.
fn cancelled_because(frames: &[Frame]) -> Option<(Code, &str)> {
    frames.iter().find_map(|frame| match frame {
        Frame::Cancel(_, cancel) => Some((cancel.code, cancel.text.as_str())),
        _ => None,
    })
}

/// What ended the link, in words.
fn broken_because(frames: &[Frame]) -> Option<(Code, &str)> {
    frames.iter().find_map(|frame| match frame {
        Frame::Error { code, text } => Some((*code, text.as_str())),
        _ => None,
    })
}

/// The bytes of a message in which something was changed, with a correct checksum.
fn resealed(mut bytes: Vec<u8>) -> Bytes {
    let end = bytes.len() - 4;
    let crc = crc32c::crc32c(&bytes[..end]);
    bytes[end..].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

#[test]
fn no_frame_may_precede_hello_and_no_second_hello_may_follow() {
    let mut victim = Victim::new();
    assert_eq!(broken(&victim.hear(hello())), Some(Code::Protocol));
    let mut mute = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
    mute.handle_link_up(Instant::ZERO, None);
    let mut victim = Victim(mute);
    assert_eq!(broken(&victim.offer(1, 1, 5)), Some(Code::Protocol));
}

#[test]
fn an_unsupported_version_ends_the_link() {
    let mut mute = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
    mute.handle_link_up(Instant::ZERO, None);
    let Frame::Hello(hello) = hello() else { unreachable!() };
    let mut victim = Victim(mute);
    for (min_version, max_version, code) in
        [(1, 9, None), (0, 0, Some(Code::Unsupported)), (2, 3, Some(Code::Unsupported))]
    {
        victim.0.handle_link_up(Instant::ZERO, None);
        let spoken = Frame::Hello(Hello { min_version, max_version, ..hello.clone() });
        assert_eq!(broken(&victim.hear(spoken)), code, "{min_version} to {max_version}");
    }
}

#[test]
fn data_beyond_the_credit_is_refused() {
    let mut victim = Victim::with_transfer(1 << 40);
    let credit = 3 << 20;
    let mut sent = 0;
    while sent < credit {
        assert_eq!(cancelled(&victim.data(sent as u64, 1 << 20)), None);
        sent += 1 << 20;
    }
    assert_eq!(cancelled(&victim.data(sent as u64, 1)), Some(Code::Protocol));
}

#[test]
fn early_chunks_beyond_the_initial_credit_are_refused() {
    let mut victim = Victim::new();
    victim.offer(1, 1, 1 << 20);
    assert_eq!(cancelled(&victim.data(0, 65_536)), None);
    assert_eq!(cancelled(&victim.data(65_536, 1)), Some(Code::Protocol));
}

#[test]
fn a_chunk_beyond_the_end_and_absurd_offsets_are_refused() {
    assert_eq!(cancelled(&Victim::with_transfer(10).data(5, 6)), Some(Code::LengthMismatch));
    assert_eq!(cancelled(&Victim::with_transfer(10).data(u64::MAX, 1)), Some(Code::LengthMismatch));
    let mut unanswered = Victim::new();
    unanswered.offer(1, 1, 10);
    assert_eq!(cancelled(&unanswered.data(5, 6)), Some(Code::LengthMismatch));
}

#[test]
fn a_gap_is_answered_with_one_rewind() {
    let mut victim = Victim::with_transfer(1000);
    let rewinds = |frames: Vec<Frame>| {
        frames.iter().filter(|f| matches!(f, Frame::Ack(_, Ack { received: 0, rewind: Some(_), .. }))).count()
    };
    assert_eq!(rewinds(victim.data(100, 10)), 1);
    assert_eq!(rewinds(victim.data(110, 10)), 0);
    assert_eq!(cancelled(&victim.data(0, 10)), None);
    assert_eq!(victim.0.progress(id(1)).map(|p| p.received), Some(10));
}

#[test]
fn damage_outside_chunks_ends_the_link() {
    let mut victim = Victim::with_transfer(1000);
    let mut bytes = Frame::Probe(1).encode().into_bytes().to_vec();
    bytes[9] ^= 1;
    assert_eq!(broken(&victim.hear_bytes(bytes.into())), Some(Code::CorruptFrame));
    assert!(matches!(victim.0.poll_event(), Some(Event::Offered(_))));
    assert!(matches!(victim.0.poll_event(), Some(Event::Broken { code: Code::CorruptFrame, .. })));
    assert!(victim.offer(3, 2, 5).is_empty(), "nothing from a broken link counts");
}

#[test]
fn a_damaged_chunk_of_an_unknown_transfer_ends_the_link() {
    let chunk = Data { offset: 0, seq: 0, payload: Bytes::from_static(b"x") };
    let mut bytes = Frame::Data(9, chunk).encode().into_bytes().to_vec();
    bytes[20] ^= 1;
    assert_eq!(broken(&Victim::with_transfer(1000).hear_bytes(bytes.into())), Some(Code::CorruptFrame));
}

#[test]
fn handles_of_the_wrong_parity_or_used_before_end_the_link() {
    assert_eq!(broken(&Victim::new().offer(2, 1, 5)), Some(Code::Protocol));
    assert_eq!(broken(&Victim::new().offer(0, 1, 5)), Some(Code::Protocol));
    let mut victim = Victim::new();
    assert_eq!(broken(&victim.offer(3, 1, 5)), None);
    assert_eq!(broken(&victim.offer(1, 2, 5)), Some(Code::Protocol));
}

#[test]
fn frames_for_unknown_handles_end_the_link() {
    let whole = Whole { length: 1, digest: Digest::of(b"x"), deduplicated: false };
    assert_eq!(broken(&Victim::new().hear(Frame::Fin(7, whole))), Some(Code::Protocol));
    assert_eq!(broken(&Victim::new().hear(Frame::Done(2, whole))), Some(Code::Protocol));
}

#[test]
fn a_frame_that_no_receiver_may_get_ends_only_its_transfer() {
    let mut victim = Victim::with_transfer(1000);
    victim.offer(3, 2, 5);
    let ack = Ack { received: 0, durable: 0, credit: 0, last_seq: 0, hold_us: 0, rewind: None };
    assert_eq!(cancelled(&victim.hear(Frame::Ack(1, ack))), Some(Code::Protocol));
    assert!(victim.0.progress(id(2)).is_some());
}

#[test]
fn unsafe_names_are_refused_without_harm_to_others() {
    let mut victim = Victim::with_transfer(1000);
    for (handle, bad) in [(3, "../../xyz"), (5, "C:\\abcdef"), (7, "/etc/pass"), (9, "aux......")] {
        let good = Frame::Offer(handle, plain_offer(id(50), "123456789", 1));
        let mut bytes = good.encode().into_bytes().to_vec();
        let end = bytes.len() - 4;
        bytes[end - 9..end].copy_from_slice(bad.as_bytes());
        assert_eq!(cancelled(&victim.hear_bytes(resealed(bytes))), Some(Code::NameInvalid), "{bad}");
    }
    assert!(victim.0.progress(id(1)).is_some());
}

#[test]
fn endless_offers_and_requests_are_told_to_wait() {
    let mut victim = Victim::new();
    let numbered = |n: u32| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        TransferId::from_bytes(bytes)
    };
    let request = |n: u32| {
        let (id, name) = (numbered(n), name("file"));
        Frame::Request(2 * n + 1, asked(id, name))
    };
    let offer = |n: u32| Frame::Offer(2 * n + 1, plain_offer(numbered(n), "file", 1 << 30));
    let most = Config::default().max_transfers;
    for n in 0..most {
        assert_eq!(cancelled(&victim.hear(offer(n))), None);
    }
    for n in most..2 * most {
        assert_eq!(cancelled(&victim.hear(request(n))), None);
    }
    for (n, frame) in [(2 * most, offer(2 * most)), (2 * most + 1, request(2 * most + 1))] {
        let said = victim.hear(frame);
        let Some(Frame::Cancel(_, cancel)) = said.first() else { panic!("{n}: {said:?}") };
        assert_eq!((cancel.code, cancel.retry_after), (Code::Busy, Duration::from_secs(1)));
    }
}

#[test]
fn a_transfer_ends_if_the_receiver_lies_about_offsets() {
    let lies = [Accept { resume: 2_000_000, ..accept() }, Accept { resume: 500, credit: 100, ..accept() }];
    for lie in lies {
        let mut world = World::new();
        world.send(id(1), "file", contents(1, 1_000_000));
        world.client.transfers.handle_link_up(world.now, None);
        world.poll_messages();
        world.client.transfers.handle_message(world.now, hello().encode().into_bytes());
        while world.poll_messages() {}
        world.client.transfers.handle_message(world.now, Frame::Accept(1, lie).encode().into_bytes());
        world.client.collect();
        assert_eq!(world.client.failure(id(1)), Some(Code::BadOffset));
    }
}

fn accept() -> Accept {
    Accept {
        resume: 0,
        credit: 1 << 20,
        max_chunk: 1 << 16,
        epoch: 1,
        expires: 0,
        ack_ms: 25,
        have: Have::Part,
        prefix: None,
    }
}

#[test]
fn acknowledgements_of_unsent_bytes_are_refused() {
    let mut world = World::new();
    world.send(id(1), "file", contents(1, 1_000_000));
    world.client.transfers.handle_link_up(world.now, None);
    world.client.transfers.handle_message(world.now, hello().encode().into_bytes());
    while world.poll_messages() {}
    world.client.transfers.handle_message(world.now, Frame::Accept(1, accept()).encode().into_bytes());
    let ack = Ack { received: 999_999, durable: 0, credit: 1 << 20, last_seq: 0, hold_us: 0, rewind: None };
    world.client.transfers.handle_message(world.now, Frame::Ack(1, ack).encode().into_bytes());
    world.client.collect();
    assert_eq!(world.client.failure(id(1)), Some(Code::BadOffset));
}
