//! What a frame costs does not depend on how many transfers are open.

use super::super::wire::{Data, Frame};
use super::super::*;
use super::world::*;
use bytes::Bytes;
use std::time::{Duration as Span, Instant as Clock};

/// So many frames of each kind are timed, in each of so many rounds; the best round counts.
const FRAMES: u32 = 150;
const ROUNDS: usize = 5;

fn many(n: u32) -> TransferId {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    TransferId::from_bytes(bytes)
}

/// An end that takes any number of transfers, and a peer that does, too.
fn end(role: Role) -> Transfers {
    let mut transfers = Transfers::new(
        role,
        Config { max_transfers: 1 << 20, max_offers_per_second: u32::MAX, ..Config::default() },
        Instant::ZERO,
    );
    transfers.handle_link_up(Instant::ZERO, None);
    let Frame::Hello(hello) = hello() else { unreachable!() };
    hear(&mut transfers, Frame::Hello(wire::Hello { max_transfers: 1 << 20, ..hello }));
    transfers
}

/// A server that has taken so many files.
fn receiver(open: u32) -> Transfers {
    let mut transfers = end(Role::Server);
    for n in 0..open {
        hear(&mut transfers, Frame::Offer(2 * n + 1, plain_offer(many(n), "file", 1 << 30)));
        transfers.answer(
            Instant::ZERO,
            many(n),
            Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None },
        );
    }
    settle(&mut transfers);
    transfers
}

fn hear(transfers: &mut Transfers, frame: Frame) {
    transfers.handle_message(Instant::ZERO, frame.encode().into_bytes());
    settle(transfers);
}

/// What an adapter does after each message.
fn settle(transfers: &mut Transfers) {
    while transfers.poll_event().is_some() {}
    while transfers.poll_message(Instant::ZERO, 1).is_some() {}
    let _ = transfers.poll_timeout();
    transfers.handle_timeout(Instant::ZERO);
}

/// How long a frame takes.
fn cost(transfers: &mut Transfers, open: u32, frame: fn(u32, u32) -> Frame) -> Span {
    let mut n = 0;
    let mut round = || {
        let clock = Clock::now();
        for _ in 0..FRAMES {
            hear(transfers, frame(n % open, n / open));
            n += 1;
        }
        clock.elapsed() / FRAMES
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
}

/// A hundred times as many transfers may cost a little more, because trees are deeper and caches are not larger; but
/// whoever looks at each of them takes a hundred times as long. On a machine with other things to do it is tried again.
fn assert_scales(what: &str, start: fn(u32) -> Transfers, frame: fn(u32, u32) -> Frame) {
    const FEW: u32 = 100;
    const MANY: u32 = 10_000;
    let mut tries = (0..5).map(|_| (cost(&mut start(FEW), FEW, frame), cost(&mut start(MANY), MANY, frame)));
    let scales = |(few, many): &(Span, Span)| *many < *few * 20 + Span::from_micros(20);
    assert!(tries.any(|times| scales(&times)), "{what}: it takes longer with {MANY} open than with {FEW}");
}

#[test]
fn a_frame_to_a_receiver_costs_the_same_however_many_are_open() {
    assert_scales("DATA", receiver, |n, round| {
        let payload = Bytes::from_static(&[7; 512]);
        Frame::Data(2 * n + 1, Data { offset: 512 * u64::from(round), seq: 0, payload })
    });
    assert_scales("FIN", receiver, |n, _| {
        let whole = wire::Whole { length: 1 << 30, digest: Digest::of(b""), deduplicated: false };
        Frame::Fin(2 * n + 1, whole)
    });
    assert_scales("OFFER", receiver, |n, round| {
        let handle = 2 * (10_000 * (round + 1) + n) + 1;
        Frame::Offer(handle, plain_offer(many(n), "again", 5))
    });
}
