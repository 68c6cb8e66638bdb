//! Waits by a blocking read.
//!
//! In a conversation each message is waited for and then read. A blocking read does both in one system call. But it
//! waits only for input, and its timeout is set by another call and measured in ticks. So it is used where nothing else
//! can happen (no other thread calls, and nothing is to be written) and where the deadline is far. Nor does it wait
//! until the deadline: half of the time is set, which also suits the next waits. If nothing arrives, the rest is waited
//! for exactly.

use std::time::Duration;

use super::Driver;
use super::read::{Flow, READ_LITTLE};
use crate::stream::Stream;

/// Nearer deadlines are waited for exactly, which is worth a call.
const FAR: Duration = Duration::from_millis(200);
/// The timeout if there is no deadline.
const LONG: Duration = Duration::from_secs(60);
/// The system measures this timeout in ticks of at most 10 ms, and rounds up.
const TICKS: Duration = Duration::from_millis(50);

/// The timeout of blocking reads on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    Unset,
    Set(Duration),
    /// The last one timed out.
    Over,
    /// This stream cannot do it.
    None,
}

impl<S: Stream> Driver<S> {
    /// Waits for input by a read; returns whether anything came, even if only the end. `None` if this is not the time
    /// for it.
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
            // The buffer is small, and what arrived may be only the first part of what moves a deadline.
            if !self.is_drained {
                self.read(now);
            }
            // The deadlines are checked before the next wait.
            self.follow(now);
        } else {
            self.patience = Patience::Over;
        }
        Some(came)
    }

    /// Whether there is nothing to wait for except a little input.
    fn only_reads(&self) -> bool {
        let interest = self.interest();
        let only_reads = interest.read && !interest.write && self.wakened.is_none();
        only_reads && self.flow == Flow::Little && !self.stream.as_ref().is_some_and(S::has_input)
    }

    /// Makes sure that a read waits no longer than this; returns whether that is so.
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
