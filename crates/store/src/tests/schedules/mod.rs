//! Random schedules of everything that can happen to two ends, with the real store on a device that forgets.
//!
//! Each schedule has a number. A failing one prints it, and `SCHEDULE=number` runs it alone. `SCHEDULES=many` runs that
//! many of them, `SCHEDULES=from..to` that range.

mod goods;
mod host;
mod watch;
mod world;

use crate::sys::model::{Kept, Trouble};
use bowline_core::{Rng, Role};
use goods::{names, read};
use host::Host;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, UNIX_EPOCH};
use watch::check_whole;
use world::{World, hear_the_end};

/// How many schedules an ordinary run of the tests tries; before a release it is four times as many. Synchronisations
/// that were left out on purpose, one at a time, were noticed within the first few hundred, or not within thousands. Those
/// of folders, which these files are not in, and that of a journal that is used again, are tested by the stories in
/// `power`.
const SCHEDULES: u64 = 5_000;

/// After the last fault, everything must end within this time.
const PATIENCE: Duration = Duration::from_secs(3600);

struct Schedule(World);

impl Schedule {
    fn new(number: u64) -> Self {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        Self(World::new(Rng::from_seed(seed)))
    }

    fn run(mut self) {
        for _ in 0..self.below(6) {
            for _ in 0..self.below(120) {
                self.step();
            }
            self.fault();
        }
        self.finish();
        self.check();
    }

    fn below(&mut self, n: u32) -> u32 {
        self.0.rng.next_u32() % n
    }

    fn step(&mut self) {
        let world = &mut self.0;
        match world.rng.next_u32() % 12 {
            0..=2 => drop(world.poll(Role::Client)),
            3 => drop(world.poll(Role::Server)),
            4 | 5 => drop(world.deliver(Role::Server)),
            6 => drop(world.deliver(Role::Client)),
            7 | 8 => drop(world.work(Role::Client)),
            9 | 10 => drop(world.work(Role::Server)),
            _ => {
                let micros = world.rng.next_u32() % 20_000;
                world.advance(Duration::from_micros(micros.into()));
            }
        }
        self.bury();
    }

    /// One of the things that go wrong.
    fn fault(&mut self) {
        match self.below(16) {
            0 => self.0.cut(true),
            // The link is half dead: the server continues with what it has.
            1 | 2 => self.0.cut(false),
            3 => self.kill_client(),
            4 => self.kill_server(),
            5 | 6 => {
                let (after, process) = (self.below(25), self.server().process);
                self.server().device.expect_trouble(process, after, Trouble::Death);
            }
            7 => {
                let (after, process) = (self.below(25), self.0.client.process);
                self.0.client.device.expect_trouble(process, after, Trouble::Death);
            }
            8 => self.swap_node(),
            9 => self.fail_disk(),
            10 | 11 => self.tamper(),
            12 => self.flip(),
            13 => self.change_source(),
            14 => {
                // Nothing is written, so that credit runs out.
                let seconds = [1, 10, 200][self.below(3) as usize];
                let until = self.0.now + Duration::from_secs(seconds);
                self.server().slow_until = until;
                self.0.client.slow_until = until;
            }
            _ => {
                let millis = self.below(100_000);
                self.0.advance(Duration::from_millis(millis.into()));
            }
        }
        self.bury();
    }

    fn server(&mut self) -> &mut Host {
        self.0.servers.last_mut().expect("one")
    }

    /// A process dies, and sometimes the machine with it.
    fn kill_client(&mut self) {
        let device = self.0.client.device.clone();
        device.kill(self.0.client.process);
        self.bury();
    }

    fn kill_server(&mut self) {
        let at = self.below(self.0.servers.len() as u32) as usize;
        let server = &self.0.servers[at];
        server.device.kill(server.process);
        self.bury();
    }

    /// Another process takes over; the old one lives on, with links that it believes to be alive.
    fn swap_node(&mut self) {
        let device = self.server().device.clone();
        self.0.cut(false);
        let host = Host::start(&device, &self.0.store);
        self.0.servers.push(host);
    }

    fn fail_disk(&mut self) {
        use io::ErrorKind as E;
        // InvalidData stands for EIO, which has no kind of its own.
        let kind = [E::InvalidData, E::StorageFull, E::QuotaExceeded, E::ReadOnlyFilesystem];
        let kind = kind[self.below(4) as usize];
        self.0.was_read_only |= kind == E::ReadOnlyFilesystem;
        let trouble = if self.below(2) == 0 { Trouble::Once(kind) } else { Trouble::Always(kind) };
        let after = self.below(20);
        let host =
            if self.below(4) == 0 { &mut self.0.client } else { self.0.servers.last_mut().expect("one") };
        host.device.expect_trouble(host.process, after, trouble);
    }

    /// A frame arrives twice, or two change places.
    fn tamper(&mut self) {
        let (up, twice) = (self.below(2) == 0, self.below(2) == 0);
        let queue = if up { &mut self.0.up } else { &mut self.0.down };
        if queue.len() >= 2 {
            self.0.is_tampered = true;
            let at = self.0.rng.next_u32() as usize % (queue.len() - 1);
            if twice {
                let frame = queue[at].clone();
                queue.insert(at + 1, frame);
            } else {
                queue.swap(at, at + 1);
            }
        }
    }

    fn flip(&mut self) {
        let up = self.below(2) == 0;
        let queue = if up { &mut self.0.up } else { &mut self.0.down };
        if !queue.is_empty() {
            let at = self.0.rng.next_u32() as usize % queue.len();
            let bit = self.0.rng.next_u32() as usize % (queue[at].len() * 8);
            queue[at][bit / 8] ^= 1 << (bit % 8);
        }
    }

