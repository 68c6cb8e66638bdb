//! The receiver's frames.

use super::{Context, Fate, Outgoing, State};
use crate::Instant;
use crate::transfer::Code;
use crate::transfer::event::{Event, Failure};
use crate::transfer::pace::longest_work;
use crate::transfer::wire::{Accept, Ack, Cancel, Have, Mode, Rewind, Whole};
use alloc::format;
use core::time::Duration;

/// How often a receiver may ask to go back without progress. It gives up a path itself after a few damaged chunks, but
/// may ask for the same place once for each of them that was under way.
const MOST_REWINDS: u8 = 64;

impl Outgoing {
    pub(in crate::transfer) fn handle_accept(&mut self, cx: &mut Context<'_>, accept: Accept) -> Fate {
        let State::Offered { handle, fin, .. } = self.state else {
            return self.give_up(cx, Failure::local(Code::Protocol, "a second ACCEPT"));
        };
        self.heard = cx.now;
        if accept.resume > self.bound() || accept.credit < accept.resume {
            let text = format!("it was asked to resume at {} of {} bytes", accept.resume, self.bound());
            return self.give_up(cx, Failure::local(Code::BadOffset, text));
        }
        if accept.have != Have::Part && self.end.is_none() {
            let text =
                format!("ACCEPT for handle {handle} says that a file is there whose length nobody knows");
            return self.give_up(cx, Failure::local(Code::Protocol, text));
        }
        self.offer.epoch_seen = accept.epoch;
        // A restart, if it was one, has happened.
        self.offer.mode = Mode::AttachOrCreate;
        self.max_chunk = accept.max_chunk;
        self.extend_credit(accept.credit);
        // Bytes that this process sent on links that broke before an answer do not come from an earlier process.
        let earlier = if accept.resume > self.brought { accept.resume } else { 0 };
        self.resumed.get_or_insert(earlier);
        if let Some(link) = &mut cx.link {
            // Bytes that arrived before the last link broke, and were not acknowledged.
            link.moved += accept.resume.min(self.brought).saturating_sub(self.received);
        }
        self.received = accept.resume;
        self.durable = accept.resume;
        self.found = accept.have == Have::Present;
        self.release(cx);
        if let Some(link) = cx.link.as_mut().filter(|_| accept.resume == self.sent) {
            // The receiver had all of that before, and acknowledges nothing of it.
            self.give_up_flights(link);
        }
        if fin || accept.have == Have::Complete {
            self.state = State::Finishing { handle };
        } else {
            self.state = State::Sending { handle, have: accept.have };
            self.start_at(accept, cx);
        }
        cx.events.push_back(Event::Accepted { id: self.offer.id, resume: accept.resume });
        self.step(cx);
        Fate::Lives
    }

    fn start_at(&mut self, accept: Accept, cx: &mut Context<'_>) {
        // The bytes that followed the offer are under way, and useful only if the receiver lacks them.
        let is_wanted = accept.have == Have::Part && accept.resume <= self.sent;
        if let Some(link) = cx.link.as_mut().filter(|_| !is_wanted) {
            self.rewind(accept.resume, link);
        }
        let has_part = accept.have == Have::Part && accept.resume > 0;
        self.prefix = accept.prefix.filter(|_| has_part).map(|digest| (accept.resume, digest));
        if self.prefix.is_some() {
            cx.events.push_back(Event::Hash { id: self.offer.id, upto: accept.resume });
        }
    }

