//! Random schedules of messages, effects, cuts and crashes: a file arrives whole, or its transfer ends in an error.

use super::super::*;
use super::world::*;
use crate::Rng;
use alloc::collections::BTreeSet;
use std::vec::Vec;

/// How many schedules one run of the tests tries; each is named by its seed.
const SCHEDULES: u64 = 400;

/// Ids above this number are those of senders that begin a pipe again.
const PIPES: u8 = 100;

struct Schedule {
    world: World,
    rng: Rng,
    files: Vec<(TransferId, Vec<u8>)>,
    downloads: Vec<(TransferId, Vec<u8>)>,
    /// The transfers that were cancelled.
    cancelled: BTreeSet<TransferId>,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let mut rng = Rng::from_seed(bytes);
        let config =
            Config { sync_bytes: 150_000, credit: 200_000, link_credit: 600_000, ..Config::default() };
        let mut world = World::with(config);
        let mut len = || [0, 1, 65_536, 65_537, 300_000, 700_000][rng.next_u32() as usize % 6];
        let files: Vec<_> = (1..4).map(|n| (id(n), contents(n, len()))).collect();
        let downloads: Vec<_> = (11..13).map(|n| (id(n), contents(n, len()))).collect();
        for (which, data) in &files {
            begin(&mut world, *which, data.clone());
        }
        for (which, data) in &downloads {
            world.server.present.insert(name(&file(*which)), data.clone());
            world.client.transfers.request(world.now, *which, name(&file(*which))).expect("new");
        }
        world.link_up();
        Self { world, rng, files, downloads, cancelled: BTreeSet::new() }
    }

    /// Somebody at either end pauses, resumes or cancels one of the transfers.
    fn verb(&mut self) {
        let ids: Vec<_> = self.files.iter().chain(&self.downloads).map(|(which, _)| *which).collect();
        let which = ids[self.rng.next_u32() as usize % ids.len()];
        let World { client, server, now, .. } = &mut self.world;
        let end = if self.rng.next_u32() % 2 == 0 { client } else { server };
        match self.rng.next_u32() % 20 {
            0..9 => drop(end.transfers.pause(*now, which)),
            9..18 => drop(end.transfers.resume(*now, which)),
            n => {
                let leftover = if n == 18 { Leftover::Keep } else { Leftover::Discard };
                if end.transfers.cancel(*now, which, leftover) {
                    self.cancelled.insert(which);
                }
            }
        }
        end.collect();
    }

    fn resume_all(&mut self) {
        for (which, _) in self.files.iter().chain(&self.downloads) {
            let World { client, server, now, .. } = &mut self.world;
            client.transfers.resume(*now, *which);
            server.transfers.resume(*now, *which);
        }
    }

    fn fault(&mut self) {
        let now = self.world.now;
        match self.rng.next_u32() % 4 {
            0 | 1 => self.world.cut(),
            2 => {
                // The server dies, and what is not safe is gone.
                self.world.up.clear();
                self.world.down.clear();
                self.world.server.crash(Config { instance: [3; 16], ..self.world.config.clone() }, now);
                self.world.client.transfers.handle_link_down(now);
            }
            _ => {
                // The client dies and is started again with the same ids.
                self.world.cut();
                self.world.client.crash(Config { instance: [4; 16], ..self.world.config.clone() }, now);
                // What comes through a pipe begins again, as another transfer.
                let pipe = self.files[0].0;
                if !self.world.client.done(pipe) {
                    let [n, ..] = *pipe.as_bytes();
                    self.files[0].0 = id(n.max(PIPES) + 1);
                }
                for (which, data) in self.files.clone() {
                    if !self.world.client.done(which) {
                        begin(&mut self.world, which, data);
                    }
                }
                for (which, _) in &self.downloads {
                    if !self.world.client.done(*which) {
                        self.world.client.transfers.request(now, *which, name(&file(*which))).expect("new");
                    }
                }
            }
        }
        self.world.now += Duration::from_millis(u64::from(self.rng.next_u32() % 3000));
        self.world.link_up();
    }

    fn run(&mut self, seed: u64, verbs: bool) {
        for _ in 0..self.rng.next_u32() % 8 {
            for _ in 0..self.rng.next_u32() % 600 {
                self.world.step(&mut self.rng);
                if verbs && self.rng.next_u32() % 32 == 0 {
                    self.verb();
                }
            }
            self.fault();
        }
        self.resume_all();
        // This is shorter than any limit on silence, so nothing has to be given up before it continues.
        self.world.run(Duration::from_secs(10));
        let World { client, server, .. } = &self.world;
        let lives = |which: &TransferId| !self.cancelled.contains(which) || client.done(*which);
        for (which, data) in self.files.iter().filter(|(which, _)| lives(which)) {
            assert!(client.done(*which), "seed {seed}: {which} not done: {:?}", client.failure(*which));
            assert!(
                server.disk[which].committed && server.disk[which].data == *data,
                "seed {seed}: {which} differs"
            );
        }
        for (which, data) in self.downloads.iter().filter(|(which, _)| lives(which)) {
            assert!(client.done(*which), "seed {seed}: {which} not done: {:?}", client.failure(*which));
            assert!(
                client.disk[which].committed && client.disk[which].data == *data,
                "seed {seed}: {which} differs"
            );
        }
        assert!(client.transfers.is_empty(), "seed {seed}");
        // Three uploads at once may hold the credit of the link, and the initial credit of each.
        let bound = 600_000 + 5 * 65_536;
        assert!(server.most_unwritten <= bound, "seed {seed}: {} bytes in memory", server.most_unwritten);
    }
}

/// Sends a file. The first one comes through a pipe, even if its process has died before.
fn begin(world: &mut World, which: TransferId, data: Vec<u8>) {
    if which == id(1) || which > id(PIPES) {
        world.send_pipe(which, &file(which), data);
    } else {
        world.send(which, &file(which), data);
    }
}

fn file(which: TransferId) -> String {
    std::format!("file {which}")
}

#[test]
fn every_file_survives_every_schedule() {
    for seed in 0..SCHEDULES {
        Schedule::new(seed).run(seed, false);
    }
}

#[test]
fn every_file_that_is_not_cancelled_survives_pauses_too() {
    for seed in 0..SCHEDULES {
        Schedule::new(seed).run(seed, true);
    }
}

#[test]
fn the_same_schedule_runs_the_same_way_twice() {
    let trace = |seed| {
        let mut schedule = Schedule::new(seed);
        schedule.run(seed, true);
        (schedule.world.now, schedule.world.client.told, schedule.world.server.told)
    };
    assert_eq!(trace(77), trace(77));
}
