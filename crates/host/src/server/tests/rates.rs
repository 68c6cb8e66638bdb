//! The rate limit of a token, with real files and clients, in virtual time.

use std::collections::VecDeque;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_core::transfer::{Event, SUBPROTOCOL, SafeName, TransferId};
use bowline_core::{Connection, Instant};
use bowline_handshake::client::Request;
use bowline_store::worker::{Deliver, Report, Spawn};
use bowline_store::{DiskStore, Principal};
use tempfile::TempDir;

use super::{house, request};
use crate::client::{self, ClientConfig, Download, Feed, Keeper, Talk, offer_of};
use crate::server::{Access, Grant, House, Secret, Served, ServerConfig};

/// What a token allows per second.
const RATE: u64 = 50_000;
const LEN: usize = 500_000;

/// File jobs, to be run when nothing else is left to do.
type Jobs = Arc<Mutex<VecDeque<Box<dyn FnOnce() + Send>>>>;
/// The results of the jobs: for which link, and whether for its client.
type Reports = Arc<Mutex<VecDeque<(usize, bool, Report)>>>;

/// A client, a server's end, and no delay between them.
struct Link {
    keeper: Keeper<&'static str>,
    near: Connection,
    served: Served,
    far: Connection,
}

struct World {
    now: Instant,
    house: Arc<House>,
    dir: TempDir,
    links: Vec<Link>,
    jobs: Jobs,
    reports: Reports,
    /// Which transfers are complete, and since when.
    done: Vec<(&'static str, f64)>,
}

impl World {
    /// A server to which alice and bob may connect.
    fn new() -> Self {
        Self::with(RATE)
    }

    fn with(rate: u64) -> Self {
        let grant = |name| {
            let mut grant = Grant::to(Principal::named(name).unwrap());
            grant.limit_rate = Some(rate);
            grant
        };
        let access = Access::nobody()
            .with_token(Secret::of("alice"), grant("alice"))
            .with_token(Secret::of("bob"), grant("bob"));
        let (dir, house) = house(ServerConfig { access, ..ServerConfig::default() });
        fs::write(dir.path().join("file"), vec![7; LEN]).unwrap();
        let (links, jobs, reports, done) = Default::default();
        Self { now: Instant::ZERO, house, dir, links, jobs, reports, done }
    }

    fn spawn(&self) -> Spawn {
        let jobs = Arc::clone(&self.jobs);
        Arc::new(move |job| jobs.lock().unwrap().push_back(job))
    }

    fn deliver(&self, is_client: bool) -> Deliver {
        let (reports, link) = (Arc::clone(&self.reports), self.links.len());
        Arc::new(move |report| reports.lock().unwrap().push_back((link, is_client, report)))
    }

    /// Another connection of this principal.
    fn connect(&mut self, who: &str) -> &mut Link {
        let now = self.now;
        let (_, pass) =
            self.house.decide(&request(Some(&format!("Bearer {who}"))), &[SUBPROTOCOL.to_owned()]);
        let (spawn, deliver) = (self.spawn(), self.deliver(false));
        let served =
            self.house.serve(pass.expect("a token"), who.into(), spawn, deliver, Arc::new(|| ()), now);
        let far = Connection::server(self.house.connection(), [2; 32], now);
        let talk = Talk::new(Arc::new(|| ()), Arc::new(|| ()));
        let server = Request::new("ws://h/").unwrap();
        let (spawn, deliver) = (self.spawn(), self.deliver(true));
        let mut keeper = Keeper::new(ClientConfig::default(), &server, spawn, deliver, talk, now).unwrap();
        keeper.handle_link_up(now, Duration::from_millis(1));
        let near = Connection::client(keeper.connection(now), [3; 32], now);
        self.links.push(Link { keeper, near, served, far });
        self.links.last_mut().unwrap()
    }

    fn send(&mut self, who: &str, ticket: &'static str) {
        let path = self.dir.path().join("file");
        let (offer, source) = offer_of(&path, name(ticket), id(self.links.len())).unwrap();
        let now = self.now;
        self.connect(who).keeper.upload(now, offer, Feed::Source(source), ticket);
    }

    fn fetch(&mut self, who: &str, ticket: &'static str) {
        let folder = self.dir.path().join("fetched");
        fs::create_dir_all(&folder).unwrap();
        let store = DiskStore::open(&folder, bowline_store::Config::default()).unwrap();
        let download = Download::new(id(self.links.len()), name("file"), name(ticket));
        let now = self.now;
        self.connect(who).keeper.download(now, download, store, ticket);
    }

    /// Does everything that can be done without time passing.
    fn settle(&mut self) {
        let now = self.now;
        loop {
            let mut is_quiet = true;
            while let Some(job) = { self.jobs.lock().unwrap().pop_front() } {
                job();
            }
            while let Some((link, is_client, report)) = { self.reports.lock().unwrap().pop_front() } {
                is_quiet = false;
                match &mut self.links[link] {
                    Link { keeper, .. } if is_client => keeper.handle_report(now, report),
                    Link { served, .. } => served.handle_report(now, report),
                }
            }
            for Link { keeper, near, served, far } in &mut self.links {
                keeper.pump(now, near);
                served.pump(now, far);
                while served.poll_output(now).is_some() {}
                while let Some(output) = keeper.poll_output(now) {
                    match output {
                        client::Output::Ended { ticket, result, .. } => {
                            result.expect("it crosses");
                            self.done.push((ticket, (now - Instant::ZERO).as_secs_f64()));
                        }
                        client::Output::Transfer(Event::Retrying { failure, .. }) => panic!("{failure}"),
                        _ => {}
                    }
                }
                is_quiet &= !carry(now, near, far) & !carry(now, far, near);
            }
            if is_quiet && self.jobs.lock().unwrap().is_empty() {
                return;
            }
        }
    }

