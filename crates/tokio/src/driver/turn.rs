//! How long a connection keeps its thread before others have their turn.
//!
//! A stream that always has bytes would keep its thread until the runtime's budget ends, which counts reads rather than
//! bytes. So a connection with much data would get much of the thread, and one with little data would wait just as long
//! for its turn. Turns are short in a crowd, and equal for all. Yielding has a cost, so a connection that is alone
//! seldom yields.
//!
//! ```text
//!                 as much has moved as a turn has
//!  Going { moved } ────────────────────────────────▶ Yielded
//!      ▲ │    driven again: twice as long if nobody     │
//!      │ │    else was driven meanwhile, short if so    │
//!      └─┴──────────────────────────────────────────────┘
//! ```

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// How many bytes a turn has while other connections are driven on the thread. 64 KiB: a hundred connections take turns
/// within some ten milliseconds, and a system call is still cheap compared with what it carries.
const SHORT: usize = 64 << 10;
/// The longest turn while no other connection is active. 4 MiB: a new one waits for a few milliseconds, once.
const LONG: usize = 4 << 20;
/// After this many bytes in one direction, the other direction and the owner get a turn.
const DIRECTION: usize = 1 << 20;

static IDS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The connection that was last driven; 0 if none was.
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// The turns of one connection.
#[derive(Debug)]
pub(super) struct Turns {
    id: u64,
    /// How many bytes a turn has.
    len: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Going {
        moved: usize,
    },
    /// It has yielded, and waits behind the others.
    Yielded,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { id: IDS.fetch_add(1, Ordering::Relaxed), len: LONG, state: State::Going { moved: 0 } }
    }

    /// The connection is being driven. Pending if others come first: the task is woken after them.
    pub(super) fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let last = LAST.replace(self.id);
        let is_crowd = last != self.id && last != 0;
        match self.state {
            _ if is_crowd => self.len = SHORT,
            State::Yielded => self.len = LONG.min(self.len * 2),
            State::Going { moved } if moved < self.len => return Poll::Ready(()),
            State::Going { .. } => {
                self.state = State::Yielded;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        self.state = State::Going { moved: 0 };
        Poll::Ready(())
    }

    /// How many bytes may move in one direction before it is the other's turn.
    pub(super) fn direction(&self) -> usize {
        self.len.min(DIRECTION)
    }

    /// The most that a read may take. Only in a crowd does the end of the turn cut it off: when a turn has begun, some
    /// bytes are left.
    pub(super) fn left(&self) -> usize {
        match self.state {
            _ if self.len > SHORT => usize::MAX,
            State::Going { moved } => self.len.saturating_sub(moved),
            State::Yielded => 0,
        }
    }

    /// This many bytes have moved.
    pub(super) fn handle_moved(&mut self, len: usize) {
        if let State::Going { moved } = &mut self.state {
            *moved = moved.saturating_add(len);
        }
    }
}

#[cfg(test)]
mod tests;
