//! Messages to bytes.

use std::time::Duration;

use bowline_core::Role;
use bowline_core::frame::{Header, Opcode};
use bytes::Bytes;

use super::{BYTES, contents, cores, messages, name, run, runtime};
use crate::cpu;
use crate::peers::{Body, Peer, each};
use crate::stream::Memory;
use crate::table::{Better, Goal, Table};

const LENGTHS: [usize; 6] = [16, 125, 1 << 10, 64 << 10, 256 << 10, 1 << 20];
/// How many bytes of unshared bodies are made before the clock starts.
const OWNED: usize = BYTES / 4;

/// Messages to send, and how.
pub(super) struct Job {
    pub(super) role: Role,
    pub(super) bodies: Vec<Body>,
    /// After this many messages, all of them are flushed.
    pub(super) batch: usize,
}

/// A way to send.
struct Way {
    name: &'static str,
    title: &'static str,
    role: Role,
    owned: bool,
    batch: usize,
    goals: [Option<Goal>; 6],
}

const fn value(value: f64) -> Option<Goal> {
    Some(Goal::Value(value))
}

const fn share(share: f64) -> Option<Goal> {
    Some(Goal::OfLimit(share))
}

/// What 16 bytes in 8 ns are in GiB/s.
const FAST: f64 = 16.0 / 8.0 / 1.073_741_824;

const WAYS: [Way; 5] = [
    Way {
        name: "serialise-server",
        title: "Serialise, server role, shared body, flushed one by one",
        role: Role::Server,
        owned: false,
        batch: 1,
        goals: [value(0.8), value(5.0), value(20.0), share(1.0), share(1.0), share(1.0)],
    },
    Way {
        name: "serialise-server-64",
        title: "Serialise, server role, shared body, flushed once per 64 messages",
        role: Role::Server,
        owned: false,
        batch: 64,
        goals: [value(FAST), None, None, None, None, None],
    },
    Way {
        name: "serialise-client",
        title: "Serialise, client role, shared body, flushed one by one",
        role: Role::Client,
        owned: false,
        batch: 1,
        goals: [None, None, None, None, share(0.55), None],
    },
    Way {
        name: "serialise-client-owned",
        title: "Serialise, client role, owned body, flushed one by one",
        role: Role::Client,
        owned: true,
        batch: 1,
        goals: [None, None, None, None, share(0.88), None],
    },
    Way {
        name: "serialise-client-64",
        title: "Serialise, client role, shared body, flushed once per 64 messages",
        role: Role::Client,
        owned: false,
        batch: 64,
        goals: [None; 6],
    },
];

type Work = fn(Job) -> Duration;

/// A table for each way.
pub fn serialise(rounds: usize) -> Vec<Table> {
    let runtime = runtime();
    let _inside = runtime.enter();
    let peers = each!(peer, Memory, Work);
    let mut contenders: Vec<(&str, Work)> = vec![
        ("limit: copy of ready-made frames", copy),
        ("bowline-core, connection", cores::connection_out),
        ("bowline-core, connection, one look at the clock", cores::connection_out_at_once),
        ("bowline-core, encoder", cores::encoder_out),
        ("tungstenite", cores::tungstenite_out),
        ("yawc, encoder", cores::yawc_out),
        ("sockudo-ws, protocol", cores::sockudo_out),
    ];
    contenders.extend(peers);
    WAYS.iter()
        .map(|way| {
            let columns = LENGTHS.map(name).into();
            let mut table = Table::new(way.name, way.title, "GiB/s of payload", Better::More, columns);
            table.goals = way.goals.into();
            for (column, len) in LENGTHS.into_iter().enumerate() {
                let shared = Bytes::from_iter(contents(len));
                let messages = if way.owned { messages(len).min(OWNED / len) } else { messages(len) };
                for _ in 0..rounds {
                    for (name, work) in &contenders {
                        let bodies = (0..messages).map(|_| match way.owned {
                            true => Body::Owned(shared.to_vec()),
                            false => Body::Shared(shared.clone()),
                        });
                        let job = Job { role: way.role, bodies: bodies.collect(), batch: way.batch };
                        let time = work(job).as_secs_f64();
                        table.add(name, column, (messages * len) as f64 / time / f64::from(1 << 30));
                    }
                }
            }
            table
        })
        .collect()
}

fn peer<P: Peer<Stream = Memory>>(job: Job) -> Duration {
    let mut peer = P::new(Memory::new([].into()), job.role);
    let before = cpu::thread();
    run(async {
        for (n, body) in job.bodies.into_iter().enumerate() {
            match job.batch {
                1 => peer.send(body).await,
                _ => peer.feed(body).await,
            }
            if job.batch > 1 && (n + 1) % job.batch == 0 {
                peer.flush().await;
            }
        }
        peer.flush().await;
    });
    cpu::thread() - before
}

/// A prepared header and the body, copied one after the other.
fn copy(job: Job) -> Duration {
    let mut memory = Memory::new([].into());
    let len = job.bodies.first().map_or(0, Body::len);
    let header = Header::new(Opcode::Binary, len as u64).masked([1; 4]).encode();
    let header = if job.role == Role::Client { &header[..] } else { &header[..header.len() - 4] };
    let before = cpu::thread();
    for body in job.bodies {
        memory.put(header);
        let mut rest = body.as_slice();
        while !rest.is_empty() {
            let n = memory.put(rest);
            rest = &rest[n..];
        }
    }
    cpu::thread() - before
}
