//! A client's session across many links to a server, with files at both ends.

use super::{Disk, Link, Pair, Path, Worker};
use bowline_core::heartbeat::Mode;
use bowline_core::time::earliest;
use bowline_core::transfer::{Event, Leftover, Offer, SafeName, TransferId};
use bowline_core::{Disconnect, End, Instant, Retry, Rng, Role, Session, connection, pump, session};
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// This many rounds within one instant are a livelock.
const ROUNDS: u32 = 200_000;

/// What answers a dial: the n-th one, counted from 0, at this time. `None`: nobody answers.
pub type Dialler = Box<dyn FnMut(u32, Instant) -> Option<Link>>;

/// A client and a server with disks, and one link after the other between them.
///
/// ```
/// use bowline_tests::sim::{Path, World};
/// use std::time::Duration;
///
/// let mut world = World::new(1);
/// world.upload("a.txt", vec![7; 100_000]);
/// assert!(world.run(Duration::from_secs(10)));
/// assert_eq!(world.server_disk.file("a.txt"), vec![7; 100_000]);
/// ```
pub struct World {
    /// The client's session, which survives all links.
    pub session: Session,
    /// Carries out what the client's session wants.
    pub worker: Worker,
    /// The client's files.
    pub client_disk: Disk,
    /// The server's files.
    pub server_disk: Disk,
    /// What answers a dial. By default a local network.
    pub dialler: Dialler,
    /// How long a dial takes until the link is open.
    pub handshake: Duration,
    /// The settings of all connections.
    pub connection: connection::Config,
    /// Whether connections of the client ping as its session has learned to, instead of as `connection` says.
    pub learns: bool,
    /// Whether the server leaves all pings to the client.
    pub quiet_server: bool,
    /// The settings of the client's session.
    client: session::Config,
    /// The settings of the server's sessions.
    pub server: session::Config,
    /// The remains of links that have ended.
    pub past: Vec<Past>,
    /// The longest that a control frame of the client, and of the server, would have had to wait for data on the path.
    pub longest_wait: (Duration, Duration),
    now: Instant,
    rng: Rng,
    lives: Vec<Life>,
    orders: Vec<Order>,
    ids: u16,
    dials: u32,
    opening: Option<Instant>,
    rounds: u32,
}

/// What the client wants.
#[derive(Clone)]
enum Order {
    /// To send this; from a pipe if its length is not known.
    Upload(Offer),
    Download(TransferId, SafeName),
}

/// The remains of a link.
#[derive(Debug)]
pub struct Past {
    /// When it opened, and when the client learned of its end.
    pub life: (Instant, Instant),
    /// How it ended, as the client saw it.
    pub end: Disconnect,
    /// Bytes that client and server gave to the transport.
    pub sent: (u64, u64),
    /// The largest window that was in force at client and server.
    pub window: (u64, u64),
}

/// A link, and the server's side of it.
#[derive(Debug)]
struct Life {
    pair: Pair,
    opened: Instant,
    /// Whether the client still holds it.
    is_current: bool,
    server: Session,
    worker: Worker,
    window: (u64, u64),
}

