//! What the heartbeat wants of a connection, and what it has to be told.

use super::{Connection, Event};
use crate::Instant;
use crate::closing;
use crate::heartbeat::{Beat, News};

/// The newest ping of ours, as evidence for the end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Probe {
    Answered,
    /// So many pings have not left.
    Queued(u32),
    Left(Instant),
}

impl Connection {
    /// Does what the heartbeat wants.
    pub(super) fn beat(&mut self, now: Instant, beat: Option<Beat>) {
        match beat {
            Some(Beat::Ping { payload, news }) => {
                self.news(now, news);
                self.rest();
                if !self.outbox.is_closing() {
                    self.outbox.ping(&payload);
                    let waiting = if let Probe::Queued(waiting) = self.probe { waiting } else { 0 };
                    self.probe = Probe::Queued(waiting + 1);
                }
            }
            Some(Beat::Pong) => {
                self.rest();
                if !self.outbox.is_closing() {
                    self.outbox.pong(&[]);
                }
            }
            Some(Beat::Dead { ping, .. }) => {
                let ping = ping.map_or(closing::Ping::Unsent, closing::Ping::Unanswered);
                let last_words = self.closing.dead(now);
                self.tell_end(ping);
                if let Some(payload) = last_words {
                    self.outbox.close_now(payload);
                }
            }
            _ => {}
        }
    }

    fn news(&mut self, now: Instant, news: Option<News>) {
        let event = match news {
            Some(News::Stalled { late }) => {
                self.closing.handle_stalled(now, late);
                Event::Stalled { late }
            }
            Some(News::Resumed { slept }) => Event::Resumed { slept },
            Some(News::PeerDoesNotPong) => Event::PeerDoesNotPong,
            _ => return,
        };
        self.inbox.push(event);
    }

    /// Something comes in, and a deadline has passed by far: this process did not run, so nobody knows when it came.
    pub(super) fn notice_stall(&mut self, now: Instant) {
        if let Some(late) = self.heartbeat.lateness(now).filter(|_| self.closing.wants_heartbeat()) {
            self.closing.handle_stalled(now, late);
        }
    }

    /// Tells the machines that judge silence whether anybody listens.
    pub(super) fn tell_reading(&mut self) {
        let reading = self.is_reading();
        if reading != self.told_reading {
            self.told_reading = reading;
            self.told_at = self.now;
            self.heartbeat.set_reading(self.now, reading);
            self.pace.restart(self.now);
        }
    }

    /// Whether the peer is expected to bring its message to an end.
    pub(super) fn is_paced(&self) -> bool {
        self.told_reading && self.closing.wants_data()
    }
}
