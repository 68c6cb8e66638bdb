//! When a receiver has something to do, and how long its peer may take.

use super::{FINISHING_EVERY, Incoming, REMIND_EVERY, State};
use crate::Instant;
use crate::time::earliest;
use crate::transfer::event::Failure;
use crate::transfer::pause::Halt;
use crate::transfer::send::{Context, Fate};
use crate::transfer::wire::Phase;
use crate::transfer::{Code, Config};
use crate::words::Span;
use alloc::format;
use alloc::string::String;

impl Incoming {
    pub(in crate::transfer) fn deadline(&self, config: &Config) -> Option<Instant> {
        match self.state {
            State::Opening | State::Finishing { .. } => earliest(Some(self.tell_finishing), self.ack.due),
            State::Present { .. } => self.patience(config),
            State::Receiving => {
                let disk = earliest(self.sync_due(config), self.unwritten.deadline());
                let patience = earliest(self.patience(config), self.payday());
                let ours = earliest(earliest(self.ack.due, self.reminder()), disk);
                earliest(ours, earliest(patience, self.pace.deadline(config)))
            }
        }
    }

    /// When to say again what was said last: the sender can do nothing before a limit on the rate, or our disk, lets it, and
    /// must not take that for silence.
    fn reminder(&self) -> Option<Instant> {
        let waits = self.is_hungry() || self.payday().is_some() || self.is_backed_up();
        let last = self.ack.last_sent.unwrap_or(self.heard);
        (waits && !self.ack.again).then(|| last + REMIND_EVERY)
    }

    /// Of a file that is here and not paid for: when to look again, or to tell the sender that it is not forgotten.
    pub(super) fn payday(&self) -> Option<Instant> {
        let State::Receiving = self.state else { return None };
        let (_, due) = self.owes.filter(|_| self.fin.is_some_and(|whole| self.written == whole.length))?;
        Some(due.min(self.tell_finishing))
    }

    /// When the sender has been waited for long enough.
    pub(super) fn patience(&self, config: &Config) -> Option<Instant> {
        match self.pauses.halt {
            Halt { here: true, .. } => None,
            Halt { there: Some(since), .. } => Some(since + config.pause_timeout),
            _ => self.awaits_peer().then(|| self.heard + config.stall_timeout.saturating_mul(2)),
        }
    }

    /// Since when the sender is waited for, and was not heard of: not in pauses, nor where something of ours is in its way.
    pub(in crate::transfer) fn awaits_since(&self) -> Option<Instant> {
        let waits = match self.state {
            // Behind the last byte comes the FIN, which needs no credit.
            State::Receiving => {
                self.received < self.credit || self.fin.is_none() && self.received == self.bound()
            }
            State::Present { .. } => self.awaits_peer(),
            State::Opening | State::Finishing { .. } => false,
        };
        (waits && !self.pauses.halt.is_on()).then_some(self.heard)
    }

    pub(super) fn awaits_peer(&self) -> bool {
        self.received < self.credit || self.fin.is_none()
    }

    pub(super) fn sync_due(&self, config: &Config) -> Option<Instant> {
        let dirty = self.dirty_since.filter(|_| !self.syncing && self.fin.is_none())?;
        Some(if self.written - self.synced >= config.sync_bytes { dirty } else { dirty + config.sync_delay })
    }

    pub(in crate::transfer) fn handle_timeout(&mut self, cx: &mut Context<'_>) -> Fate {
        if self.ack.due.is_some_and(|due| due <= cx.now) {
            self.ack.due = None;
            self.ack.ready = true;
        }
        if self.reminder().is_some_and(|due| due <= cx.now) {
            self.ack.again = true;
            self.ack.ready = true;
        }
        if let Some(failure) = self.judge(cx) {
            return self.fail(cx, failure);
        }
        if let Some(failure) = self.judge_disk(cx.now) {
            return self.fail(cx, failure);
        }
        match self.state {
            State::Opening | State::Finishing { .. } if self.tell_finishing <= cx.now => {
                self.tell_finishing = cx.now + FINISHING_EVERY;
                let phase = if let State::Opening = self.state { Phase::Verify } else { Phase::Commit };
                cx.tell_working(self.handle, phase);
                return Fate::Lives;
            }
            State::Receiving if self.tell_finishing <= cx.now && self.payday().is_some() => {
                self.tell_finishing = cx.now + FINISHING_EVERY;
                cx.tell_working(self.handle, Phase::Commit);
            }
            State::Receiving | State::Present { .. }
                if self.patience(cx.config).is_some_and(|end| end <= cx.now) =>
            {
                let text = match self.pauses.halt.there {
                    Some(since) => format!("paused by the other side for {}", Span(cx.now - since)),
                    None => format!("nothing arrived for {}", Span(cx.now - self.heard)),
                };
                return self.fail(cx, Failure::local(Code::Stalled, text));
            }
            _ => {}
        }
        self.step(cx)
    }

    /// Notes whether it is the sender's turn: it may send, and nothing of ours keeps it from it.
    pub(in crate::transfer) fn track(&mut self, now: Instant) {
        let may_send = matches!(self.state, State::Receiving) && self.received < self.credit;
        // A source without a known end may be slow: nobody can tell it from a slow peer.
        self.pace.turn(now, may_send && self.end.is_some() && !self.pauses.halt.is_on());
    }

    /// What is wrong with a sender that has brought too little in its time.
    fn judge(&mut self, cx: &mut Context<'_>) -> Option<Failure> {
        let State::Receiving = self.state else { return None };
        let open = cx.link.as_ref().map_or(1, |link| link.opened().incoming);
        let (rate, least) = self.pace.judge(cx.now, cx.config, open)?;
        let share = if open > 1 { format!(" for one of {open} transfers") } else { String::new() };
        let text = format!(
            "the rate was {rate} bytes a second over 60 s, and the least allowed here is {least}{share}"
        );
        Some(Failure::local(Code::Stalled, text))
    }
}
