//! A path that damages bytes: whatever can be delivered arrives, and the rest ends with an error.

use super::super::wire::{self, Ack, Data, Frame};
use super::super::*;
use super::script::*;
use super::world::*;
use crate::Rng;
use bytes::Bytes;
use std::vec::Vec;

/// A chunk of a file as it arrives with one bit of its payload flipped.
fn damaged(offset: u64, len: usize) -> Bytes {
    let data = Data { offset, seq: 0, payload: Bytes::from(contents(0, len)) };
    let mut bytes = Frame::Data(1, data).encode().into_bytes().to_vec();
    bytes[20] ^= 1;
    bytes.into()
}

fn receiving() -> Scripted {
    let mut receiver = Scripted::server();
    receiver.hear_offer(1, 1, 1_000_000);
    receiver.take(1);
    receiver.say();
    receiver
}

impl Scripted {
    /// A damaged chunk arrives; returns whether the sender is asked to go back.
    fn hear_damaged(&mut self, offset: u64, len: usize) -> Option<wire::Rewind> {
        self.0.handle_message(Instant::ZERO, damaged(offset, len));
        rewind(&self.say())
    }
}

fn rewind(said: &[Frame]) -> Option<wire::Rewind> {
    said.iter().find_map(|frame| if let Frame::Ack(_, Ack { rewind, .. }) = frame { *rewind } else { None })
}

#[test]
fn eight_damaged_chunks_in_a_row_end_a_transfer() {
    let mut receiver = receiving();
    receiver.hear_data(1, 0, 1000);
    for _ in 0..7 {
        assert_eq!(receiver.hear_damaged(1000, 500), Some(wire::Rewind::Corrupt));
        // This one was under way behind it, and is useless.
        receiver.hear_data(1, 1500, 500);
    }
    receiver.0.handle_message(Instant::ZERO, damaged(1000, 500));
    let said = receiver.say();
    let Some(Frame::Cancel(_, cancel)) = said.last() else { panic!("{said:?}") };
    assert_eq!(cancel.code, Code::CorruptFrame);
    assert_eq!(
        cancel.text,
        "the path damages data: 8 of 16 chunks, 8 times at byte 1000; use another network, or TLS if there is a proxy on the way"
    );
}

#[test]
fn damage_is_tolerated_as_long_as_good_chunks_arrive() {
    let mut receiver = receiving();
    for offset in 0..100 {
        for _ in 0..7 {
            assert_eq!(receiver.hear_damaged(offset, 500), Some(wire::Rewind::Corrupt), "{offset}");
        }
        receiver.hear_data(1, offset, 1);
    }
    assert_eq!(receiver.0.progress(id(1)).map(|progress| progress.received), Some(100));
}

#[test]
fn only_the_first_of_several_damaged_chunks_in_flight_is_requested_again() {
    let mut receiver = receiving();
    assert_eq!(receiver.hear_damaged(0, 500), Some(wire::Rewind::Corrupt));
    assert_eq!(receiver.hear_damaged(500, 500), None);
    receiver.hear_data(1, 1000, 500);
    for n in 3..50 {
        assert_eq!(receiver.hear_damaged(n * 500, 500), None);
    }
    // The sender has gone back.
    assert_eq!(receiver.hear_damaged(0, 500), Some(wire::Rewind::Corrupt));
}

#[test]
fn bytes_lost_after_the_sender_went_back_are_requested_again() {
    let mut receiver = receiving();
    assert_eq!(receiver.hear_damaged(0, 500), Some(wire::Rewind::Corrupt));
    receiver.hear_data(1, 500, 500);
    receiver.hear_data(1, 1000, 500);
    assert_eq!(rewind(&receiver.say()), None);
    // The handle of the first one was damaged, so nobody knows about it.
    receiver.hear_data(1, 100, 100);
    assert_eq!(rewind(&receiver.say()), Some(wire::Rewind::Gap));
    receiver.hear_data(1, 200, 100);
    assert_eq!(rewind(&receiver.say()), None);
}

#[test]
fn damaged_chunks_do_not_count_as_a_flood_unless_they_are_tiny() {
    let mut receiver = receiving();
    receiver.hear_damaged(0, 64);
    for n in 1..3000 {
        assert_eq!(receiver.hear_damaged(64 * n, 64), None);
    }
    assert!(!receiver.0.is_broken());
    for n in 0..1005 {
        receiver.hear_damaged(64 * 3000 + 63 * n, 63);
    }
    assert!(receiver.0.is_broken());
}

#[test]
fn damage_to_bytes_that_are_not_needed_does_no_harm() {
    let mut receiver = Scripted::server();
    receiver.hear_offer(1, 1, 1000);
    receiver.take(1);
    receiver.hear_data(1, 0, 1000);
    receiver.hear(Frame::Fin(1, wire::Whole { length: 1000, digest: Digest::of(b""), deduplicated: false }));
    receiver.0.written(Instant::ZERO, id(1), 1000);
    receiver.say();
    assert!(matches!(receiver.events().last(), Some(Event::Finish { .. })));
    for _ in 0..20 {
        assert_eq!(receiver.hear_damaged(0, 500), None);
    }
    assert_eq!(cancelled(&receiver.say()), None);
}

