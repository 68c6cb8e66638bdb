//! What the peer's frames do to a connection.

use super::{Connection, Event, Probe};
use crate::Instant;
use crate::closing::{Close, CloseCode};
use crate::frame::{FrameError, Opcode};
use core::mem::replace;

impl Connection {
    /// This many bytes arrived; the decoder holds all but the last ones, which are in `bytes`.
    pub(super) fn receive(&mut self, now: Instant, fresh: u64, mut bytes: &[u8]) {
        self.stats.bytes_received += fresh;
        self.heartbeat.handle_received(now);
        self.closing.handle_received(now);
        if let Probe::Left { .. } = self.probe {
            self.probe = Probe::Answered;
        }
        let messages = self.stats.messages_received;
        if self.decoder.buffered() > 0 {
            self.decode(now);
        }
        while self.closing.wants_frames() {
            bytes = self.take_short(bytes);
            if bytes.is_empty() {
                break;
            }
            let n = self.decoder.push_part(bytes);
            bytes = &bytes[n..];
            self.decode(now);
        }
        let is_new = self.stats.messages_received != messages;
        self.pace.handle_received(now, self.incoming(), is_new);
    }

    /// Takes all frames from the decoder.
    pub(super) fn decode(&mut self, now: Instant) {
        while self.closing.wants_frames() && self.fault.is_none() {
            let (result, is_last) = match self.decoder.step_on() {
                Ok(true) => (self.handle_frame(now), false),
                Ok(false) => (self.look_ahead(), true),
                Err(error) => {
                    // No more frames will be parsed from what follows.
                    self.decoder.release();
                    (Err(error), true)
                }
            };
            if let Err(error) = result {
                self.refuse(now, error);
            }
            if is_last {
                break;
            }
        }
        if !self.closing.wants_frames() {
            self.decoder.clear();
        }
        self.known = self.decoder.buffered();
    }

    fn handle_frame(&mut self, now: Instant) -> Result<(), FrameError> {
        match self.decoder.header().map(|header| header.opcode) {
            Some(Opcode::Ping) => self.handle_ping(now),
            Some(Opcode::Pong) if !self.closing.handle_pong(now) => {}
            Some(Opcode::Pong) => self.handle_pong(now),
            Some(Opcode::Close) => self.handle_close(now),
            _ => return self.handle_data(now),
        }
        Ok(())
    }

    fn handle_ping(&mut self, now: Instant) {
        self.stats.pings_received += 1;
        if !self.closing.handle_ping(now) {
            return;
        }
        // While the peer pings, our own heartbeat may never have to, and so never finds that nothing is happening.
        self.outbox.release_messages();
        // RFC 6455 §5.5.2: a Pong must answer, as soon as is practical, unless a Close has been received.
        self.outbox.pong(self.decoder.payload());
        if self.ping_limit.as_mut().is_some_and(|limit| !limit.handle_ping(now)) {
            self.fail(now, CloseCode::POLICY, "too many pings");
        }
    }

    fn handle_close(&mut self, now: Instant) {
        let payload = self.decoder.payload();
        let (close, flaw) = Close::decode(payload);
        // An application that had no room for all that it wants to send is not done either.
        if self.inbox.is_awaited() && self.room() > 0 {
            let answer = self.closing.handle_close(now, payload);
            self.answer(answer, flaw);
        } else {
            self.closing.hold_close(now, payload);
        }
        if !replace(&mut self.close_received, true) {
            self.tell(now, Event::CloseReceived(close));
        }
    }

    /// How many bytes have arrived of an incomplete message, if the input ends inside one. A partial header counts as
    /// such.
    fn incoming(&self) -> Option<u64> {
        let held = self.decoder.buffered() as u64;
        let is_inside = held > 0 || self.decoder.header().is_some();
        self.intake.arrived().map(|bytes| bytes + held).or(is_inside.then_some(held))
    }
}
