//! A model world: two ends with files and disks, a link between them, and a clock that jumps.

use super::super::wire::{self, Frame, Hello};
use super::super::*;
use crate::Rng;
use alloc::collections::BTreeSet;
use alloc::string::ToString as _;
use bytes::Bytes;
use std::vec::Vec;

/// What a disk holds of one transfer: `data` is written, and its first `safe` bytes survive a crash.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) data: Vec<u8>,
    pub(super) safe: usize,
    pub(super) epoch: u32,
    pub(super) committed: bool,
}

/// One end: its machine, what it can send, what it has received, and the effects that it has not carried out yet.
#[derive(Debug)]
pub(super) struct End {
    pub(super) transfers: Transfers,
    pub(super) sources: BTreeMap<TransferId, (SafeName, Vec<u8>)>,
    pub(super) disk: BTreeMap<TransferId, Part>,
    /// How much of a source without a known end has been forgotten, because it is durable at the receiver.
    pub(super) pipes: BTreeMap<TransferId, u64>,
    /// Files that came from elsewhere.
    pub(super) present: BTreeMap<SafeName, Vec<u8>>,
    pub(super) folders: BTreeSet<SafeName>,
    pub(super) effects: VecDeque<Event>,
    pub(super) told: Vec<Event>,
    /// Bytes waiting to be written: memory that the credit limits.
    pub(super) most_unwritten: usize,
    /// The most that was safe of a part that was discarded.
    pub(super) discarded: u64,
}

pub(super) fn id(n: u8) -> TransferId {
    TransferId::from_bytes([n; 16])
}

/// The HELLO of a scripted peer.
pub(super) fn hello() -> Frame {
    Frame::Hello(Hello {
        min_version: 1,
        max_version: 1,
        max_chunk: 1 << 20,
        max_transfers: 9,
        max_offers_per_second: 1000,
        credit: 1 << 20,
        features: wire::UNKNOWN_LENGTH,
        instance: [9; 16],
        agent: String::new(),
    })
}

/// The REQUEST for a whole file.
pub(super) fn asked(id: TransferId, name: SafeName) -> wire::Request {
    wire::Request { id, what: What::Named(name), from: 0, to: u64::MAX, if_digest: None, again: false }
}

pub(super) fn name(text: &str) -> SafeName {
    SafeName::parse(text).expect("a safe name")
}

/// An OFFER of a file about which nothing else is known.
pub(super) fn plain_offer(id: TransferId, file: &str, length: u64) -> wire::Offer {
    wire::Offer {
        id,
        name: name(file),
        kind: Kind::File,
        length: Some(length),
        mtime_ms: 0,
        unix_mode: None,
        validator: None,
        batch: None,
        mode: wire::Mode::AttachOrCreate,
        priority: 0,
        epoch_seen: 0,
        digest: None,
    }
}

