//! Waiting by a read.
//!
//! In a conversation each message is waited for, and read. A read that waits is both in one call of the system. But
//! what it waits for is one thing, for a time that is another call to set, and counted in ticks. So it serves where
//! nothing else can happen (no other thread calls, and nothing is to be written) and where the deadline is far. Nor
//! does it go on until that: half of the time is set, which fits the next waits as well. If nothing comes, the rest is
//! waited for exactly.

use std::time::Duration;

use super::Driver;
use super::read::{Flow, READ_LITTLE};
use crate::stream::Stream;

/// Deadlines that are nearer are waited for exactly, and are worth a call.
const FAR: Duration = Duration::from_millis(200);
/// What is set where there is no deadline.
const LONG: Duration = Duration::from_secs(60);
/// The system counts this time in ticks, of 10 ms at most, and rounds up.
const TICKS: Duration = Duration::from_millis(50);

/// How long a read of the stream waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    Unset,
    Set(Duration),
    /// The last one waited in vain.
    Over,
    /// This stream cannot wait.
    None,
}

impl<S: Stream> Driver<S> {
    /// Waits by a read for something to come; says whether it did, if only the end. `None` if this is not the time for
    /// it.
    pub(super) fn read_patiently(&mut self, time: Option<Duration>) -> Option<bool> {
        if !self.only_reads() || !self.is_patient(time) {
            return None;
        }
        let mut place = [0; READ_LITTLE];
        let read = self.stream.as_mut()?.read(&mut place);
        self.notice_sleep();
        let now = self.clock.now();
        self.looked = now;
        if let Ok(n @ 1..) = read {
            self.conn.handle_input(now, &place[..n]);
            self.flow = Flow::of(n);
        }
        let came = self.judge(now, read, READ_LITTLE) != Some(0);
        if came {
            // Its place is small, and what came may be the first part of what settles a deadline.
            if !self.is_drained {
                self.read(now);
            }
            // The deadlines are looked at before the next wait.
            self.follow(now);
        } else {
            self.patience = Patience::Over;
        }
        Some(came)
    }

    /// Whether there is nothing to wait for but a little input.
    fn only_reads(&self) -> bool {
        let interest = self.interest();
        let only_reads = interest.read && !interest.write && self.wakened.is_none();
        only_reads && self.flow == Flow::Little && !self.stream.as_ref().is_some_and(S::has_input)
    }

    /// Sees to it that a read waits for no longer than this; says whether it does.
    fn is_patient(&mut self, time: Option<Duration>) -> bool {
        if time.is_some_and(|time| time < FAR) {
            return false;
        }
        match self.patience {
            Patience::None => return false,
            Patience::Over => {
                self.patience = Patience::Unset;
                return false;
            }
            Patience::Set(set) if time.is_none_or(|time| set + TICKS <= time) => return true,
            Patience::Set(_) | Patience::Unset => {}
        }
        let set = time.map_or(LONG, |time| time / 2);
        let can = self.stream.as_ref().is_some_and(|stream| stream.set_patience(set).unwrap_or(false));
        self.patience = if can { Patience::Set(set) } else { Patience::None };
        can
    }
}
