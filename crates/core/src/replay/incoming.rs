//! What has arrived, and how much of it the peer knows to have arrived.

use super::{AckOn, Arrival, Config, Fault};
use crate::{Instant, Message};
use alloc::collections::VecDeque;

/// The numbers of arrived messages: each is accepted once, and in order.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// The highest number that was delivered.
    delivered: u64,
    /// The highest number that may be acknowledged.
    done: u64,
    /// The highest number that was acknowledged on the current link.
    told: u64,
    /// The lengths of those that were delivered but may not be acknowledged yet, and their sum.
    held: VecDeque<usize>,
    held_bytes: usize,
    /// How many bytes may be acknowledged but are not yet, and since when.
    bytes: usize,
    since: Option<Instant>,
    duplicates: u64,
}

impl Incoming {
    pub(super) fn handle_message(
        &mut self,
        config: &Config,
        now: Instant,
        number: u64,
        message: Message,
    ) -> Arrival {
        if (1..=self.delivered).contains(&number) {
            self.duplicates = self.duplicates.saturating_add(1);
            return Arrival::Duplicate;
        }
        // Nothing is lost within one link, so nothing needs to be reordered.
        let expected = self.delivered.saturating_add(1);
        if number != expected {
            return Arrival::Fault(Fault::Gap { expected, got: number });
        }
        if !config.window.admits(self.held.len(), self.held_bytes, message.len()) {
            return Arrival::Fault(Fault::Flood { messages: self.held.len(), bytes: self.held_bytes });
        }
        self.delivered = number;
        self.held.push_back(message.len());
        self.held_bytes = self.held_bytes.saturating_add(message.len());
        if config.ack_on == AckOn::Delivery {
            self.confirm(now, number);
        }
        Arrival::Deliver(message)
    }

    pub(super) fn confirm(&mut self, now: Instant, number: u64) {
        while self.done < number.min(self.delivered) {
            self.done += 1;
            let len = self.held.pop_front().unwrap_or_default();
            self.held_bytes -= len;
            self.bytes = self.bytes.saturating_add(len);
        }
        if self.done > self.told {
            self.since.get_or_insert(now);
        }
    }

    /// The number up to which everything may be acknowledged. This counts as acknowledging it.
    pub(super) fn acknowledge(&mut self) -> u64 {
        (self.bytes, self.since, self.told) = (0, None, self.done);
        self.done
    }

    /// Whether anything is to be acknowledged.
    pub(super) fn is_owed(&self) -> bool {
        self.since.is_some()
    }

    /// When an acknowledgement is due: at once, if there is much to acknowledge.
    pub(super) fn due(&self, config: &Config) -> Option<Instant> {
        let since = self.since?;
        let is_much = config.is_much(self.done - self.told, self.bytes);
        Some(if is_much { since } else { since + config.ack_after })
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates
    }
}