/// Bytes that differ by position and by seed. They come from BLAKE3, which is compiled with optimisation even in tests.
pub(super) fn contents(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = std::vec![0; len];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

impl End {
    pub(super) fn new(role: Role, config: Config) -> Self {
        Self {
            transfers: Transfers::new(role, config, Instant::ZERO),
            sources: BTreeMap::new(),
            disk: BTreeMap::new(),
            pipes: BTreeMap::new(),
            present: BTreeMap::new(),
            folders: BTreeSet::new(),
            effects: VecDeque::new(),
            told: Vec::new(),
            most_unwritten: 0,
            discarded: 0,
        }
    }

    /// Takes events out of the machine: effects wait, the rest is reported.
    pub(super) fn collect(&mut self) {
        while let Some(event) = self.transfers.poll_event() {
            match event {
                Event::Accepted { .. }
                | Event::Paused { .. }
                | Event::Resumed { .. }
                | Event::Retrying { .. }
                | Event::Done { .. }
                | Event::Failed { .. }
                | Event::GoingAway { .. }
                | Event::Broken { .. } => self.told.push(event),
                effect => self.effects.push_back(effect),
            }
        }
        let unwritten =
            self.effects.iter().map(|e| if let Event::Write { data, .. } = e { data.len() } else { 0 });
        self.most_unwritten = self.most_unwritten.max(unwritten.sum());
    }

    /// Carries out the oldest effect.
    pub(super) fn carry_out_one(&mut self, now: Instant) -> bool {
        self.collect();
        let Some(effect) = self.effects.pop_front() else { return false };
        self.carry_out(now, effect);
        self.collect();
        true
    }

    fn carry_out(&mut self, now: Instant, effect: Event) {
        let t = &mut self.transfers;
        match effect {
            Event::Read { id, offset, len } => {
                let source = &self.sources[&id].1;
                if let Some(forgotten) = self.pipes.get(&id) {
                    assert!(offset >= *forgotten, "a read at {offset}, {forgotten} bytes are forgotten");
                    let rest = &source[offset as usize..];
                    if rest.is_empty() {
                        return t.end(now, id, offset);
                    }
                    // A pipe delivers sometimes much, sometimes little.
                    let some = rest.len().min(len).min(1 + (offset % 50_021) as usize);
                    return t.provide(now, id, offset, Bytes::copy_from_slice(&rest[..some]));
                }
                match source.get(offset as usize..offset as usize + len) {
                    Some(data) => t.provide(now, id, offset, Bytes::copy_from_slice(data)),
                    None => t.fail(now, id, Failure::local(Code::SourceChanged, "shorter")),
                }
            }
            Event::Release { id, upto } => {
                let forgotten = self.pipes.get_mut(&id).expect("a pipe");
                assert!(upto >= *forgotten && upto > 0, "{upto} is released, {forgotten} was");
                *forgotten = upto;
            }
            Event::Hash { id, upto } => {
                assert!(self.pipes.get(&id).is_none_or(|forgotten| upto >= *forgotten));
                let digest = Digest::of(&self.sources[&id].1[..upto as usize]);
                t.provide_digest(now, id, upto, digest);
            }
            Event::Check { id } => t.confirm(now, id),
            // The requester has changed its mind.
            Event::Requested { id, .. } if !t.is_requested(id) => {}
            Event::Requested { id, name, range } => match self.present.get(&name) {
                Some(data) => match range.within(data.len() as u64) {
                    Ok(part) => {
                        let data = data[part.start as usize..part.end as usize].to_vec();
                        let offer = Offer::new(id, name.clone(), data.len() as u64);
                        self.sources.insert(id, (name, data));
                        t.offer(now, offer).expect("not under way yet");
                    }
                    Err(error) => t.fail(now, id, Failure::local(Code::OutOfRange, error.to_string())),
                },
                None => t.fail(now, id, Failure::local(Code::NotFound, "no such file")),
            },
            Event::Offered(offered) if offered.kind == Kind::Folder => {
                let existed = !self.folders.insert(offered.name);
                t.answer(now, offered.id, Answer::Folder { existed });
            }
            Event::Offered(offered) => {
                let there =
                    self.present.get(&offered.name).filter(|data| Some(data.len() as u64) == offered.length);
                if offered.mode == wire::Mode::Attach && !self.disk.contains_key(&offered.id) {
                    return t.fail(now, offered.id, Failure::local(Code::NotFound, "nothing to go on with"));
                }
                let part = self.disk.entry(offered.id).or_default();
                if offered.mode == wire::Mode::Restart {
                    *part = Part { epoch: part.epoch, ..Part::default() };
                }
                let answer = if part.committed {
                    Answer::Complete { length: part.data.len() as u64, digest: Digest::of(&part.data) }
                } else if let Some(data) = there {
                    Answer::Present { digest: Digest::of(data) }
                } else {
                    part.data.truncate(part.safe);
                    part.epoch += 1;
                    Answer::Take {
                        from: part.safe as u64,
                        prefix: Digest::of(&part.data),
                        epoch: part.epoch,
                        expires: None,
                    }
                };
                t.answer(now, offered.id, answer);
            }
            Event::Write { id, offset, data } => {
                let part = self.disk.get_mut(&id).expect("attached");
                assert_eq!(part.data.len() as u64, offset, "writes come in order");
                part.data.extend_from_slice(&data);
                t.written(now, id, part.data.len() as u64);
            }
            Event::Sync { id } => {
                let part = self.disk.get_mut(&id).expect("attached");
                part.safe = part.data.len();
                t.commit(now, id, part.safe as u64);
            }
            Event::Finish { id, length, digest } => {
                let part = self.disk.get_mut(&id).expect("attached");
                assert_eq!(part.data.len() as u64, length);
                if Digest::of(&part.data) == digest {
                    part.safe = part.data.len();
                    part.committed = true;
                    t.finish(now, id);
                } else {
                    *part = Part { epoch: part.epoch, ..Part::default() };
                    t.fail(now, id, Failure::local(Code::DigestMismatch, ""));
                }
            }
            Event::Detach { id } => {
                if let Some(part) = self.disk.get_mut(&id) {
                    part.safe = part.data.len();
                }
            }
            Event::Discard { id } => {
                let gone = self.disk.remove(&id);
                self.discarded = self.discarded.max(gone.map_or(0, |part| part.safe as u64));
            }
            other => panic!("not an effect: {other:?}"),
        }
    }

    /// The machine crashes with everything in memory. Files and disks stay, up to what is durable.
    pub(super) fn crash(&mut self, config: Config, now: Instant) {
        self.transfers = Transfers::new(self.transfers.role(), config, now);
        self.effects.clear();
        for part in self.disk.values_mut().filter(|part| !part.committed) {
            part.data.truncate(part.safe);
        }
    }

    pub(super) fn done(&self, which: TransferId) -> bool {
        self.told.iter().any(|event| matches!(event, Event::Done { id, .. } if *id == which))
    }

    pub(super) fn failure(&self, which: TransferId) -> Option<Code> {
        self.told.iter().find_map(|event| match event {
            Event::Failed { id, failure } if *id == which => Some(failure.code),
            _ => None,
        })
    }
}

/// Two ends, and what is on its way between them.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) client: End,
    pub(super) server: End,
    pub(super) up: VecDeque<Bytes>,
    pub(super) down: VecDeque<Bytes>,
    pub(super) config: Config,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(super) fn with(config: Config) -> Self {
        Self {
            now: Instant::from_secs(1),
            client: End::new(Role::Client, Config { instance: [1; 16], ..config.clone() }),
            server: End::new(Role::Server, Config { instance: [2; 16], ..config.clone() }),
            up: VecDeque::new(),
            down: VecDeque::new(),
            config,
        }
    }

    /// Puts a file at the client and offers it.
    pub(super) fn send(&mut self, which: TransferId, file: &str, data: Vec<u8>) {
        let offer = Offer::new(which, name(file), data.len() as u64);
        self.client.sources.insert(which, (name(file), data));
        self.client.transfers.offer(self.now, offer).expect("a new transfer");
    }

    /// Offers at the client what comes out of a pipe.
    pub(super) fn send_pipe(&mut self, which: TransferId, file: &str, data: Vec<u8>) {
        let offer = Offer::of_unknown_length(which, name(file));
        self.client.sources.insert(which, (name(file), data));
        // A new sender has all of it again.
        self.client.pipes.insert(which, 0);
        self.client.transfers.offer(self.now, offer).expect("a new transfer");
    }

    pub(super) fn link_up(&mut self) {
        let rtt = Some(Duration::from_millis(10));
        self.client.transfers.handle_link_up(self.now, rtt);
        self.server.transfers.handle_link_up(self.now, rtt);
    }

    /// The link breaks: what was on its way is lost. A server forgets its side of it.
    pub(super) fn cut(&mut self) {
        self.up.clear();
        self.down.clear();
        for end in [&mut self.client, &mut self.server] {
            end.transfers.handle_link_down(self.now);
            end.collect();
            while end.carry_out_one(self.now) {}
        }
        let config = Config { instance: [2; 16], ..self.config.clone() };
        self.server.transfers = Transfers::new(Role::Server, config, self.now);
    }

    /// The link breaks, and both ends remember what they were doing.
    pub(super) fn cut_gently(&mut self) {
        self.up.clear();
        self.down.clear();
        for end in [&mut self.client, &mut self.server] {
            end.transfers.handle_link_down(self.now);
            end.collect();
            while end.carry_out_one(self.now) {}
        }
    }

    /// Runs until some bytes of a transfer are written at the given end.
    pub(super) fn run_until_written(&mut self, up: bool) {
        let written = |world: &Self| {
            if up { &world.server } else { &world.client }.disk.values().any(|part| !part.data.is_empty())
        };
        self.run_until(written);
    }

    /// Runs without time passing until this is true.
    pub(super) fn run_until(&mut self, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..1_000_000 {
            if is_so(self) {
                return;
            }
            self.poll_messages();
            self.deliver(true);
            self.deliver(false);
            self.client.carry_out_one(self.now);
            self.server.carry_out_one(self.now);
        }
        panic!("it does not come to that: {:?} {:?}", self.client.told, self.server.told);
    }

    /// Runs until some bytes of the only transfer are written, and cuts the link there.
    pub(super) fn cut_in_the_middle(&mut self) {
        let written = |end: &End| end.disk.values().any(|part| !part.data.is_empty());
        self.run_until(|world| written(&world.client) || written(&world.server));
        self.cut();
    }

    /// Lets each end send one message on its way.
    pub(super) fn poll_messages(&mut self) -> bool {
        let mut any = false;
        for (end, queue) in [(&mut self.client, &mut self.up), (&mut self.server, &mut self.down)] {
            end.collect();
            let before = end.transfers.in_flight();
            if let Some(message) = end.transfers.poll_message(self.now, 1) {
                let t = &end.transfers;
                let grew = t.in_flight() - before.min(t.in_flight());
                let fits = t.in_flight() <= t.window().max(grew);
                assert!(grew == 0 || fits, "{} of {}", t.in_flight(), t.window());
                queue.push_back(message.into_bytes());
                any = true;
            }
        }
        any
    }

    pub(super) fn deliver(&mut self, up: bool) -> bool {
        let (queue, end) =
            if up { (&mut self.up, &mut self.server) } else { (&mut self.down, &mut self.client) };
        let Some(message) = queue.pop_front() else { return false };
        if let Ok(Frame::Ack(_, ack)) = wire::decode(message.clone()) {
            // The sender of this has at least that much on its disk, or had it when it said so.
            let from = if up { &self.client } else { &self.server };
            let safe = from.disk.values().map(|part| part.safe as u64).max().unwrap_or(0).max(from.discarded);
            let end = if up { &mut self.server } else { &mut self.client };
            assert!(ack.durable <= safe, "{} acknowledged, {safe} safe", ack.durable);
            end.transfers.handle_message(self.now, message);
            end.collect();
            return true;
        }
        end.transfers.handle_message(self.now, message);
        end.collect();
        true
    }

    /// Everything that the client can send before it has received anything.
    pub(super) fn say_all_unasked(&mut self) {
        while self.poll_messages() | self.client.carry_out_one(self.now) {}
    }

    /// Does everything that can be done without time passing.
    pub(super) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            let polled = self.poll_messages();
            let delivered = self.deliver(true) | self.deliver(false);
            let carried = self.client.carry_out_one(self.now) | self.server.carry_out_one(self.now);
            if !(polled || delivered || carried) {
                return;
            }
        }
        panic!("live-lock");
    }

    /// The same, with a server that answers effects itself; those for which `answer` returns false are carried out.
    pub(super) fn settle_with(&mut self, answer: impl Fn(&Event, &mut Transfers, Instant) -> bool) {
        for _ in 0..1_000_000 {
            let moved = self.poll_messages() | self.deliver(true) | self.deliver(false);
            let carried = self.client.carry_out_one(self.now);
            self.server.collect();
            let effect = self.server.effects.pop_front();
            let Some(effect) = effect else {
                if moved | carried {
                    continue;
                }
                return;
            };
            if !answer(&effect, &mut self.server.transfers, self.now) {
                self.server.carry_out(self.now, effect);
            }
        }
        panic!("live-lock");
    }

    /// Jumps to the next deadline; false if there is none.
    pub(super) fn jump(&mut self) -> bool {
        let Some(next) = self.next_deadline() else { return false };
        assert!(next > self.now, "a deadline in the past: {next} at {}", self.now);
        self.now = next;
        for end in [&mut self.client, &mut self.server] {
            end.transfers.handle_timeout(self.now);
            assert!(end.transfers.poll_timeout().is_none_or(|next| next > self.now), "law 3");
            end.collect();
        }
        true
    }

    fn next_deadline(&self) -> Option<Instant> {
        earliest(self.client.transfers.poll_timeout(), self.server.transfers.poll_timeout())
    }

    /// Runs until nothing is under way, or `limit` has passed.
    pub(super) fn run(&mut self, limit: Duration) {
        let end = self.now + limit;
        self.settle();
        while !(self.client.transfers.is_empty() && self.server.transfers.is_empty()) {
            if self.next_deadline().is_none_or(|next| next > end) {
                self.now = end;
                return;
            }
            self.jump();
            self.settle();
        }
    }

    /// One random step of the world, without faults.
    pub(super) fn step(&mut self, rng: &mut Rng) {
        match rng.next_u32() % 8 {
            0 | 1 => drop(self.poll_messages()),
            2 | 3 => drop(self.deliver(true)),
            4 => drop(self.deliver(false)),
            5 => drop(self.client.carry_out_one(self.now)),
            6 => drop(self.server.carry_out_one(self.now)),
            _ => {
                self.now += Duration::from_micros(u64::from(rng.next_u32() % 20_000));
                for end in [&mut self.client, &mut self.server] {
                    end.transfers.handle_timeout(self.now);
                    end.collect();
                }
            }
        }
    }
}
