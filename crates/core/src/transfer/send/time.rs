//! When a sender has something to do, and how long its peer may take.

use super::{Context, Fate, Outgoing, State, TURN_EVERY, WORKING_EVERY};
use crate::Instant;
use crate::transfer::event::Failure;
use crate::transfer::wire::{Have, Phase};
use crate::transfer::{Code, Config};
use crate::words::Span;
use alloc::format;

impl Outgoing {
    pub(in crate::transfer) fn deadline(&self, config: &Config) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => until.filter(|_| !self.rests()),
            State::Offered { .. } | State::Finishing { .. } => Some(self.heard + config.stall_timeout),
            State::Sending { .. } if self.pauses.halt.here => None,
            State::Sending { .. } => match self.pauses.halt.there {
                Some(since) => Some(since + config.pause_timeout),
                None if self.awaits_peer() => Some(self.heard + config.stall_timeout),
                // While it is our turn, nobody else is late, and hears that we are there.
                None => {
                    let every = if self.is_working() { WORKING_EVERY } else { TURN_EVERY };
                    Some(self.heard.max(self.told) + every)
                }
            },
            State::Verifying { .. } => None,
        }
    }

    /// Since when it has been waiting for its peer without news; `None` if it is not: in pauses, and while somebody has
    /// asked for time.
    pub(in crate::transfer) fn awaits_since(&self) -> Option<Instant> {
        let waits = match self.state {
            State::Offered { .. } | State::Finishing { .. } => true,
            State::Sending { .. } => !self.pauses.halt.is_on() && self.awaits_peer(),
            State::Waiting { .. } | State::Verifying { .. } => false,
        };
        waits.then_some(self.heard)
    }

    /// Whether all that is left is the FIN, whose digest takes time, or bytes that the source has not delivered yet.
    pub(super) fn is_working(&self) -> bool {
        match self.state {
            State::Sending { have: Have::Present, .. } => true,
            State::Sending { .. } => self.end.map_or(self.ready_len == 0, |end| self.sent == end),
            _ => false,
        }
    }

    /// What keeps it from sending.
    fn phase(&self) -> Phase {
        if self.is_working() && self.end.is_some() { Phase::Verify } else { Phase::Source }
    }

    pub(super) fn awaits_peer(&self) -> bool {
        !self.flights.is_empty() || (self.sent >= self.credit && self.credit < self.bound())
    }

    /// Whether it waits for its own side to resume it. What the peer asked for is offered all the same.
    pub(super) fn rests(&self) -> bool {
        self.pauses.halt.here && !self.requested
    }

    pub(in crate::transfer) fn handle_timeout(&mut self, cx: &mut Context<'_>) -> Fate {
        if self.deadline(cx.config).is_none_or(|deadline| deadline > cx.now) {
            return Fate::Lives;
        }
        if let State::Waiting { until } = &mut self.state {
            *until = None;
            return Fate::Lives;
        }
        if let State::Sending { handle, .. } = self.state {
            if !self.awaits_peer() && !self.pauses.halt.is_on() {
                self.told = cx.now;
                cx.tell_working(handle, self.phase());
                return Fate::Lives;
            }
        }
        let text = match (self.state, self.pauses.halt.there) {
            (State::Sending { .. }, Some(since)) => {
                format!("paused by the other side for {}", Span(cx.now - since))
            }
            _ => format!("no answer for {}", Span(cx.config.stall_timeout)),
        };
        let failure = Failure::local(Code::Stalled, text);
        self.cancel(cx, &failure);
        self.retry_or_end(cx, failure)
    }
}
