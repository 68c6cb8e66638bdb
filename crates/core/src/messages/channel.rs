//! What both ends of a session have in common: numbered messages out, messages in, and the queues between.

use super::wire::{Data, Frame, MAX_MESSAGE};
use super::{Config, Receipt, Received, SendError, SessionId};
use crate::message::Parts;
use crate::replay::{AckOn, Arrival, Fault, Full, Lost, Replay, Unacknowledged, Window};
use crate::{Instant, Message, replay};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// What a message costs besides its bytes.
const OVERHEAD: usize = 64;

/// One end of a session, whichever side began it.
#[derive(Debug)]
pub(super) struct Channel {
    config: Config,
    replay: Replay,
    /// What arrived and was not taken: numbered messages within the window, volatile ones within their own limits.
    inbox: VecDeque<(Option<u64>, Message)>,
    inbox_bytes: usize,
    volatile_in: Volatile,
    volatile_out: VecDeque<Message>,
    volatile_out_size: Volatile,
    /// The last message sent was volatile, so a numbered one is next.
    alternate: bool,
}

/// How much is queued of volatile messages.
#[derive(Clone, Copy, Debug, Default)]
struct Volatile {
    messages: usize,
    bytes: usize,
}

impl Volatile {
    fn admits(self, config: &Config, len: usize) -> bool {
        self.messages < config.max_volatile && self.bytes.saturating_add(len) <= config.max_volatile_bytes
    }

    fn add(&mut self, len: usize) {
        (self.messages, self.bytes) = (self.messages + 1, self.bytes + len);
    }

    fn remove(&mut self, len: usize) {
        (self.messages, self.bytes) = (self.messages - 1, self.bytes - len);
    }
}

impl Channel {
    pub(super) fn new(config: Config) -> Self {
        // A message counts as delivered when it is taken from the inbox, not when it is put there.
        let config = Config { replay: config.replay.usable(), ..config };
        let replay = replay::Config { ack_on: AckOn::Confirmation, ..config.replay };
        Self {
            config,
            replay: Replay::new(replay),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            volatile_in: Volatile::default(),
            volatile_out: VecDeque::new(),
            volatile_out_size: Volatile::default(),
            alternate: false,
        }
    }

    // ----- the link -----

    /// A link is up. Returns the last number that is safe here.
    pub(super) fn handle_link_up(&mut self, now: Instant) -> u64 {
        self.replay.handle_link_up(now)
    }

    /// The peer has said how far it has come, and how much it takes.
    pub(super) fn handle_resumed(&mut self, now: Instant, last: u64, window: Window) -> Result<(), Lost> {
        self.replay.handle_window(window);
        self.replay.handle_resumed(now, last)
    }

    /// The link is gone. Volatile messages do not wait for another one.
    pub(super) fn handle_link_down(&mut self, now: Instant) {
        self.replay.handle_link_down(now);
        self.volatile_out.clear();
        self.volatile_out_size = Volatile::default();
    }

    pub(super) fn handle_data(&mut self, now: Instant, data: Data) -> Result<(), Fault> {
        self.handle_ack(now, data.ack)?;
        let len = data.message.len();
        let Some(number) = data.number else {
            // A volatile message is dropped when the inbox is full.
            if self.volatile_in.admits(&self.config, len) {
                self.volatile_in.add(len);
                self.push(None, data.message);
            }
            return Ok(());
        };
        match self.replay.handle_message(now, number, data.message) {
            Arrival::Deliver(message) => {
                self.push(Some(number), message);
                Ok(())
            }
            Arrival::Duplicate => Ok(()),
            Arrival::Fault(fault) => Err(fault),
        }
    }

    pub(super) fn handle_ack(&mut self, now: Instant, last: u64) -> Result<(), Fault> {
        self.replay.handle_ack(now, last).map_or(Ok(()), Err)
    }

    /// The session is over, and another one begins without a link. Messages that arrived and were not taken are
    /// dropped, since they were never acknowledged.
    pub(super) fn reset(&mut self, now: Instant) -> Vec<Unacknowledged> {
        self.handle_link_down(now);
        self.inbox.clear();
        (self.inbox_bytes, self.volatile_in) = (0, Volatile::default());
        self.replay.reset()
    }

