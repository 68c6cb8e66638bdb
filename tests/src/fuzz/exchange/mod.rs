//! Two ends with files, joined by lists of messages that lose, duplicate, exchange and damage what they carry.

mod choices;
mod seeds;

pub(super) use seeds::seeds;

use super::choice::{Tell, choose};
use crate::sim::{Disk, Worker, contents};
use bowline_core::time::earliest;
use bowline_core::transfer::wire::{self, Frame, Handle};
use bowline_core::transfer::{Event, Offer, SafeName, TransferId};
use bowline_core::{Instant, Session, session};
use bytes::Bytes;
use choices::{Act, Talk};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// However it began, on a good link everything must end within this time.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// More files show nothing else.
const MOST_GOODS: usize = 4;

/// Files arrive unchanged or not at all, what is reported as safe is safe, deadlines lie ahead, and if messages were
/// only cut off, all files arrive.
pub fn exchange(data: &[u8]) {
    let talk: Talk = choose(data);
    let _tell = Tell(&talk);
    let mut run = Run::new(&talk);
    for act in &talk.acts.0 {
        run.act(act);
    }
    run.finish();
}

struct Run {
    now: Instant,
    config: session::Config,
    client: End,
    server: End,
    goods: Vec<Wanted>,
    /// Messages were lost, duplicated, exchanged or damaged, which makes a conversation impossible.
    is_tampered: bool,
}

struct Wanted {
    id: TransferId,
    name: SafeName,
    is_upload: bool,
    data: Vec<u8>,
}

struct End {
    session: Session,
    worker: Worker,
    disk: Disk,
    /// What it has sent and the other one has not received.
    said: VecDeque<Bytes>,
    /// What the other one offers on this link.
    offers: BTreeMap<Handle, TransferId>,
    told: usize,
}

impl End {
    fn new(session: Session) -> Self {
        let (worker, disk, said, offers) = Default::default();
        Self { session, worker, disk, said, offers, told: 0 }
    }

    fn work(&mut self, now: Instant) -> bool {
        self.worker.work(now, &mut self.session, &mut self.disk)
    }

    /// Sends a message, after checking what it promises.
    fn say(&mut self, now: Instant) -> bool {
        let Some(message) = self.session.poll_message(now, 1) else { return false };
        let message = message.into_bytes();
        if let Ok(Frame::Ack(handle, ack)) = wire::decode(message.clone()) {
            let safe = self.offers.get(&handle).map_or(0, |id| self.disk.safe(*id));
            assert!(ack.durable <= safe, "{} bytes are called safe, {safe} are", ack.durable);
        }
        self.said.push_back(message);
        true
    }

    fn hear(&mut self, now: Instant, message: Bytes) {
        if let Ok(Frame::Offer(handle, offer)) = wire::decode(message.clone()) {
            self.offers.entry(handle).or_insert(offer.id);
        }
        self.session.handle_message(now, message);
    }

    /// Whether the link has been found broken since the last call.
    fn is_broken(&mut self) -> bool {
        let broken = |event: &session::Event| matches!(event, session::Event::Transfer(Event::Broken { .. }));
        let fresh = &self.worker.told[self.told..];
        self.told = self.worker.told.len();
        fresh.iter().any(|(_, event)| broken(event))
    }

    fn link_up(&mut self, now: Instant) {
        self.said.clear();
        self.offers.clear();
        self.session.handle_link_up(now, Some(Duration::from_millis(10)));
    }
}

impl Run {
    fn new(talk: &Talk) -> Self {
        let now = Instant::from_secs(1);
        let mut config = session::Config::default();
        config.transfer.credit = u64::from(talk.credit) << 12;
        config.transfer.sync_bytes = talk.sync.into();
        config.transfer.instance = [1; 16];
        let client = End::new(Session::client(config.clone(), [1; 32], now));
        let server = End::new(Session::server(config.clone(), now));
        let mut run = Self { now, config, client, server, goods: Vec::new(), is_tampered: false };
        for (n, good) in talk.goods.0.iter().take(MOST_GOODS).enumerate() {
            let data = contents(n as u64, usize::from(good.len) * 7);
            run.want(n, good.is_upload, data);
        }
        run.link_up();
        run
    }

    fn want(&mut self, n: usize, is_upload: bool, data: Vec<u8>) {
        let name = SafeName::parse(&format!("file {n}")).expect("a safe name");
        let id = TransferId::from_bytes([n as u8 + 1; 16]);
        let transfers = self.client.session.transfers_mut();
        if is_upload {
            let offer = Offer::new(id, name.clone(), data.len() as u64);
            transfers.offer(self.now, offer).expect("a new transfer");
            self.client.worker.send(id, name.clone());
            self.client.disk.files.insert(name.clone(), data.clone().into());
        } else {
            transfers.request(self.now, id, name.clone()).expect("a new transfer");
            self.server.disk.files.insert(name.clone(), data.clone().into());
        }
        self.goods.push(Wanted { id, name, is_upload, data });
    }

