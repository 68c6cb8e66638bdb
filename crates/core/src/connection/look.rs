//! What can be observed of a connection.

use super::{Connection, Transport};
use crate::Instant;
use crate::message::Unfinished;
use core::fmt;
use core::time::Duration;

impl Connection {
    /// What to do with the transport once [`output`](Self::output) is empty.
    pub fn transport(&self) -> Transport {
        self.closing.transport()
    }

    /// Whether to read. False while the application does not take its messages, and after the end.
    pub fn wants_input(&self) -> bool {
        !self.closing.is_over()
            && self.fault.is_none()
            && (!self.inbox.is_full() || !self.closing.wants_data())
    }

    /// Whether messages can be sent: nobody has closed, as far as the application was told, and the transport works as
    /// far as is known.
    pub fn is_open(&self) -> bool {
        self.is_sound() || self.closing.is_open() && !self.owes_answer() && !self.owes_refusal()
    }

    /// Whether an event is queued for [`poll_event`](Self::poll_event), or something waits for an application that has
    /// taken all events.
    pub fn has_events(&self) -> bool {
        !self.inbox.is_empty() || self.fault.is_some()
    }

    /// Whether messages are queued for [`poll_event`](Self::poll_event). A host that does several things with messages
    /// takes these first, sends its replies, and then takes what is left, which may be the peer's Close.
    pub fn has_messages(&self) -> bool {
        self.inbox.has_messages()
    }

    /// Whether the next event is neither a message nor the peer's Close nor the end. Taking it says nothing about the
    /// application.
    pub fn has_news(&self) -> bool {
        self.inbox.has_news()
    }

    /// How many bytes may be queued before the high-water mark. A message is accepted while this is not 0.
    pub fn room(&self) -> usize {
        if self.is_open() { self.send_buffer.saturating_sub(self.outbox.weight()) } else { 0 }
    }

    /// How many bytes of received messages may be queued for [`poll_event`](Self::poll_event), as
    /// [configured](super::Config::receive_buffer). A host that moves them to a queue of its own should use the same
    /// limit there.
    pub fn receive_buffer(&self) -> usize {
        self.inbox.limit()
    }

    /// How many bytes of messages are queued to be written.
    pub fn queued(&self) -> usize {
        self.outbox.queued()
    }

    /// The time to pass when sending another message, where you need not look at the clock. It is the last time that
    /// the connection was told, while something is queued and nothing depends on a later time. `None` where the time
    /// matters.
    ///
    /// Looking at a clock costs more than queueing a short message. A host whose application hands over many messages
    /// one by one and flushes them together can look at the clock only for the first of them.
    ///
    /// ```
    /// use bowline_core::connection::{Config, Connection};
    /// use bowline_core::{Instant, Message};
    ///
    /// let mut server = Connection::server(Config::default(), [2; 32], Instant::ZERO);
    /// for word in ["several", "words"] {
    ///     let now = server.time_to_send().unwrap_or_else(|| Instant::from_secs(1));
    ///     server.send(now, Message::text(word))?;
    /// }
    /// assert_eq!(server.time_to_send(), Some(Instant::from_secs(1)));
    /// server.handle_written(Instant::from_secs(2), server.output().len());
    /// assert_eq!(server.time_to_send(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn time_to_send(&self) -> Option<Instant> {
        (self.is_calm() && !self.outbox.is_empty()).then_some(self.now)
    }

    /// How many unsent bytes the system below should hold at most: as many as it delivers in 2 ms, as far as that was
    /// measured, and 16 KiB until then. No ping overtakes the bytes there.
    ///
    /// It grows and shrinks with the path, up to slightly more than 1 MiB. A host that can set this limit in its system
    /// (`TCP_NOTSENT_LOWAT`) asks for it after reporting what was written.
    pub fn unsent_limit(&self) -> usize {
        self.meter.fragment()
    }

    /// How many bytes to read at once, however many are [wanted](Self::wanted): large frames in pieces of 32 KiB at a
    /// server and 64 KiB at a client, and everything else as it arrives. Frames that are [handed out as they
    /// arrive](crate::message::Delivery::Pieces) are also read as they arrive.
    ///
    /// After each read the system tells the peer that there is room again: with pieces, both sides work at once, while
    /// one long read makes them wait for each other. Input of a server is also masked. It is unmasked in place when it
    /// is reported, which is cheapest while it is in a near cache.
    pub fn read_limit(&self) -> usize {
        self.decoder.read_limit()
    }

    /// Whether messages that were accepted, or parts of them, were dropped before they had left: because a write
    /// failed, the connection was failed, its Close waited too long, or it ended. Even bytes that have left may be lost
    /// on the way.
    pub fn has_lost_messages(&self) -> bool {
        self.outbox.has_lost_messages()
    }

    /// The message that is being sent in pieces, if one has begun and not ended.
    pub fn unfinished(&self) -> Unfinished {
        self.unfinished
    }

    /// Whether the heartbeat has reported a [doubt](super::Event::Doubtful), and nothing has arrived since.
    pub fn is_doubtful(&self) -> bool {
        self.heartbeat.is_doubtful()
    }

    /// The smoothed round-trip time, measured by pings; `None` before the first Pong.
    pub fn rtt(&self) -> Option<Duration> {
        self.heartbeat.rtt().srtt()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("now", &self.now)
            .field("decoder", &self.decoder)
            .field("outbox", &self.outbox)
            .field("closing", &self.closing)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
