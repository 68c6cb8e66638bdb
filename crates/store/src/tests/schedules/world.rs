//! Two ends, the messages between them, and one step after another.

use super::goods::{Goods, put};
use super::host::{Host, Session};
use super::watch::Watch;
use crate::Config;
use crate::fault::held_clock;
use crate::sys::model::Device;
use bowline_core::time::earliest;
use bowline_core::transfer::{self, Code, Event, Retry};
use bowline_core::{Instant, Rng, Role};
use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) rng: Rng,
    pub(super) client: Host,
    /// Server processes on one device. The last one takes new links.
    pub(super) servers: Vec<Host>,
    pub(super) up: VecDeque<Vec<u8>>,
    pub(super) down: VecDeque<Vec<u8>>,
    pub(super) goods: Vec<Goods>,
    pub(super) store: Config,
    pub(super) config: transfer::Config,
    pub(super) instances: u8,
    /// Frames have arrived twice or in another order, so a protocol violation may be found.
    pub(super) is_tampered: bool,
    /// A file system was read-only for a while.
    pub(super) was_read_only: bool,
    /// Whether locks keep an old server process from taking back late what a new one has.
    pub(super) has_locks: bool,
    /// When the next link comes up, if there is none.
    pub(super) relink: Option<Instant>,
    watch: Watch,
}

impl World {
    pub(super) fn new(mut rng: Rng) -> Self {
        let mut below = |n: u32| rng.next_u32() % n;
        let piece = [64, 512, 4096][below(3) as usize];
        let mut store = Config { overwrite: below(4) == 0, ..Config::default() };
        if below(3) == 0 {
            store.keep_committed = None;
        }
        let mut config = transfer::Config::default();
        config.sync_bytes = [1, 20_000, 100_000][below(3) as usize];
        config.credit = [1, 100_000][below(2) as usize];
        config.link_credit = 200_000;
        config.max_chunk = [16 << 10, 64 << 10][below(2) as usize];
        let has_locks = below(4) > 0;
        let (client_device, server_device) = (Device::new(piece, true), Device::new(piece, has_locks));
        let count = 1 + below(3) as usize;
        let goods: Vec<_> = (0..count).map(|n| Goods::new(n, &mut rng)).collect();
        for good in &goods {
            let device = if good.is_upload { &client_device } else { &server_device };
            put(device, &good.name, &good.versions[0]);
        }
        let watch = Watch::new(rng.fork(), store.clone());
        let mut world = Self {
            now: Instant::from_secs(1),
            rng,
            client: Host::start(&client_device, &store),
            servers: vec![Host::start(&server_device, &store)],
            up: VecDeque::new(),
            down: VecDeque::new(),
            goods,
            store,
            config,
            instances: 0,
            is_tampered: false,
            was_read_only: false,
            has_locks,
            relink: None,
            watch,
        };
        world.tell_time();
        world.start_client();
        world.link_up();
        world
    }

    // ----- processes and links -----

    /// The client is running, and wants whatever has not arrived.
    pub(super) fn start_client(&mut self) {
        let config = self.new_config();
        self.client.open(Role::Client, &config, self.now);
        for good in self.goods.iter_mut().filter(|good| good.end.is_none()) {
            good.again = None;
            good.begin(self.now, &mut self.client);
        }
    }

    pub(super) fn link_up(&mut self) {
        self.relink = None;
        let (now, rtt) = (self.now, Some(Duration::from_millis(10)));
        let config = self.new_config();
        let server = self.servers.last_mut().expect("one");
        server.open(Role::Server, &config, now);
        server.session().transfers.handle_link_up(now, rtt);
        self.client.session().transfers.handle_link_up(now, rtt);
        self.watch.link_up();
    }

    /// The client has lost its link; the server learns of it at once, or some time later.
    pub(super) fn cut(&mut self, server_hears: bool) {
        if self.relink.is_some() {
            return;
        }
        self.up.clear();
        self.down.clear();
        let now = self.now;
        self.client.session().transfers.handle_link_down(now);
        let store = self.client.store.clone();
        self.client.session().collect(now, &store);
        let last = self.servers.last_mut().expect("one");
        if server_hears && !last.sessions.is_empty() {
            let at = last.sessions.len() - 1;
            hear_the_end(last, at, now);
        }
        self.relink = Some(now + Duration::from_secs(1));
    }

    /// The client is gone, and so is everything on its way.
    pub(super) fn cut_dead_client(&mut self) {
        self.client.sessions.clear();
        self.up.clear();
        self.down.clear();
        self.relink = Some(self.now + Duration::from_secs(1));
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.servers.iter().chain([&self.client])
    }

    fn new_config(&mut self) -> transfer::Config {
        self.instances = self.instances.wrapping_add(1).max(1);
        let mut config = self.config.clone();
        config.instance = [self.instances; 16];
        config
    }

    // ----- steps -----

    /// Lets an end send a message.
    pub(super) fn poll(&mut self, role: Role) -> bool {
        if self.relink.is_some() {
            return false;
        }
        let (host, queue) = match role {
            Role::Client => (&mut self.client, &mut self.up),
            Role::Server => (self.servers.last_mut().expect("one"), &mut self.down),
        };
        let Some(message) = host.session().transfers.poll_message(self.now, 1) else { return false };
        let message = message.into_bytes().to_vec();
        self.watch.look(&message, &host.device, &mut self.goods);
        queue.push_back(message);
        let store = host.store.clone();
        host.session().collect(self.now, &store);
        true
    }

