//! The events of a story: all of a short one; the first and the last of a long one.

use std::collections::VecDeque;
use std::time::Duration;

/// This many are kept from the beginning, ...
pub(super) const FIRST: usize = 32;
/// ... and this many from the end.
const LAST: usize = 224;

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// How long after the beginning.
    pub(super) at: Duration,
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// What kind of event it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dial,
    Up,
    Down,
    Wait,
    Done,
    Failure,
}

/// What happened, in chronological order.
#[derive(Debug, Default)]
pub(super) struct Turns {
    first: Vec<Turn>,
    last: VecDeque<Turn>,
    left_out: u64,
}

impl Turns {
    pub(super) fn push(&mut self, at: Duration, kind: Kind, text: String) {
        let turn = Turn { at, kind, text };
        if self.first.len() < FIRST {
            return self.first.push(turn);
        }
        if self.last.len() == LAST {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(turn);
    }

    /// How many between the first and the last were dropped.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Turn> {
        self.first.iter().chain(&self.last)
    }
}