impl World {
    /// A world on a local network. The seed makes it repeatable.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, session::Config::default(), session::Config::default())
    }

    /// A world with these settings for the sessions of the client and the server.
    pub fn with(seed: u64, client: session::Config, server: session::Config) -> Self {
        let now = Instant::ZERO;
        let mut rng = super::rng(seed);
        Self {
            session: Session::client(client.clone(), rng.bytes(), now),
            worker: Worker::default(),
            client_disk: Disk::default(),
            server_disk: Disk::default(),
            dialler: Box::new(|_, now| Some(Link::new(Path::default(), now))),
            handshake: Duration::from_millis(2),
            connection: connection::Config::default(),
            learns: false,
            quiet_server: false,
            client,
            server,
            past: Vec::new(),
            longest_wait: (Duration::ZERO, Duration::ZERO),
            now,
            rng,
            lives: Vec::new(),
            orders: Vec::new(),
            ids: 0,
            dials: 0,
            opening: None,
            rounds: 0,
        }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Puts a file on the client's disk and offers it.
    pub fn upload(&mut self, name: &str, data: impl Into<Bytes>) -> TransferId {
        let (name, data) = (SafeName::parse(name).expect("a safe name"), data.into());
        let length = data.len() as u64;
        self.client_disk.files.insert(name.clone(), data);
        let id = self.next_id();
        self.order(Order::Upload(Offer::new(id, name, length)))
    }

    /// The same, but the bytes become known only piece by piece, and only once, as from a pipe.
    pub fn pipe(&mut self, name: &str, data: impl Into<Bytes>) -> TransferId {
        let name = SafeName::parse(name).expect("a safe name");
        self.client_disk.files.insert(name.clone(), data.into());
        let id = self.next_id();
        self.order(Order::Upload(Offer::of_unknown_length(id, name)))
    }

    /// Puts a file on the server's disk and lets the client request it.
    pub fn download(&mut self, name: &str, data: impl Into<Bytes>) -> TransferId {
        let name = SafeName::parse(name).expect("a safe name");
        self.server_disk.files.insert(name.clone(), data.into());
        let id = self.next_id();
        self.order(Order::Download(id, name))
    }

    /// The client no longer wants this, and nothing of it is to be kept.
    pub fn cancel(&mut self, which: TransferId) {
        self.orders.retain(|order| order.id() != which);
        self.session.transfers_mut().cancel(self.now, which, Leftover::Discard);
    }

    /// Runs until the client has no transfer under way, for `limit` at most. Returns whether that is so.
    pub fn run(&mut self, limit: Duration) -> bool {
        let end = self.now + limit;
        self.settle();
        while !self.session.transfers().is_empty() {
            let Some(next) = self.poll_timeout().filter(|next| *next <= end) else { return false };
            self.jump(next);
            self.settle();
        }
        true
    }

    /// Runs until a time, and does everything that is due then.
    pub fn run_until(&mut self, end: Instant) {
        self.settle();
        while let Some(next) = self.poll_timeout().filter(|next| *next <= end) {
            self.jump(next);
            self.settle();
        }
        self.jump(end);
        self.settle();
    }

    /// The server's machine crashes and restarts: links are reset, and what was not safe is gone.
    pub fn crash_server(&mut self) {
        self.server_disk.crash();
        for life in &mut self.lives {
            life.pair.link.cut(self.now, End::Reset);
            life.server = Session::server(self.server.clone(), self.now);
            life.worker = Worker::default();
        }
    }

    /// The client's process is killed and starts again, with everything that is not complete; what came through pipes
    /// is gone.
    pub fn restart_client(&mut self) {
        if let Some(life) = self.lives.iter_mut().find(|life| life.is_current) {
            life.is_current = false;
            life.pair.link.cut(self.now, End::Reset);
        }
        self.opening = None;
        self.session = Session::client(self.client.clone(), self.rng.bytes(), self.now);
        self.worker.restart();
        self.orders.retain(|order| !matches!(order, Order::Upload(Offer { length: None, .. })));
        for order in self.orders.clone() {
            if self.done(order.id()).is_none() {
                self.carry(order);
            }
        }
    }

    /// How the transfer ended, if it is complete: its length and the bytes sent more than once, as the client counts
    /// them.
    pub fn done(&self, which: TransferId) -> Option<(u64, u64)> {
        self.worker.transfer_events().find_map(|(_, event)| match event {
            Event::Done { id, length, resent, .. } if *id == which => Some((*length, *resent)),
            _ => None,
        })
    }

    /// The pair on the current link, to inspect or to disturb.
    pub fn pair(&mut self) -> Option<&mut Pair> {
        self.lives.iter_mut().find(|life| life.is_current).map(|life| &mut life.pair)
    }

    /// How many dials there were.
    pub fn dials(&self) -> u32 {
        self.dials
    }

    /// Everything that client and server have given to transports so far, including current links.
    pub fn sent(&self) -> (u64, u64) {
        let past = self.past.iter().map(|past| past.sent);
        let current = self.lives.iter().filter(|life| life.is_current).map(Life::sent);
        past.chain(current).fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
    }

    // ----- time -----

    /// When something next happens by itself.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let lives = self.lives.iter().filter_map(Life::poll_timeout).min();
        let client = earliest(self.session.poll_timeout(), self.worker.poll_timeout());
        earliest(earliest(lives, client), self.opening)
    }

    /// Does everything that can be done without time passing.
    pub fn settle(&mut self) {
        while self.turn() {
            self.rounds += 1;
            assert!(self.rounds < ROUNDS, "live-lock at {}: {self:?}", self.now);
        }
    }

    fn jump(&mut self, to: Instant) {
        if to > self.now {
            self.now = to;
            self.rounds = 0;
            for life in &mut self.lives {
                life.pair.jump(to);
            }
        }
    }

    fn turn(&mut self) -> bool {
        let mut any = self.open();
        if self.session.poll_timeout().is_some_and(|due| due <= self.now) {
            self.session.handle_timeout(self.now);
            let next = self.session.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "a deadline at {next:?} after {}", self.now);
            any = true;
        }
        for at in 0..self.lives.len() {
            let life = &mut self.lives[at];
            if life.is_current {
                pump(self.now, &mut life.pair.client.connection, &mut self.session);
                any |= self.work();
                let life = &mut self.lives[at];
                if life.is_current {
                    pump(self.now, &mut life.pair.client.connection, &mut self.session);
                }
            }
            any |= self.lives[at].turn(self.now, &self.session, &mut self.server_disk);
            let link = &mut self.lives[at].pair.link;
            let wait = |link: &mut Link, role| link.outgoing(role).delay();
            self.longest_wait.0 = self.longest_wait.0.max(wait(link, Role::Client));
            self.longest_wait.1 = self.longest_wait.1.max(wait(link, Role::Server));
        }
        any |= self.work();
        self.lives.retain(|life| life.is_current || !life.is_over());
        any
    }

    /// Carries out what the client wants, and follows its links.
    fn work(&mut self) -> bool {
        let from = self.worker.told.len();
        let any = self.worker.work(self.now, &mut self.session, &mut self.client_disk);
        for event in from..self.worker.told.len() {
            match &self.worker.told[event].1 {
                session::Event::Dial | session::Event::DialBeside => {
                    self.opening = Some(self.now + self.handshake);
                }
                session::Event::Waiting { .. } => self.opening = None,
                session::Event::LinkDown(end) => {
                    let end = end.clone();
                    self.bury(end);
                }
                _ => {}
            }
        }
        any
    }

    fn bury(&mut self, end: Disconnect) {
        if let Some(life) = self.lives.iter_mut().find(|life| life.is_current) {
            life.is_current = false;
            let (sent, window) = (life.sent(), life.window);
            self.past.push(Past { life: (life.opened, self.now), end, sent, window });
        }
    }

    /// Opens the link that was dialled, once the handshake is complete.
    fn open(&mut self) -> bool {
        if self.opening.is_none_or(|at| at > self.now) {
            return false;
        }
        self.opening = None;
        let link = (self.dialler)(self.dials, self.now);
        self.dials += 1;
        let Some(link) = link else {
            self.session.handle_dial_failed(self.now, Retry::Backoff);
            return true;
        };
        if let Some(life) = self.lives.iter_mut().find(|life| life.is_current) {
            if !self.session.replace(self.now, &mut life.pair.client.connection) {
                return true;
            }
            self.work();
        }
        let (mut client, mut server) = (self.connection.clone(), self.connection.clone());
        if self.quiet_server {
            server.heartbeat.mode = Mode::Off;
        }
        if let Some(interval) = self.session.heartbeat_interval(self.now).filter(|_| self.learns) {
            client.heartbeat.interval = interval;
        }
        let mut pair = Pair::at(client, server, link, self.rng.next_u64(), self.now);
        // The pumps listen.
        pair.client.listens = false;
        pair.server.listens = false;
        let mut server = Session::server(self.server.clone(), self.now);
        server.handle_link_up(self.now, None);
        self.session.handle_link_up(self.now, Some(self.handshake));
        let worker = Worker::default();
        self.lives.push(Life { pair, opened: self.now, is_current: true, server, worker, window: (0, 0) });
        true
    }

    /// The client wants this from now on.
    fn order(&mut self, order: Order) -> TransferId {
        let id = order.id();
        self.orders.push(order.clone());
        self.carry(order);
        id
    }

    fn carry(&mut self, order: Order) {
        let transfers = self.session.transfers_mut();
        let known = match order {
            Order::Upload(offer) => {
                match offer.length {
                    Some(_) => self.worker.send(offer.id, offer.name.clone()),
                    None => self.worker.pipe(offer.id, offer.name.clone()),
                }
                transfers.offer(self.now, offer)
            }
            Order::Download(id, name) => transfers.request(self.now, id, name),
        };
        known.expect("a new transfer");
    }

    fn next_id(&mut self) -> TransferId {
        self.ids += 1;
        let n = self.ids;
        let mut bytes = [n as u8; 16];
        bytes[0] = (n >> 8) as u8;
        TransferId::from_bytes(bytes)
    }
}