    /// Runs until this many transfers are complete.
    fn run(&mut self, count: usize) {
        self.run_for(600, count);
    }

    /// The same, with a limit of this many seconds, for slower cases.
    fn run_for(&mut self, seconds: u64, count: usize) {
        self.settle();
        while self.done.len() < count {
            let due = self.links.iter().flat_map(|Link { keeper, near, served, far }| {
                [keeper.poll_timeout(), near.poll_timeout(), served.poll_timeout(), far.poll_timeout()]
            });
            self.now = due.flatten().min().expect("somebody waits").max(self.now);
            assert!(self.now < Instant::from_secs(seconds), "only these are done: {:?}", self.done);
            for Link { keeper, near, served, far } in &mut self.links {
                near.handle_timeout(self.now);
                far.handle_timeout(self.now);
                keeper.handle_timeout(self.now);
                keeper.progress(self.now).for_each(drop);
                served.handle_timeout(self.now);
            }
            self.settle();
        }
    }

    fn took(&self, ticket: &str) -> f64 {
        self.done.iter().find(|(done, _)| *done == ticket).expect("it is done").1
    }
}

/// Moves what one end sends to the other; returns whether there was anything.
fn carry(now: Instant, from: &mut Connection, to: &mut Connection) -> bool {
    let bytes = from.output().to_vec();
    from.handle_written(now, bytes.len());
    to.handle_input(now, &bytes);
    !bytes.is_empty()
}

fn name(name: &str) -> SafeName {
    SafeName::parse(name).unwrap()
}

fn id(n: usize) -> TransferId {
    TransferId::from_bytes([n as u8 + 1; 16])
}

#[test]
fn a_rate_is_one_for_all_connections_of_a_token_and_another_for_each_token() {
    for way in [World::send, World::fetch] {
        let mut world = World::new();
        way(&mut world, "alice", "first");
        way(&mut world, "alice", "second");
        way(&mut world, "bob", "other");
        world.run(3);
        // Ten seconds' worth each; alice has two of them.
        let took = ["first", "second", "other"].map(|ticket| world.took(ticket));
        assert!((18.0..21.0).contains(&took[0]) && (18.0..21.0).contains(&took[1]), "{took:?}");
        assert!((9.0..11.0).contains(&took[2]), "{took:?}");
    }
}

#[test]
fn the_two_directions_of_a_token_do_not_wait_for_each_other() {
    let mut world = World::new();
    world.send("alice", "up");
    world.fetch("alice", "down");
    world.run(2);
    assert!((9.0..11.0).contains(&world.took("up")), "{:?}", world.done);
    assert!((9.0..11.0).contains(&world.took("down")), "{:?}", world.done);
}

#[test]
fn the_only_busy_connection_of_a_principal_has_the_whole_rate() {
    let mut world = World::new();
    world.connect("alice");
    world.fetch("alice", "first");
    world.run(1);
    world.fetch("alice", "second");
    world.run(2);
    assert!((9.0..11.0).contains(&world.took("first")), "{:?}", world.done);
    assert!((19.0..21.0).contains(&world.took("second")), "{:?}", world.done);
}

#[test]
fn many_short_connections_are_not_faster_than_one() {
    let mut world = World::new();
    // A quarter of a second's worth: the burst that a connection may have after none.
    fs::write(world.dir.path().join("file"), vec![7; RATE as usize / 4]).unwrap();
    for ticket in ["a", "b", "c", "d", "e", "f", "g", "h", "i"] {
        world.fetch("alice", ticket);
        world.run(world.links.len());
    }
    // The last one is not paid for yet.
    assert!((1.9..2.3).contains(&world.took("i")), "{:?}", world.done);
}

#[test]
fn a_client_that_fetches_waits_for_a_very_small_share() {
    let mut world = World::with(2000);
    fs::write(world.dir.path().join("file"), vec![7; 60_000]).unwrap();
    for ticket in ["a", "b", "c", "d"] {
        world.fetch("alice", ticket);
    }
    world.run(4);
    // All of them together.
    assert!((115.0..121.0).contains(&world.took("d")), "{:?}", world.done);
}

#[test]
fn a_client_that_sends_waits_for_a_very_small_share() {
    // (bytes per second, senders, bytes of each)
    for (rate, senders, len) in
        [(1024, 1, 150_000), (2048, 2, 150_000), (2000, 4, 70_000), (1024, 16, 70_000)]
    {
        let mut world = World::with(rate);
        fs::write(world.dir.path().join("file"), vec![7; len]).unwrap();
        for _ in 0..senders {
            world.send("alice", "a");
        }
        world.run_for(6000, senders);
        let (worth, last) = ((senders * len) as f64 / rate as f64, world.done.last().unwrap().1);
        assert!((worth * 0.98..worth * 1.02).contains(&last), "{senders} senders: {last} s for {worth} s");
    }
}

#[test]
fn small_files_that_are_sent_keep_to_the_rate() {
    let mut world = World::new();
    fs::write(world.dir.path().join("file"), vec![7; 50_000]).unwrap();
    for ticket in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        world.send("alice", ticket);
    }
    world.run(10);
    assert!((9.0..11.0).contains(&world.took("j")), "{:?}", world.done);
}