#[test]
fn a_sender_that_hears_of_damage_sends_smaller_chunks() {
    let mut sender = Scripted::sending(1_000_000);
    let chunk = |sender: &mut Scripted| {
        sender.read();
        let said = sender.say();
        let lens =
            said.iter().map(|frame| if let Frame::Data(_, data) = frame { data.payload.len() } else { 0 });
        lens.max().unwrap_or(0)
    };
    let mut sent = 0;
    for _ in 0..2 {
        chunk(&mut sender);
        sent = sender.0.progress(id(1)).map_or(0, |progress| progress.received) + sender.0.in_flight();
        sender.hear_ack(sent, None);
    }
    assert_eq!(chunk(&mut sender), 64 << 10);
    sender.hear_ack(sent, Some(wire::Rewind::Gap));
    assert_eq!(chunk(&mut sender), 64 << 10, "nothing is damaged where something is missing");
    for most in [16 << 10, 4 << 10, 1 << 10, 1 << 10] {
        sender.hear_ack(sent, Some(wire::Rewind::Corrupt));
        assert_eq!(chunk(&mut sender), most);
    }
}

#[test]
fn a_link_that_damages_data_is_left_once_its_answers_stop() {
    for is_damaged in [false, true] {
        let mut receiver = receiving();
        receiver.hear_data(1, 0, 1000);
        if is_damaged {
            receiver.hear_damaged(1000, 1000);
        }
        receiver.0.handle_timeout(Instant::from_secs(121));
        let said = receiver.say_at(Instant::from_secs(121));
        assert_eq!(cancelled(&said), Some(Code::Stalled));
        assert_eq!(receiver.0.is_broken(), is_damaged);
    }
}

/// Bytes that pass a place at which some are damaged.
struct Damager {
    rng: Rng,
    /// How many bytes there are between two damaged ones, on average.
    distance: u64,
    left: u64,
}

impl Damager {
    fn new(seed: u64, distance: u64) -> Self {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let mut rng = Rng::from_seed(bytes);
        let left = rng.next_u64() % (2 * distance);
        Self { rng, distance, left }
    }

    fn pass(&mut self, message: &mut Bytes, from: usize) {
        let mut bytes = message.to_vec();
        let mut at = from as u64 + self.left;
        while let Some(byte) = bytes.get_mut(at as usize) {
            *byte ^= 1 << (self.rng.next_u32() % 8);
            at += 1 + self.rng.next_u64() % (2 * self.distance);
        }
        self.left = at.saturating_sub(bytes.len().max(from) as u64);
        *message = bytes.into();
    }
}

/// Sends a file over a path that damages bytes after the first `from` of each message, in both directions only if
/// `both`. If that ends a link, another one follows, up to a limit. Returns how many links there were.
fn send(world: &mut World, data: Vec<u8>, damager: &mut Damager, from: usize, both: bool) -> u32 {
    world.send(id(1), "file", data);
    world.link_up();
    let mut links = 1;
    for round in 0..1_000_000 {
        let polled = (0..=round % 3).fold(false, |any, _| world.poll_messages() | any);
        if let Some(message) = world.up.front_mut() {
            damager.pass(message, from);
        }
        if let Some(message) = world.down.front_mut().filter(|_| both) {
            damager.pass(message, from);
        }
        let delivered = world.deliver(true) | world.deliver(false);
        let carried = world.client.carry_out_one(world.now) | world.server.carry_out_one(world.now);
        if world.client.transfers.is_empty() || links > MOST_LINKS {
            return links;
        }
        let broken = |end: &End| end.transfers.is_broken();
        if !delivered && (broken(&world.client) || broken(&world.server)) {
            links += 1;
            world.cut_gently();
            world.link_up();
        } else if polled || delivered || carried {
            world.now += Duration::from_micros(100);
            for end in [&mut world.client, &mut world.server] {
                end.transfers.handle_timeout(world.now);
                end.collect();
            }
        } else if !world.jump() {
            panic!("it stands still: {:?} {:?}", world.client.told, world.server.told);
        }
    }
    panic!("no end: {:?} {:?}", world.client.told, world.server.told);
}

/// After this many links, a client gives up.
const MOST_LINKS: u32 = 300;

/// How many bytes of a file of this length arrived more than once over a path that damages chunks and nothing else.
fn resent(len: usize, distance: u64) -> u64 {
    let (mut world, data) = (World::new(), contents(1, len));
    send(&mut world, data.clone(), &mut Damager::new(1, distance), 24, false);
    assert!(world.server.disk[&id(1)].data == data);
    let [Event::Accepted { .. }, Event::Done { resent, .. }] = world.client.told[..] else {
        panic!("{:?}", world.client.told)
    };
    resent
}

#[test]
fn a_file_arrives_over_a_path_that_damages_a_byte_every_200_kb() {
    let resent = resent(8_000_000, 200_000);
    assert!(resent < 8_000_000, "{resent} bytes came more than once");
}

#[test]
fn a_file_arrives_over_a_path_that_damages_a_byte_every_3_kb() {
    let resent = resent(500_000, 3_000);
    assert!(resent < 10_000_000, "{resent} bytes came more than once");
}

#[test]
fn a_file_arrives_intact_or_not_at_all_whatever_is_damaged() {
    let (mut done, mut links) = (0, 0);
    for seed in 0..60 {
        let mut world = World::with(Config { sync_bytes: 100_000, ..Config::default() });
        let data = contents(1, 300_000);
        let distance = [40, 400, 4_000, 40_000][seed as usize % 4];
        links += send(&mut world, data.clone(), &mut Damager::new(seed, distance), 0, true);
        let is_there = world.server.disk.get(&id(1)).is_some_and(|part| part.committed);
        assert!(!is_there || world.server.disk[&id(1)].data == data, "seed {seed}");
        if world.client.done(id(1)) {
            assert!(is_there, "seed {seed}");
            done += 1;
        } else {
            let failed = world.client.failure(id(1)).is_some();
            assert!(failed || matches!(world.client.told.last(), Some(Event::Broken { .. })), "seed {seed}");
        }
    }
    assert!(done >= 30 && links > 300, "{done} files arrived over {links} links");
}