    fn change_source(&mut self) {
        let at = self.below(self.0.goods.len() as u32) as usize;
        let (in_place, same_time) = (self.below(2) == 0, self.below(2) == 0);
        let good = &mut self.0.goods[at];
        let device = if good.is_upload { &self.0.client.device } else { &self.0.servers[0].device };
        if !good.versions[0].is_empty() {
            good.change(device, in_place, same_time);
        }
    }

    /// Old links end, old processes stop, and dead ones are replaced.
    fn bury(&mut self) {
        let power_fails = self.below(2) == 0;
        let kept = [Kept::Nothing, Kept::Some, Kept::Everything][self.below(3) as usize];
        let world = &mut self.0;
        if world.client.is_dead() {
            world.cut_dead_client();
            let device = world.client.device.clone();
            if power_fails {
                device.lose_power(kept, &mut world.rng);
                check_whole(&device, &world.goods);
            }
            world.client = Host::start(&device, &world.store);
            world.start_client();
        }
        if world.servers.iter().any(Host::is_dead) {
            let device = world.servers[0].device.clone();
            let last_is_dead = world.servers.last().is_some_and(Host::is_dead);
            if power_fails || last_is_dead {
                world.cut(false);
            }
            if power_fails {
                device.lose_power(kept, &mut world.rng);
                check_whole(&device, &world.goods);
            }
            world.servers.retain(|host| !host.is_dead());
            if power_fails || last_is_dead {
                world.servers.push(Host::start(&device, &world.store));
            }
        }
        if world.rng.next_u32() % 64 == 0 {
            self.hear_old_ends();
        }
    }

    /// Servers learn of lost links, and old processes that have nothing left to do stop.
    fn hear_old_ends(&mut self) {
        let World { servers, now, relink, .. } = &mut self.0;
        let last = servers.len() - 1;
        for (at, host) in servers.iter_mut().enumerate() {
            let current = usize::from(at == last && relink.is_none());
            while host.sessions.len() > current {
                hear_the_end(host, 0, *now);
            }
        }
        let mut at = 0;
        servers.retain(|host| {
            at += 1;
            at > last || host.has_jobs() || {
                host.device.kill(host.process);
                false
            }
        });
    }

    /// From here on, everything works.
    fn finish(&mut self) {
        let limit = self.0.now + PATIENCE;
        while self.0.goods.iter().any(|good| good.end.is_none()) {
            self.0.client.device.heal();
            self.server().device.heal();
            self.hear_old_ends();
            self.0.settle();
            self.bury();
            if self.0.goods.iter().all(|good| good.end.is_some()) {
                break;
            }
            self.0.jump();
            let told: Vec<_> = self.0.goods.iter().map(|good| (&good.name, good.end)).collect();
            assert!(self.0.now < limit, "nothing comes to an end: {told:?}");
        }
        self.hear_old_ends();
        self.0.settle();
    }

    fn check(&mut self) {
        let (client, server) = (self.0.client.device.clone(), self.0.servers[0].device.clone());
        check_whole(&client, &self.0.goods);
        check_whole(&server, &self.0.goods);
        for good in &self.0.goods {
            let device = if good.is_upload { &server } else { &client };
            let found = read(device, &good.name);
            if let Some(Ok(digest)) = good.end {
                let data = found.unwrap_or_else(|| panic!("{} is done, and not there", good.name));
                let is_it = bowline_core::transfer::Digest::of(&data) == digest;
                assert!(is_it || self.0.store.overwrite, "{} is another file", good.name);
            }
        }
        // Nothing is left once everything has expired.
        client.heal();
        server.heal();
        self.0.client.slow_until = self.0.now;
        self.0.servers.iter_mut().for_each(|host| host.slow_until = self.0.now);
        self.0.cut(true);
        self.0.settle();
        self.hear_old_ends();
        assert_eq!(self.0.servers.len(), 1, "an old process does not stop");
        for host in [&self.0.client, self.0.servers.last().expect("one")] {
            // The first one finishes what a crash has interrupted.
            for late in [3_000_000_000, 3_100_000_000] {
                host.store.sweep(UNIX_EPOCH + Duration::from_secs(late), 100).expect("swept");
            }
            let names = names(&host.device);
            let is_known = |name: &String| self.0.goods.iter().any(|good| good.name == *name);
            assert!(names.iter().all(is_known), "left over: {names:?}");
        }
    }
}

/// Prints the number of a schedule that fails.
struct Tell(u64);

impl Drop for Tell {
    #[expect(clippy::print_stderr, reason = "for whoever wants to run it again")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SCHEDULE={} cargo test -p bowline-store --lib schedules", self.0);
        }
    }
}

fn run(number: u64) {
    let _tell = Tell(number);
    Schedule::new(number).run();
}

/// The schedules that the environment requests, or the usual ones.
fn asked_for() -> Range<u64> {
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text} is no number"));
    if let Ok(one) = std::env::var("SCHEDULE") {
        return number(&one)..number(&one) + 1;
    }
    match std::env::var("SCHEDULES") {
        Ok(many) => match many.split_once("..") {
            Some((from, to)) => number(from)..number(to),
            None => 0..number(&many),
        },
        Err(_) => 0..SCHEDULES,
    }
}

#[test]
fn every_file_arrives_whole_or_its_transfer_ends_in_an_error() {
    let Range { start, end } = asked_for();
    let next = AtomicU64::new(start);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= end {
                        return;
                    }
                    run(number);
                }
            });
        }
    });
}
