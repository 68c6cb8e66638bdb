//! The end of a connection, and the evidence for its cause.

use super::{Connection, Event, Probe};
use crate::Instant;
use crate::closing::{self, Cut, Evidence, Flaw};
use bytes::Bytes;

impl Connection {
    /// Acts on what has just happened.
    #[inline]
    pub(super) fn settle(&mut self, now: Instant) {
        if !self.is_calm() {
            self.conclude(now);
        }
    }

    #[cold]
    fn conclude(&mut self, now: Instant) {
        if self.closing.is_over() && !self.inbox.is_closed() {
            self.finish(now);
        }
        self.tell_reading();
    }

    /// Whether nobody has closed, nothing is wrong, and we read: then nothing follows from what happens. This is so on
    /// almost every call, and it saves checking everything that an end involves.
    #[inline]
    pub(super) fn is_calm(&self) -> bool {
        self.is_sound() && self.reading && self.told_reading && !self.inbox.is_full()
    }

    /// Whether nobody has closed, and nothing is wrong.
    #[inline]
    pub(super) fn is_sound(&self) -> bool {
        self.closing.is_untouched() && self.fault.is_none()
    }

    fn finish(&mut self, now: Instant) {
        let ping = match self.probe {
            Probe::Answered => closing::Ping::None,
            Probe::Queued { .. } => closing::Ping::Unsent,
            Probe::Left { at, .. } => closing::Ping::Unanswered(now - at),
        };
        self.tell_end(now, ping);
        self.outbox.clear();
    }

    /// Whether the application has been handed the peer's Close, and the answer is due.
    pub(super) fn owes_answer(&self) -> bool {
        self.closing.is_held() && !self.inbox.has_close()
    }

    /// Queues our Close, if there is one: behind the messages, unless the peer's Close has a flaw.
    pub(super) fn answer(&mut self, answer: Option<Bytes>, flaw: Option<Flaw>) {
        match (answer, flaw) {
            // RFC 6455 §5.5.1: it may wait until the current message has been sent.
            (Some(payload), None) => self.outbox.close(payload),
            (Some(payload), Some(_)) => self.outbox.close_now(payload),
            (None, _) => {}
        }
    }

    /// Reports the end, with all that is known.
    pub(super) fn tell_end(&mut self, now: Instant, ping: closing::Ping) {
        let evidence = Evidence {
            cut: self.cut(),
            incomplete_message: self.intake.unfinished().unwrap_or(0),
            queued: self.outbox.queued() as u64,
            lost: self.outbox.lost_by_end() as u64,
            messages: self.stats.messages_received,
            ping,
            pings: self.heartbeat.pings(),
            pongs: self.heartbeat.pongs(),
            answer_time: self.heartbeat.rtt().pto(),
            history: self.history.as_deref().copied().unwrap_or_default(),
            longest_message: self.stats.longest_received,
        };
        if let Some(disconnect) = self.closing.poll_disconnect(&evidence) {
            let disconnect = self.record_end(now, disconnect, evidence.queued);
            self.inbox.push(Event::Closed(disconnect));
        }
        self.intake.clear();
        self.decoder.clear();
    }

    /// Where in the stream of frames the input ended.
    fn cut(&self) -> Cut {
        // What is ignored is not parsed, and how far parsing had come depends on how the input was read.
        if self.fault.is_some() || self.closing.has_failed() {
            return Cut::Boundary;
        }
        let got = self.decoder.arrived();
        match self.decoder.header() {
            Some(header) if got < header.len => {
                Cut::Payload { opcode: header.opcode as u8, got, of: header.len }
            }
            None if self.decoder.buffered() > 0 => Cut::Header,
            _ => Cut::Boundary,
        }
    }
}
