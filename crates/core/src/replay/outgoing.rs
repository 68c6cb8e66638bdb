//! What was sent, until it is known to have arrived.

use super::{Config, Fault, Unacknowledged, Window};
use crate::Message;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Messages with ascending numbers: acknowledged ones are gone, the others wait.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Those that wait for an acknowledgement, in order. The first has the number after `acked`.
    waiting: VecDeque<Message>,
    bytes: usize,
    /// The highest number that is known to have arrived.
    acked: u64,
    /// The highest number that was ever handed to a link.
    handed: u64,
    /// The highest number that was handed to the link of the day, and the bytes of those that are not acknowledged.
    told: u64,
    told_bytes: usize,
}

impl Outgoing {
    /// Takes a message, if there is room for it, and gives it its number.
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

    /// The next one for the link of the day, if the peer takes it.
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
        // What is confirmed late need not be sent again.
        self.told = self.told.max(self.acked);
        Ok(())
    }

    /// A new link: everything after `last` is to be handed over again. False if that cannot be done.
    pub(super) fn resume(&mut self, last: u64) -> bool {
        if last < self.acked || last > self.handed {
            return false;
        }
        self.drop_until(last);
        (self.told, self.told_bytes) = (last, 0);
        true
    }

    /// Gives back what is not known to have arrived, and starts anew.
    pub(super) fn reset(&mut self) -> Vec<Unacknowledged> {
        let Self { waiting, acked, handed, .. } = core::mem::take(self);
        let numbers = acked + 1..;
        let left = waiting.into_iter().zip(numbers);
        left.map(|(message, number)| Unacknowledged { message, maybe_delivered: number <= handed }).collect()
    }

    /// How many messages wait for an acknowledgement.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many bytes they have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is one for the link of the day that the peer takes.
    pub(super) fn has_next(&self, window: Window) -> bool {
        self.admitted(window).is_some()
    }

    /// How many were handed to an earlier link and are to be handed to this one.
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