    pub(super) fn deliver(&mut self, to: Role) -> bool {
        let most = self.most_held();
        let (host, queue) = match to {
            Role::Client => (&mut self.client, &mut self.down),
            Role::Server => (self.servers.last_mut().expect("one"), &mut self.up),
        };
        let Some(message) = queue.pop_front() else { return false };
        let store = host.store.clone();
        let session = host.session();
        let is_damaged = session.receive(self.now, message);
        session.collect(self.now, &store);
        assert!(session.held() <= most, "{} bytes are held, {most} may be", session.held());
        if is_damaged {
            self.cut(true);
        }
        self.hear();
        true
    }

    /// What credit promises, what arrives before it, and a message that is being examined.
    fn most_held(&self) -> usize {
        let each = 65_536 + 2 * self.config.max_chunk as usize;
        self.config.link_credit as usize + each * (self.goods.len() + 1)
    }

    /// Runs a job of an end.
    pub(super) fn work(&mut self, role: Role) -> bool {
        let n = self.rng.next_u32();
        let any = match role {
            Role::Client => self.client.work(self.now, n),
            Role::Server => {
                let at = self.rng.next_u32() as usize % self.servers.len();
                self.servers[at].work(self.now, n)
            }
        };
        self.hear();
        any
    }

    /// Follows what transfers report, and does what users would.
    fn hear(&mut self) {
        let mut is_broken = false;
        for host in &mut self.servers {
            let last = host.sessions.len().saturating_sub(1);
            for (at, session) in host.sessions.iter_mut().enumerate() {
                let broken = session.told.drain(..).any(|event| matches!(event, Event::Broken { .. }));
                is_broken |= broken && at == last;
            }
        }
        for event in std::mem::take(&mut self.client.session().told) {
            match event {
                Event::Broken { .. } => is_broken = true,
                Event::Done { id, digest, .. } => {
                    if let Some(good) = self.goods.iter_mut().find(|good| good.id == id) {
                        good.end = Some(Ok(digest));
                    }
                }
                Event::Failed { id, failure } => self.fail(id, failure.code),
                _ => {}
            }
        }
        if is_broken {
            self.cut(true);
        }
    }

    fn fail(&mut self, id: transfer::TransferId, code: Code) {
        let Some(good) = self.goods.iter_mut().find(|good| good.id == id) else { return };
        let is_final = code.retry() == Retry::Never;
        if is_final && code == Code::Exists && good.has_changed() {
            good.end = Some(Err(code));
            return;
        }
        let is_excused = match code {
            Code::Rejected => self.was_read_only,
            Code::Protocol => self.is_tampered,
            Code::Fenced => !self.has_locks,
            _ => false,
        };
        assert!(!is_final || is_excused, "{} ended with {code}", good.name);
        good.again = Some(self.now + Duration::from_secs(10));
    }

    // ----- time -----

    pub(super) fn advance(&mut self, by: Duration) {
        self.now += by;
        let nanos = by.as_nanos() as i64;
        self.client.device.advance(nanos);
        self.servers[0].device.advance(nanos);
        self.tell_time();
        let now = self.now;
        for host in self.servers.iter_mut().chain([&mut self.client]) {
            let store = host.store.clone();
            for session in &mut host.sessions {
                session.transfers.handle_timeout(now);
                let next = session.transfers.poll_timeout();
                assert!(next.is_none_or(|next| next > now), "a deadline at {next:?}, it is {now}");
                session.collect(now, &store);
            }
        }
        self.hear();
        for at in 0..self.goods.len() {
            if self.goods[at].again.is_some_and(|again| again <= now) {
                self.goods[at].again = None;
                self.goods[at].begin(now, &mut self.client);
            }
        }
        if self.relink.is_some_and(|relink| relink <= now) {
            self.link_up();
        }
    }

    fn tell_time(&self) {
        let time: SystemTime = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        held_clock::set(time + self.now.since_start());
    }

    /// Does everything that can be done without time passing.
    pub(super) fn settle(&mut self) {
        for _ in 0..100_000 {
            let polled = self.poll(Role::Client) | self.poll(Role::Server);
            let delivered = self.deliver(Role::Client) | self.deliver(Role::Server);
            let worked = self.work(Role::Client) | self.work(Role::Server);
            let now = self.now;
            let has_jobs = self.hosts().any(|host| host.has_jobs() && host.slow_until <= now);
            if !(polled || delivered || worked || has_jobs) {
                return;
            }
        }
        panic!("live-lock");
    }

    /// Advances to the next deadline, if nothing can be done before. There must be one, or nothing would ever happen
    /// again.
    pub(super) fn jump(&mut self) {
        let mut next = self.relink;
        let slow = self.hosts().filter(|host| host.has_jobs() && host.slow_until > self.now);
        next = earliest(next, slow.map(|host| host.slow_until).min());
        for good in &self.goods {
            next = earliest(next, good.again);
        }
        let is_linked = self.relink.is_none();
        for host in self.hosts() {
            for Session { transfers, .. } in &host.sessions {
                let timeout = transfers.poll_timeout();
                // An end that waits for its own disk has no deadline.
                let waits = is_linked && !transfers.is_empty() && !host.has_jobs();
                assert!(timeout.is_some() || !waits, "waits without a deadline: {transfers:?}");
                next = earliest(next, timeout);
            }
        }
        let next = next.expect("something is to come");
        assert!(next > self.now, "a deadline in the past: {next} at {}", self.now);
        self.advance(next - self.now);
    }
}

/// A server learns that one of its links is gone. Its disk jobs continue.
pub(super) fn hear_the_end(host: &mut Host, at: usize, now: Instant) {
    let mut session = host.sessions.remove(at);
    session.transfers.handle_link_down(now);
    session.collect(now, &host.store);
}
