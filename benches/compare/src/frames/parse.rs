//! Bytes to messages.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use bowline_core::Role;

use super::{cores, messages, name, run, runtime, wire};
use crate::cpu;
use crate::peers::{Peer, each};
use crate::stream::{AT_ONCE, Memory};
use crate::table::{Better, Goal, Table};

const LENGTHS: [usize; 6] = [16, 125, 1 << 10, 64 << 10, 256 << 10, 1 << 20];

/// A wire of messages, and its reader.
pub(super) struct Job {
    pub(super) wire: Rc<[u8]>,
    pub(super) role: Role,
    pub(super) len: usize,
    pub(super) messages: usize,
}

type Work = fn(&Job) -> Duration;

/// A table for each role.
pub fn parse(rounds: usize) -> Vec<Table> {
    let runtime = runtime();
    let _inside = runtime.enter();
    let peers = each!(peer, Memory, Work);
    let mut contenders: Vec<(&str, Work)> = vec![
        ("limit: copy to a 64 KiB buffer", copy),
        ("limit: the copy, and a walk from header to header", walk),
        ("bowline-core, connection", cores::connection),
        ("bowline-core, connection, lent", cores::connection_lending),
        ("bowline-core, connection, pushed", cores::connection_pushed),
        ("bowline-core, decoder", cores::decoder),
        ("bowline-core, decoder, lent", cores::decoder_lending),
        ("bowline-core, decoder, pushed", cores::decoder_pushed),
        ("tungstenite", cores::tungstenite),
        ("yawc, decoder", cores::yawc),
        ("sockudo-ws, protocol", cores::sockudo),
    ];
    contenders.extend(peers);
    [Role::Server, Role::Client]
        .map(|role| {
            let mut table = Table::new(
                if role == Role::Server { "parse-server" } else { "parse-client" },
                match role {
                    Role::Server => "Parse, server role (masked)",
                    Role::Client => "Parse, client role (not masked)",
                },
                "GiB/s of payload",
                Better::More,
                LENGTHS.map(name).into(),
            );
            table.goals = match role {
                Role::Server => [Goal::Value(1.0), Goal::Value(6.0), Goal::Value(20.0)],
                Role::Client => [Goal::Value(1.2), Goal::Value(7.0), Goal::Value(24.0)],
            }
            .into_iter()
            .chain([Goal::OfLimit(if role == Role::Server { 0.9 } else { 1.0 }); 3])
            .map(Some)
            .collect();
            for (column, len) in LENGTHS.into_iter().enumerate() {
                let from = if role == Role::Server { Role::Client } else { Role::Server };
                let job = Job { wire: wire(from, len), role, len, messages: messages(len) };
                for _ in 0..rounds {
                    for (name, work) in &contenders {
                        let time = work(&job);
                        let bytes = (job.messages * len) as f64;
                        table.add(name, column, bytes / time.as_secs_f64() / f64::from(1 << 30));
                    }
                }
            }
            table
        })
        .into()
}

fn peer<P: Peer<Stream = Memory>>(job: &Job) -> Duration {
    let mut peer = P::new(Memory::new(Rc::clone(&job.wire)), job.role);
    let before = cpu::thread();
    run(async {
        for _ in 0..job.messages {
            let message = peer.receive().await;
            debug_assert_eq!(P::len(&message), job.len);
            black_box(P::len(&message));
        }
    });
    cpu::thread() - before
}

fn copy(job: &Job) -> Duration {
    let mut memory = Memory::new(Rc::clone(&job.wire));
    let mut place = vec![0; AT_ONCE];
    let before = cpu::thread();
    let mut left = job.messages * job.len;
    while left > 0 {
        left = left.saturating_sub(memory.fill(&mut &mut place[..]));
        black_box(&mut place);
    }
    cpu::thread() - before
}

/// The same copy, plus a look at each header.
fn walk(job: &Job) -> Duration {
    let wire = &job.wire;
    let mut memory = Memory::new(Rc::clone(wire));
    let mut place = vec![0; AT_ONCE];
    let before = cpu::thread();
    // How much has been copied since the beginning of the wire, and where the next header is.
    let (mut copied, mut at) = (0, 0);
    let mut left = job.messages;
    while left > 0 {
        copied += memory.fill(&mut &mut place[..]);
        black_box(&mut place);
        while at < copied && left > 0 {
            let masked = usize::from(wire[at + 1] >> 7) * 4;
            let (header, len) = match wire[at + 1] & 0x7f {
                126 => (4, usize::from(u16::from_be_bytes([wire[at + 2], wire[at + 3]]))),
                127 => {
                    (10, u64::from_be_bytes(wire[at + 2..at + 10].try_into().expect("eight bytes")) as usize)
                }
                len => (2, usize::from(len)),
            };
            at += header + masked + black_box(len);
            left -= 1;
        }
        if copied == wire.len() {
            (copied, at) = (0, 0);
        }
    }
    cpu::thread() - before
}