impl Order {
    fn id(&self) -> TransferId {
        match self {
            Self::Upload(offer) => offer.id,
            Self::Download(id, _) => *id,
        }
    }
}

impl Life {
    /// One round of the server's side, then of the link.
    fn turn(&mut self, now: Instant, client: &Session, disk: &mut Disk) -> bool {
        let mut any = false;
        if self.server.poll_timeout().is_some_and(|due| due <= now) {
            self.server.handle_timeout(now);
            any = true;
        }
        pump(now, &mut self.pair.server.connection, &mut self.server);
        any |= self.worker.work(now, &mut self.server, disk);
        pump(now, &mut self.pair.server.connection, &mut self.server);
        if self.is_current {
            self.window.0 = self.window.0.max(client.transfers().window());
        }
        self.window.1 = self.window.1.max(self.server.transfers().window());
        self.pair.turn() | any
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let server = earliest(self.server.poll_timeout(), self.worker.poll_timeout());
        earliest(self.pair.poll_timeout(), server)
    }

    /// Whether both ends have closed their sockets and nothing is left to do.
    fn is_over(&self) -> bool {
        self.pair.client.has_left() && self.pair.server.has_left() && self.worker.poll_timeout().is_none()
    }

    fn sent(&self) -> (u64, u64) {
        let sent = |role| match role {
            Role::Client => self.pair.client.connection.stats().bytes_sent,
            Role::Server => self.pair.server.connection.stats().bytes_sent,
        };
        (sent(Role::Client), sent(Role::Server))
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("session", &self.session)
            .field("lives", &self.lives)
            .field("past", &self.past)
            .finish_non_exhaustive()
    }
}
