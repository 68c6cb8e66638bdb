//! Messages that were sent, until they are known to have arrived.

use super::{Config, Fault, Unacknowledged, Window};
use crate::Message;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Messages with ascending numbers. Acknowledged ones are dropped.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// The unacknowledged messages, in order. The number of the first is `acked` + 1.
    waiting: VecDeque<Message>,
    bytes: usize,
    /// The highest number that is known to have arrived.
    acked: u64,
    /// The highest number that was ever handed to a link.
    handed: u64,
    /// The highest number that was handed to the current link, and how many bytes of those are unacknowledged.
    told: u64,
    told_bytes: usize,
}

impl Outgoing {
    /// Accepts a message if there is room for it, and returns its number.
    pub(super) fn send(&mut self, config: &Config, message: Message) -> Result<u64, Message> {
        let bytes = self.bytes.saturating_add(message.len());
        if self.waiting.len() >= config.max_messages || (bytes > config.max_bytes && !self.waiting.is_empty())
        {
            return Err(message);
        }
        let Some(number) = self.last().checked_add(1) else { return Err(message) };
        self.bytes = bytes;
        self.waiting.push_back(message);
        Ok(number)
    }

    /// The next message for the current link, if the peer accepts it.
    pub(super) fn next(&mut self, window: Window) -> Option<(u64, Message)> {
        let message = self.admitted(window)?.clone();
        self.told += 1;
        self.told_bytes = self.told_bytes.saturating_add(message.len());
        self.handed = self.handed.max(self.told);
        Some((self.told, message))
    }

    pub(super) fn handle_ack(&mut self, last: u64) -> Result<(), Fault> {
        if last > self.handed {
            return Err(Fault::AckOfUnsent { acked: last, sent: self.handed });
        }
        self.drop_until(last);
        // A message that is acknowledged late need not be sent again.
        self.told = self.told.max(self.acked);
        Ok(())
    }

    /// There is a new link, and everything after `last` must be handed over again. Returns false if that is impossible.
    pub(super) fn resume(&mut self, last: u64) -> bool {
        if last < self.acked || last > self.handed {
            return false;
        }
        self.drop_until(last);
        (self.told, self.told_bytes) = (last, 0);
        true
    }

    /// Returns the messages that may not have arrived, and starts again.
    pub(super) fn reset(&mut self) -> Vec<Unacknowledged> {
        let Self { waiting, acked, handed, .. } = core::mem::take(self);
        let numbers = acked + 1..;
        let left = waiting.into_iter().zip(numbers);
        left.map(|(message, number)| Unacknowledged { message, maybe_delivered: number <= handed }).collect()
    }

    /// How many messages are unacknowledged.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many bytes they have in total.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is a message for the current link that the peer accepts.
    pub(super) fn has_next(&self, window: Window) -> bool {
        self.admitted(window).is_some()
    }

    /// How many messages were handed to an earlier link and must still be handed to this one.
    pub(super) fn repeats(&self) -> u64 {
        self.handed - self.told
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Message> {
        self.waiting.iter()
    }

    fn admitted(&self, window: Window) -> Option<&Message> {
        let told = (self.told - self.acked) as usize;
        self.waiting.get(told).filter(|message| window.admits(told, self.told_bytes, message.len()))
    }

    fn drop_until(&mut self, last: u64) {
        while self.acked < last {
            self.acked += 1;
            let len = self.waiting.pop_front().map_or(0, |message| message.len());
            self.bytes -= len;
            if self.acked <= self.told {
                self.told_bytes -= len;
            }
        }
    }

    fn last(&self) -> u64 {
        self.acked + self.waiting.len() as u64
    }
}
