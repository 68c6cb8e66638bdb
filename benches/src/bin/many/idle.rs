//! Connections that only stay alive, without system calls: one thread, and a heap of deadlines.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bowline_core::connection::Config;
use bowline_core::frame::{Header, Opcode};
use bowline_core::{Connection, Instant};

use crate::machine::{self, Stopwatch};
use crate::table::Table;

/// How often each connection pings.
const HEARTBEATS: u64 = 4;

pub(crate) fn idle(quick: bool) -> Table {
    let mut table = Table::new(
        "idle",
        "Idle connections in one thread, in memory",
        "Servers with the default heartbeat, whose peers answer each ping; the time is virtual. Bytes: what the process grew by, for each; \
         with the place in a list and in the heap.",
        &["connections", "bytes each", "CPU ns per heartbeat"],
    );
    // Before the tables grow, the memory of one connection is lost among what a process has anyway.
    for count in [1_000, 10_000, if quick { 30_000 } else { 100_000 }] {
        let before = machine::memory();
        let mut many = Many::new(count);
        many.beat(1);
        let bytes = machine::memory().saturating_sub(before) / count as u64;
        let watch = Stopwatch::of_thread();
        let beats = many.beat(HEARTBEATS);
        let time = watch.elapsed();
        table.row([count.to_string(), bytes.to_string(), (time.as_nanos() / u128::from(beats)).to_string()]);
    }
    table
}

struct Many {
    connections: Vec<Connection>,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl Many {
    fn new(count: usize) -> Self {
        let now = Instant::ZERO;
        let seed = |n: usize| {
            let mut seed = [7; 32];
            seed[..8].copy_from_slice(&n.to_be_bytes());
            seed
        };
        let connections: Vec<_> =
            (0..count).map(|n| Connection::server(Config::default(), seed(n), now)).collect();
        let due =
            connections.iter().enumerate().filter_map(|(n, one)| Some(Reverse((one.poll_timeout()?, n))));
        Self { due: due.collect(), connections }
    }

    /// Lets time pass until this many pings of each have been answered; returns how many that were.
    fn beat(&mut self, each: u64) -> u64 {
        let wanted = each * self.connections.len() as u64;
        let mut answered = 0;
        while answered < wanted {
            let Some(Reverse((now, n))) = self.due.pop() else { break };
            let connection = &mut self.connections[n];
            connection.handle_timeout(now);
            answered += answer(connection, now);
            self.due.extend(connection.poll_timeout().map(|due| Reverse((due, n))));
        }
        answered
    }
}

/// Answers the ping that a connection sends, if there is one.
fn answer(connection: &mut Connection, now: Instant) -> u64 {
    let output = connection.output();
    if output.is_empty() {
        return 0;
    }
    // A server does not mask, and our pings are short.
    let (len, ping) = (output.len(), &output[2..]);
    let mut pong = [0; 64];
    let header = Header::new(Opcode::Pong, ping.len() as u64).masked([0; 4]).encode();
    let end = header.len() + ping.len();
    pong[..header.len()].copy_from_slice(&header);
    pong[header.len()..end].copy_from_slice(ping);
    connection.handle_written(now, len);
    connection.handle_input(now, &pong[..end]);
    while connection.poll_event().is_some() {}
    1
}
