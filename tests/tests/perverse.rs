//! A driver that does everything wrong that the laws allow. It polls late, moves single bytes, reports the time early
//! and repeatedly, wakes up for nothing, reports that it was blocked when it was not, lets its clock step back, all in
//! random order. Files arrive intact all the same.

use bowline_core::connection::Config;
use bowline_core::transfer::{Event, Offer, SafeName, TransferId};
use bowline_core::{Connection, Instant, Rng, Session, pump, session};
use bowline_tests::sim::{Disk, Worker, contents, rng};
use std::collections::VecDeque;
use std::time::Duration;

/// This many random steps are enough for any of these files.
const THROWS: u64 = 20_000_000;

/// One end, and the bytes that are on their way to it.
struct Side {
    connection: Connection,
    session: Session,
    worker: Worker,
    disk: Disk,
    coming: VecDeque<u8>,
}

impl Side {
    fn new(connection: Connection, session: Session) -> Self {
        let (worker, disk, coming) = (Worker::default(), Disk::default(), VecDeque::new());
        let mut side = Self { connection, session, worker, disk, coming };
        side.session.handle_link_up(Instant::ZERO, None);
        side
    }

    /// One thing that a driver may do, right or wrong.
    fn act(&mut self, now: Instant, dice: &mut Rng, peer: &mut VecDeque<u8>) {
        // Its clock steps back now and then.
        let back = if dice.next_u32() % 8 == 0 { dice.next_u32() % 200 } else { 0 };
        let now = now - Duration::from_millis(u64::from(back));
        match dice.next_u32() % 16 {
            // Writes a byte, and may report that the transport accepts no more.
            0..=4 => {
                if let Some(byte) = self.connection.output().first() {
                    peer.push_back(*byte);
                    self.connection.handle_written(now, 1);
                }
            }
            5 => self.connection.handle_blocked(now),
            6 => self.connection.handle_written(now, 0),
            // Reads a byte, or wakes up for nothing.
            7..=11 => {
                let wanted = if self.connection.wants_input() { self.coming.pop_front() } else { None };
                self.connection.handle_input(now, wanted.as_slice());
            }
            12 => self.connection.handle_read(now),
            // Reports the time, whether or not a deadline has come.
            13 => self.connection.handle_timeout(now),
            14 => self.session.handle_timeout(now),
            _ => pump(now, &mut self.connection, &mut self.session),
        }
    }

    fn is_done(&self, id: TransferId) -> bool {
        let mut told = self.worker.transfer_events();
        told.any(|(_, event)| matches!(event, Event::Done { id: done, .. } if *done == id))
    }
}

/// A client that sends one file and fetches another, and its server, in the hands of this driver. Returns what both
/// have received.
fn files_cross(seed: u64, len: usize) -> (Side, Side) {
    let mut dice = rng(seed);
    let start = Instant::ZERO;
    let (config, settings) = (Config::default(), session::Config::default());
    let connection = Connection::client(config.clone(), dice.bytes(), start);
    let mut client = Side::new(connection, Session::client(settings.clone(), dice.bytes(), start));
    let connection = Connection::server(config, dice.bytes(), start);
    let mut server = Side::new(connection, Session::server(settings, start));

    let (up, down) = (TransferId::from_bytes([1; 16]), TransferId::from_bytes([2; 16]));
    let (there, here) = (SafeName::parse("there").unwrap(), SafeName::parse("here").unwrap());
    client.disk.files.insert(there.clone(), contents(1, len).into());
    client.worker.send(up, there.clone());
    server.disk.files.insert(here.clone(), contents(2, len + 1).into());
    client.session.transfers_mut().offer(start, Offer::new(up, there, len as u64)).unwrap();
    client.session.transfers_mut().request(start, down, here).unwrap();

    let mut now = start;
    for _ in 0..THROWS {
        now += Duration::from_micros(u64::from(dice.next_u32() % 50));
        match dice.next_u32() % 10_000 {
            // Nobody calls for a while, whatever was due; but not for so long that the peer must take it for dead.
            0 => now += Duration::from_millis(u64::from(dice.next_u32() % 3000)),
            1..=500 => drop(client.worker.work(now, &mut client.session, &mut client.disk)),
            501..=1000 => drop(server.worker.work(now, &mut server.session, &mut server.disk)),
            n if n % 2 == 0 => client.act(now, &mut dice, &mut server.coming),
            _ => server.act(now, &mut dice, &mut client.coming),
        }
        if dice.next_u32() % 1000 == 0 && client.is_done(up) && client.is_done(down) && server.is_done(up) {
            return (client, server);
        }
    }
    panic!("not done at {now} with seed {seed}: {:#?}\n{:#?}", client.worker.told, server.worker.told);
}

#[test]
fn files_arrive_intact_whatever_their_driver_does() {
    for seed in 0..4 {
        for len in [0, 1, 20_000] {
            let (client, server) = files_cross(seed, len);
            assert!(server.disk.file("there") == contents(1, len), "seed {seed}");
            assert!(client.disk.file("here") == contents(2, len + 1), "seed {seed}");
        }
    }
}