    // ----- the application -----

    pub(super) fn send(&mut self, message: Message) -> Result<u64, SendError> {
        if message.len() > MAX_MESSAGE {
            return Err(SendError::TooLong(message));
        }
        self.replay.send(message).map_err(|Full(message)| SendError::Full(message))
    }

    /// Requires that the link is up.
    pub(super) fn send_volatile(&mut self, message: Message) -> Result<(), SendError> {
        let len = message.len();
        if len > MAX_MESSAGE {
            return Err(SendError::TooLong(message));
        }
        if !self.volatile_out_size.admits(&self.config, len) {
            return Err(SendError::Full(message));
        }
        self.volatile_out_size.add(len);
        self.volatile_out.push_back(message);
        Ok(())
    }

    pub(super) fn confirm(&mut self, now: Instant, number: u64) {
        // A message that was not taken cannot have been processed.
        let taken = self.inbox.iter().find_map(|(number, _)| *number).map_or(u64::MAX, |first| first - 1);
        self.replay.confirm(now, number.min(taken));
    }

    pub(super) fn poll_received(&mut self, now: Instant, session: SessionId) -> Option<Received> {
        let (number, message) = self.inbox.pop_front()?;
        self.inbox_bytes -= message.len();
        match number {
            None => self.volatile_in.remove(message.len()),
            Some(number) if self.config.replay.ack_on == AckOn::Delivery => self.replay.confirm(now, number),
            Some(_) => {}
        }
        let receipt = number.map(|number| Receipt { session, number });
        Some(Received { receipt, message })
    }

    // ----- outputs -----

    /// The next frame, if the link is up.
    pub(super) fn poll_frame(&mut self, now: Instant) -> Option<Parts> {
        let numbered_first = self.alternate && self.replay.has_message();
        let volatile = if numbered_first { None } else { self.volatile_out.pop_front() };
        self.alternate = volatile.is_some();
        if let Some(message) = volatile {
            self.volatile_out_size.remove(message.len());
            return Some(self.data(None, message));
        }
        if let Some((number, message)) = self.replay.poll_message() {
            return Some(self.data(Some(number), message));
        }
        Some(Frame::Ack(self.replay.poll_ack(now)?).encode())
    }

    /// An acknowledgement of everything that has arrived here, whether or not one is due.
    pub(super) fn acknowledge(&mut self) -> Parts {
        Frame::Ack(self.replay.acknowledge()).encode()
    }

    /// A pending acknowledgement goes along, since it costs nothing.
    fn data(&mut self, number: Option<u64>, message: Message) -> Parts {
        let ack = self.replay.acknowledge();
        Frame::Data(Data { number, ack, message }).encode()
    }

    /// When an acknowledgement is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.replay.poll_timeout()
    }

    /// Whether [`poll_frame`](Self::poll_frame) has a frame at this time.
    pub(super) fn has_frame(&self, now: Instant) -> bool {
        !self.volatile_out.is_empty()
            || self.replay.has_message()
            || self.replay.poll_timeout().is_some_and(|due| due <= now)
    }

    // ----- looks -----

    pub(super) fn has_received(&self) -> bool {
        !self.inbox.is_empty()
    }

    pub(super) fn repeats(&self) -> u64 {
        self.replay.repeats()
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.replay.duplicates()
    }

    pub(super) fn unacknowledged(&self) -> usize {
        self.replay.unacknowledged()
    }

    pub(super) fn unacknowledged_bytes(&self) -> usize {
        self.replay.unacknowledged_bytes()
    }

    /// About how much memory it uses without a link.
    pub(super) fn size(&self) -> usize {
        let messages = self.replay.unacknowledged() + self.inbox.len();
        self.replay.unacknowledged_bytes() + self.inbox_bytes + messages * OVERHEAD
    }

    pub(super) fn window(&self) -> Window {
        self.config.replay.window
    }

    fn push(&mut self, number: Option<u64>, message: Message) {
        self.inbox_bytes += message.len();
        self.inbox.push_back((number, message));
    }
}