    fn link_up(&mut self) {
        self.client.work(self.now);
        // A server makes a session for each link; its disk does what the previous one has requested.
        self.server.session.transfers_mut().handle_link_down(self.now);
        self.server.work(self.now);
        self.server.session = Session::server(self.config.clone(), self.now);
        self.client.link_up(self.now);
        self.server.link_up(self.now);
    }

    fn end(&mut self, is_client: bool) -> &mut End {
        if is_client { &mut self.client } else { &mut self.server }
    }

    fn act(&mut self, act: &Act) {
        let now = self.now;
        match *act {
            Act::Say(by_client, messages) => {
                for _ in 0..messages {
                    self.end(by_client).say(now);
                }
            }
            Act::Hear(by_client, messages) => {
                for _ in 0..messages {
                    self.hear(by_client);
                }
            }
            Act::Work(by_client) => drop(self.end(by_client).work(now)),
            Act::Drop(from_client, at) => self.tamper(from_client, at, |said, at| drop(said.remove(at))),
            Act::Twice(from_client, at) => {
                self.tamper(from_client, at, |said, at| said.insert(at, said[at].clone()));
            }
            Act::Swap(from_client, at) => {
                self.tamper(from_client, at, |said, at| said.swap(at, (at + 1) % said.len()));
            }
            Act::Flip(from_client, at, bit) => self.tamper(from_client, at, |said, at| {
                let mut message = said[at].to_vec();
                let bit = usize::from(bit) % (message.len() * 8);
                message[bit / 8] ^= 1 << (bit % 8);
                said[at] = message.into();
            }),
            Act::Cut => self.link_up(),
            Act::Crash => {
                self.server.worker = Worker::default();
                self.server.told = 0;
                self.server.session = Session::server(self.config.clone(), now);
                self.server.disk.crash();
                self.link_up();
            }
            Act::Later(span) => {
                let to = now + span.0.min(Duration::from_secs(3600));
                while let Some(next) = self.next().filter(|next| *next < to) {
                    self.jump(next);
                }
                self.jump(to);
            }
        }
        self.look();
    }

    fn tamper(&mut self, from_client: bool, at: u8, how: impl FnOnce(&mut VecDeque<Bytes>, usize)) {
        let said = &mut self.end(from_client).said;
        if !said.is_empty() {
            let at = usize::from(at) % said.len();
            how(said, at);
            self.is_tampered = true;
        }
    }

    fn hear(&mut self, by_client: bool) -> bool {
        let now = self.now;
        let Some(message) = self.end(!by_client).said.pop_front() else { return false };
        self.end(by_client).hear(now, message);
        true
    }

    /// Ends a broken link, and checks what has arrived.
    fn look(&mut self) {
        if self.client.is_broken() | self.server.is_broken() {
            self.link_up();
        }
        for good in &self.goods {
            let disk = if good.is_upload { &self.server.disk } else { &self.client.disk };
            let is_whole = disk.files.get(&good.name).is_none_or(|found| *found == good.data);
            assert!(is_whole, "{} is neither whole nor absent", good.name);
        }
    }

    fn next(&self) -> Option<Instant> {
        let (client, server) = (self.client.session.transfers(), self.server.session.transfers());
        earliest(client.poll_timeout(), server.poll_timeout())
    }

    fn jump(&mut self, to: Instant) {
        self.now = to;
        for end in [&mut self.client, &mut self.server] {
            end.session.transfers_mut().handle_timeout(to);
            let next = end.session.transfers().poll_timeout();
            assert!(next.is_none_or(|next| next > to), "a deadline at {next:?}, it is {to}");
        }
    }

    /// From here on, everything works.
    fn finish(&mut self) {
        let limit = self.now + PATIENCE;
        loop {
            let now = self.now;
            let worked = self.client.work(now) | self.server.work(now);
            self.look();
            let said = self.client.say(now) | self.server.say(now);
            let heard = self.hear(true) | self.hear(false);
            if worked || said || heard {
                continue;
            }
            if self.client.session.transfers().is_empty() {
                break;
            }
            let next = self.next().expect("nobody waits without a deadline");
            assert!(next < limit, "nothing comes to an end");
            self.jump(next);
        }
        for good in &self.goods {
            let is_done = self
                .client
                .worker
                .transfer_events()
                .any(|(_, event)| matches!(event, Event::Done { id, .. } if *id == good.id));
            let disk = if good.is_upload { &self.server.disk } else { &self.client.disk };
            assert!(!is_done || disk.files.contains_key(&good.name), "{} is done, and not there", good.name);
            assert!(is_done || self.is_tampered, "{} has not arrived", good.name);
        }
    }
}
