//! Two hosts on a link, and a clock that jumps.

use super::{Host, Link};
use bowline_core::connection::{Config, Event};
use bowline_core::time::earliest;
use bowline_core::{Instant, Message, Role};
use std::time::Duration;

/// This many rounds within one instant are a livelock: two hosts keep each other busy while time stands still.
const ROUNDS: u32 = 200_000;

/// A client and a server on a link, in virtual time.
///
/// ```
/// use bowline_core::{Instant, Message};
/// use bowline_tests::sim::Pair;
/// use std::time::Duration;
///
/// let mut pair = Pair::default();
/// pair.client.connection.send(pair.now(), Message::text("hello")).unwrap();
/// pair.run_for(Duration::from_secs(1));
/// assert_eq!(pair.server_messages().next(), Some(&Message::text("hello")));
/// ```
#[derive(Debug)]
pub struct Pair {
    /// The end that dialled.
    pub client: Host,
    /// The end that accepted.
    pub server: Host,
    /// What is between them.
    pub link: Link,
    now: Instant,
    rounds: u32,
}

impl Default for Pair {
    /// Default settings on a local network.
    fn default() -> Self {
        Self::new(Config::default(), Config::default(), Link::new(super::Path::default(), Instant::ZERO), 0)
    }
}

impl Pair {
    /// Two hosts on a link that opens at the start of time. The seed makes the run repeatable.
    pub fn new(client: Config, server: Config, link: Link, seed: u64) -> Self {
        Self::at(client, server, link, seed, Instant::ZERO)
    }

    /// Two hosts on a link that opens at a given time.
    pub fn at(client: Config, server: Config, link: Link, seed: u64, now: Instant) -> Self {
        let mut rng = super::rng(seed);
        Self {
            client: Host::new(Role::Client, client, rng.bytes(), now),
            server: Host::new(Role::Server, server, rng.bytes(), now),
            link,
            now,
            rounds: 0,
        }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The host of this role.
    pub fn host(&mut self, role: Role) -> &mut Host {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// The messages that the server has received.
    pub fn server_messages(&self) -> impl Iterator<Item = &Message> {
        messages(&self.server)
    }

    /// The messages that the client has received.
    pub fn client_messages(&self) -> impl Iterator<Item = &Message> {
        messages(&self.client)
    }

    /// Runs for this long.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
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

    /// Runs until both ends have reported the end to their application, for `limit` at most. Returns whether they have.
    pub fn run_until_closed(&mut self, limit: Duration) -> bool {
        let end = self.now + limit;
        self.settle();
        while !(self.client.closed().is_some() && self.server.closed().is_some()) {
            let Some(next) = self.poll_timeout().filter(|next| *next <= end) else { return false };
            self.jump(next);
            self.settle();
        }
        true
    }

    /// Does everything that can be done without time passing.
    pub fn settle(&mut self) {
        while self.turn() {}
    }

    /// One round of both hosts. Returns whether either did anything.
    pub fn turn(&mut self) -> bool {
        self.rounds += 1;
        assert!(self.rounds < ROUNDS, "live-lock at {}: {self:#?}", self.now);
        self.link.handle_timeout(self.now);
        let client = self.client.turn(self.now, &mut self.link);
        let server = self.server.turn(self.now, &mut self.link);
        client | server | self.link.poll_timeout().is_some_and(|due| due <= self.now)
    }

    /// Lets time pass until then; a time in the past is this time.
    pub fn jump(&mut self, to: Instant) {
        if to > self.now {
            self.now = to;
            self.rounds = 0;
        }
    }

    /// When something next happens by itself.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let hosts = earliest(self.client.poll_timeout(), self.server.poll_timeout());
        earliest(hosts, self.link.poll_timeout())
    }
}

fn messages(host: &Host) -> impl Iterator<Item = &Message> {
    host.events.iter().filter_map(|(_, event)| match event {
        Event::Message(message) => Some(message),
        _ => None,
    })
}
