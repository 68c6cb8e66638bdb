//! How long a Ping waits for its Pong while a lot is being sent over a path that is not fast, in virtual time.
//!
//! The far end sends pings; the contender, a server, sends 32 MiB over a path of 16 MiB/s that buffers as much as a
//! Linux socket does by default.

use std::collections::BTreeMap;
use std::time::Duration;

use bowline_core::Role;
use bowline_core::frame::{Decoder, Header, Limits, Opcode};
use bytes::Bytes;
use tokio::runtime::Builder;
use tokio::time::Instant;

use crate::peers::{Body, Peer, each};
use crate::stream::{Far, Near, pipe};
use crate::table::{Better, Goal, Table};

const RATE: usize = 16 << 20;
const TOTAL: usize = 32 << 20;
/// `net.core.wmem_default`.
const ROOM: usize = 212_992;
/// How often a ping leaves: no multiple of anything here.
const EVERY: Duration = Duration::from_millis(97);
/// Pings begin when the path is full.
const FIRST: Duration = Duration::from_millis(400);
/// How long after the last byte answers are waited for; a ping without one by then counts with its age.
const GRACE: Duration = Duration::from_secs(1);

/// How the contender sends.
#[derive(Clone, Copy)]
struct Way {
    len: usize,
    /// Whether it receives meanwhile, or only when everything is sent.
    both: bool,
}

const COLUMNS: [(&str, Way); 3] = [
    ("64 KiB messages, sent in a loop", Way { len: 64 << 10, both: false }),
    ("256 KiB messages, both directions driven", Way { len: 256 << 10, both: true }),
    ("8 MiB messages, both directions driven", Way { len: 8 << 20, both: true }),
];

type Work = fn(Way) -> Vec<Duration>;

/// The median ping and the worst.
pub fn control() -> Vec<Table> {
    let columns: Vec<String> = COLUMNS.map(|(name, _)| name.into()).into();
    let table = |name, which: &str| {
        let title = format!("Ping to Pong while 32 MiB go out at 16 MiB/s, {which}");
        Table::new(name, &title, "ms", Better::Less, columns.clone())
    };
    let mut tables = [table("control-median", "the median ping"), table("control-worst", "the worst ping")];
    for table in &mut tables {
        table.note = " In virtual time: every run says the same.".into();
        table.goals = vec![Some(Goal::Value(15.0)); COLUMNS.len()];
    }
    for (name, work) in each!(peer, Near, Work) {
        for (column, (_, way)) in COLUMNS.into_iter().enumerate() {
            let mut took = work(way);
            took.sort();
            let (Some(worst), Some(median)) = (took.last(), took.get(took.len() / 2)) else { continue };
            tables[0].add(name, column, median.as_secs_f64() * 1e3);
            tables[1].add(name, column, worst.as_secs_f64() * 1e3);
        }
    }
    tables.into()
}

fn peer<P: Peer<Stream = Near>>(way: Way) -> Vec<Duration> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let (near, far) = pipe(RATE, ROOM);
        let contender = async {
            let body = Bytes::from(vec![7; way.len]);
            let bodies = vec![Body::Shared(body); TOTAL / way.len];
            let mut peer = P::new(near, Role::Server);
            if way.both {
                return peer.both(bodies).await;
            }
            for body in bodies {
                peer.send(body).await;
            }
            peer.flush().await;
            // Some contenders hand out pings; nothing else arrives.
            loop {
                peer.receive().await;
            }
        };
        tokio::select! {
            took = measure(far) => took,
            () = contender => unreachable!("the far end does not close"),
        }
    })
}

/// Pings until everything has arrived; returns how long the answers took.
async fn measure(mut far: Far) -> Vec<Duration> {
    let start = Instant::now();
    let mut decoder = Decoder::in_pieces(Role::Client, &Limits::none());
    let (mut asked, mut took) = (BTreeMap::new(), Vec::new());
    let (mut received, mut next, mut number) = (0, FIRST, 0_u32);
    let mut last = start;
    while received < TOTAL || (!asked.is_empty() && last.elapsed() < GRACE) {
        if start.elapsed() >= next && received < TOTAL {
            let header = Header::new(Opcode::Ping, 4).masked([0; 4]).encode();
            far.send(&[&header[..], &number.to_be_bytes()].concat());
            asked.insert(number.to_be_bytes(), Instant::now());
            number += 1;
            next += EVERY;
        }
        decoder.push(&far.receive().await);
        loop {
            let whole = decoder.decode().expect("frames");
            match decoder.header().map(|header| header.opcode) {
                Some(Opcode::Pong) if whole.is_some() => {
                    let asked: Instant = asked.remove(decoder.payload()).expect("a ping of ours");
                    took.push(asked.elapsed());
                }
                Some(Opcode::Pong) | None => {}
                Some(_) => {
                    received += decoder.payload().len();
                    last = Instant::now();
                    decoder.drop_arrived();
                }
            }
            if whole.is_none() {
                break;
            }
        }
    }
    took.extend(asked.into_values().map(|asked| asked.elapsed()));
    took
}
