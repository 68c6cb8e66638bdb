//! Frames in memory: bytes to messages and messages to bytes, without system calls.

mod cores;
mod parse;
mod serialise;

pub use parse::parse;
pub use serialise::serialise;

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bowline_core::frame::{Header, Opcode};
use bowline_core::{Role, mask};
use tokio::runtime::{Builder, Runtime};

/// How much of a wire is prepared: more than a processor's nearest cache holds, less than its farthest.
const WIRE: usize = 1 << 20;
/// How many bytes of payload are moved in one measurement, and how many messages at most.
const BYTES: usize = 64 << 20;
const MESSAGES: usize = 32 << 10;

/// How many messages of this length are moved in one measurement.
fn messages(len: usize) -> usize {
    (BYTES / len).min(MESSAGES)
}

/// Messages of this length as `from` sends them, again and again: about [`WIRE`] bytes, and complete ones only.
fn wire(from: Role, len: usize) -> Rc<[u8]> {
    let mut wire = Vec::new();
    let mut key = 0x9e37_79b9_u32;
    for _ in 0..(WIRE / (len + 8)).max(1) {
        let mut header = Header::new(Opcode::Binary, len as u64);
        key = key.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
        if from == Role::Client {
            header = header.masked(key.to_be_bytes());
        }
        wire.extend_from_slice(&header.encode());
        let start = wire.len();
        wire.extend(contents(len));
        if let Some(key) = header.mask {
            mask::apply(&mut wire[start..], key, 0);
        }
    }
    wire.into()
}

fn contents(len: usize) -> impl Iterator<Item = u8> {
    (0..len).map(|n| (n * 31 % 251) as u8)
}

/// A runtime for contenders that set a timer when they are slow. Nothing runs in it.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// Runs a future that never has to wait.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        // Tokio sometimes lets a task wait so that others have their turn.
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
}

fn name(len: usize) -> String {
    match len {
        1024.. if len >= 1 << 20 => format!("{} MiB", len >> 20),
        1024.. => format!("{} KiB", len >> 10),
        _ => format!("{len} B"),
    }
}
