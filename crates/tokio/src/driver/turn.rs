//! How long a connection goes on before the others of its thread have their turn.
//!
//! A stream that always has bytes would keep its thread until the budget of the runtime ends, which counts reads and not
//! bytes. So whoever has much on its way would get much, and whoever has little would wait just as long for it. Turns are
//! short in a crowd, and the same for all. Giving a thread up costs something, and who is alone does it seldom.
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

/// How many bytes a turn has while others are driven on the thread. 64 KiB: a hundred connections come round in some ten
/// milliseconds, and a system call is still cheap beside what it carries.
const SHORT: usize = 64 << 10;
/// The most that a turn has while nobody else is there. 4 MiB: whoever comes waits for a few milliseconds, once.
const LONG: usize = 4 << 20;
/// After so many bytes in one direction the other one, and the owner, get a turn.
const DIRECTION: usize = 1 << 20;

static IDS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The connection that was driven last; 0 if none was.
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
    /// It has given the thread up, and waits behind the others.
    Yielded,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { id: IDS.fetch_add(1, Ordering::Relaxed), len: LONG, state: State::Going { moved: 0 } }
    }

    /// The connection is driven. Pending if others come first: the task is woken behind them.
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

    /// How many bytes may move in one direction before the other one has its turn.
    pub(super) fn direction(&self) -> usize {
        self.len.min(DIRECTION)
    }

    /// The most that a read may take. Only in a crowd it is cut off by the end of the turn: some bytes are left when that
    /// has begun.
    pub(super) fn left(&self) -> usize {
        match self.state {
            _ if self.len > SHORT => usize::MAX,
            State::Going { moved } => self.len.saturating_sub(moved),
            State::Yielded => 0,
        }
    }

    /// So many bytes have moved.
    pub(super) fn handle_moved(&mut self, len: usize) {
        if let State::Going { moved } = &mut self.state {
            *moved = moved.saturating_add(len);
        }
    }
}

#[cfg(test)]
mod tests;