    pub(in crate::transfer) fn handle_ack(&mut self, cx: &mut Context<'_>, ack: Ack) -> Fate {
        let (State::Sending { .. } | State::Finishing { .. } | State::Offered { .. }) = self.state else {
            return Fate::Lives;
        };
        self.heard = cx.now;
        if ack.received > self.reached.max(self.received) {
            let text = format!("{} bytes acknowledged, {} sent", ack.received, self.reached);
            return self.give_up(cx, Failure::local(Code::BadOffset, text));
        }
        if ack.durable > ack.received {
            let text = format!("{} bytes called durable, {} received", ack.durable, ack.received);
            return self.give_up(cx, Failure::local(Code::BadOffset, text));
        }
        if let Err(failure) = self.count_rewind(&ack) {
            return self.give_up(cx, failure);
        }
        let brings = ack.received > self.received || ack.durable > self.durable || ack.credit > self.credit;
        let Some(link) = &mut cx.link else { return Fate::Lives };
        if !brings && ack.rewind.is_none() {
            link.guard.handle_idle(cx.now);
        }
        let hold = Duration::from_micros(ack.hold_us.into());
        while self.flights.front().is_some_and(|flight| flight.end <= ack.received) {
            let Some(flight) = self.flights.pop_front() else { break };
            link.flow.handle_acked(cx.now, flight.stamp, flight.len, hold);
        }
        if ack.received > self.received {
            self.tries.handle_received(ack.received);
            self.carried = true;
        }
        if brings {
            self.working = None;
        }
        link.moved += ack.received.saturating_sub(self.received);
        self.received = self.received.max(ack.received);
        let safer = ack.durable > self.durable;
        self.durable = self.durable.max(ack.durable);
        self.extend_credit(ack.credit);
        if ack.rewind == Some(Rewind::Corrupt) {
            link.flow.handle_damaged();
            link.damaged = true;
        }
        // Of two damaged chunks in a row, each causes a request to go back; the second may be unnecessary.
        if ack.rewind.is_some() || ack.received > self.sent {
            self.rewind(ack.received, link);
            if let State::Finishing { handle } = self.state {
                self.state = State::Sending { handle, have: Have::Part };
            }
        }
        if safer {
            self.release(cx);
        }
        self.step(cx);
        Fate::Lives
    }

    /// A receiver that asks for one place again and again would make us send the same bytes for ever.
    fn count_rewind(&mut self, ack: &Ack) -> Result<(), Failure> {
        if ack.received > self.received {
            self.rewinds = 0;
        }
        self.rewinds += u8::from(ack.rewind.is_some());
        if self.rewinds > MOST_REWINDS {
            let text = format!("asked {} times to go back to {}", self.rewinds, ack.received);
            return Err(Failure::local(Code::Protocol, text));
        }
        Ok(())
    }

    /// Credit granted before our last PAUSE does not count.
    fn extend_credit(&mut self, credit: u64) {
        if !self.pauses.is_void {
            self.credit = self.credit.max(credit).min(self.bound());
        }
    }

    /// The receiver is at work, and says nothing else until that is done.
    pub(in crate::transfer) fn handle_finishing(&mut self, now: Instant) {
        let since = *self.working.get_or_insert(now);
        if now - since <= longest_work(self.end.unwrap_or(self.reached)) {
            self.heard = now;
        }
    }

    pub(in crate::transfer) fn handle_done(&mut self, cx: &mut Context<'_>, whole: Whole) -> Fate {
        let handle = match self.state {
            State::Finishing { handle } => handle,
            // We were asked to go back after FIN, which was then not necessary.
            State::Sending { handle, .. } if self.said_fin => handle,
            _ => {
                let missing =
                    if matches!(self.state, State::Offered { fin: true, .. }) { "ACCEPT" } else { "FIN" };
                let text = format!("DONE after {} of {} bytes, before {missing}", self.sent, self.bound());
                return self.give_up(cx, Failure::local(Code::Protocol, text));
            }
        };
        let end = self.end.unwrap_or(self.sent);
        if let Some(link) = &mut cx.link {
            // The last chunks may be acknowledged by this alone.
            link.moved += end.min(self.reached).saturating_sub(self.received);
            self.rewind(end, link);
            link.ahead.handle_ended();
            link.close(handle);
        }
        (self.received, self.durable) = (end, end);
        self.state = State::Verifying { whole };
        self.ask_digest(cx);
        self.verify(cx)
    }

    pub(in crate::transfer) fn handle_cancel(&mut self, cx: &mut Context<'_>, cancel: Cancel) -> Fate {
        self.close_handle(cx);
        self.retry_or_end(cx, Failure::by_peer(cancel))
    }
}
