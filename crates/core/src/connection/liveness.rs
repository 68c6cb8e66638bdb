//! What the heartbeat asks of a connection, and what it must be told.

use super::{Connection, Event};
use crate::Instant;
use crate::closing;
use crate::heartbeat::{Beat, News};
use crate::recorder::What;
use bytes::Bytes;
use core::time::Duration;

/// Our newest ping, as evidence for the end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Probe {
    Answered,
    /// Some pings have not left.
    Queued {
        waiting: u32,
        /// When the first of them was requested.
        since: Instant,
    },
    Left {
        at: Instant,
        /// When the last byte before it crossed.
        before: Instant,
    },
}

impl Connection {
    /// Does what the heartbeat asks for.
    pub(super) fn beat(&mut self, now: Instant, beat: Option<Beat>) {
        match beat {
            Some(Beat::Ping { payload, news }) => {
                self.news(now, news);
                self.rest();
                if !self.outbox.is_closing() {
                    self.outbox.ping(&payload);
                    self.probe = self.probe.queued(now);
                    self.asked.iter_mut().for_each(|asked| asked.handle_beat());
                }
            }
            Some(Beat::Pong) => {
                self.rest();
                if !self.outbox.is_closing() {
                    self.outbox.pong(&[]);
                }
            }
            Some(Beat::Doubt { silent }) => self.tell(now, Event::Doubtful { silent }),
            Some(Beat::Dead { ping, .. }) => {
                let last_words = self.closing.dead(now);
                self.die(now, ping, last_words);
            }
            None => {}
        }
    }

    /// Ends the connection as the heartbeat would do later, because another one takes its place; the end then advises
    /// [against](crate::closing::Why::Replaced) a third. Returns false and changes nothing unless the connection is
    /// [doubtful](Self::is_doubtful) and nobody has closed it.
    ///
    /// For an application that dialled a second time when [`Event::Doubtful`] came, and has got through. A `Session`
    /// does this by itself.
    ///
    /// ```
    /// use bowline_core::connection::{Config, Event};
    /// use bowline_core::{Connection, Instant, Message};
    /// use core::time::Duration;
    ///
    /// let mut now = Instant::ZERO;
    /// let mut first = Connection::client(Config::default(), [1; 32], now);
    /// first.set_impatient(now, true);
    /// first.send(now, Message::text("question")).unwrap();
    /// // The path takes everything, and brings nothing back.
    /// let silent = loop {
    ///     first.handle_written(now, first.output().len());
    ///     if let Some(Event::Doubtful { silent }) = first.poll_event() {
    ///         break silent;
    ///     }
    ///     now = first.poll_timeout().unwrap();
    ///     first.handle_timeout(now);
    /// };
    /// assert!(silent < Duration::from_secs(8), "the verdict would take 40 s");
    ///
    /// // Dial again, ask there as well, and keep driving both. If the first one has brought nothing by the time the
    /// // second one answers, it is still doubtful, and gives way:
    /// assert!(first.give_way(now));
    /// let Some(Event::Closed(disconnect)) = first.poll_event() else { panic!("it has ended") };
    /// assert!(disconnect.to_string().starts_with("sent 1001 (going away) replaced by a new connection"));
    /// ```
    pub fn give_way(&mut self, now: Instant) -> bool {
        let now = self.at(now);
        if !self.is_open() {
            return false;
        }
        let Some(Beat::Dead { ping, .. }) = self.heartbeat.give_up(now) else { return false };
        self.note(now, What::GaveWay);
        let last_words = self.closing.give_way(now);
        self.die(now, ping, last_words);
        self.settle(now);
        true
    }

    fn die(&mut self, now: Instant, ping: Option<Duration>, last_words: Option<Bytes>) {
        self.tell_end(now, ping.map_or(closing::Ping::Unsent, closing::Ping::Unanswered));
        if let Some(payload) = last_words {
            self.outbox.close_now(payload);
        }
    }

    fn news(&mut self, now: Instant, news: Option<News>) {
        match news {
            Some(News::Stalled { late }) => self.tell_stall(now, late),
            // It does send Pongs, if only for pings of the application that followed right behind.
            Some(News::PeerDoesNotPong) if self.asked.as_ref().is_some_and(|asked| asked.answered() > 0) => {}
            Some(News::PeerDoesNotPong) => self.tell(now, Event::PeerDoesNotPong),
            // A sleep was already reported to the application.
            _ => {}
        }
    }

    /// Tells the machines that judge silence whether we read.
    pub(super) fn tell_reading(&mut self) {
        let reading = self.is_reading();
        if reading != self.told_reading {
            self.change_reading(reading);
        }
    }

    fn change_reading(&mut self, reading: bool) {
        if reading {
            self.note_deaf(self.now, self.now - self.told_at);
        }
        self.told_reading = reading;
        self.told_at = self.now;
        self.heartbeat.set_reading(self.now, reading);
        self.pace.restart(self.now);
        self.closing.set_reading(self.now, reading);
    }

    /// Whether the peer is expected to complete its message.
    pub(super) fn is_paced(&self) -> bool {
        self.told_reading && self.closing.wants_data()
    }
}

impl Probe {
    /// One more ping is queued.
    fn queued(self, now: Instant) -> Self {
        match self {
            Self::Queued { waiting, since } => Self::Queued { waiting: waiting + 1, since },
            _ => Self::Queued { waiting: 1, since: now },
        }
    }

    /// One more ping has left.
    pub(super) fn left(self, at: Instant, before: Instant) -> Self {
        match self {
            Self::Queued { waiting: 2.., since } => Self::Queued { waiting: self.waiting() - 1, since },
            Self::Queued { .. } => Self::Left { at, before },
            other => other,
        }
    }

    /// How many pings are queued.
    pub(super) fn waiting(self) -> u32 {
        if let Self::Queued { waiting, .. } = self { waiting } else { 0 }
    }
}
