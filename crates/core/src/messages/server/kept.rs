//! One session of a server.

use super::LinkId;
use crate::Instant;
use crate::messages::channel::Channel;
use crate::messages::wire::{Resume, Why};
use crate::messages::{Config, Secret};
use bytes::Bytes;

/// One session, with or without a link.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) channel: Channel,
    pub(super) place: Place,
    /// Its owner.
    pub(super) principal: Bytes,
    /// The secret that the client showed first; valid until the client is known to have a newer one.
    first: Secret,
    /// The number of the latest attachment.
    epoch: u32,
    /// The latest epoch that the client is known to have received: an answer may be lost.
    known: u32,
    /// Which link had it last, in order of arrival. A client has one link at a time, so a request on an earlier one is
    /// late.
    arrival: u64,
}

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On this link.
    Attached(LinkId),
    /// On no link, and kept until this time.
    Detached { until: Instant },
}

impl Kept {
    pub(super) fn new(config: Config, link: LinkId, principal: Bytes, first: Secret) -> Self {
        Self {
            channel: Channel::new(config),
            place: Place::Attached(link),
            principal,
            first,
            epoch: 0,
            known: 0,
            arrival: 0,
        }
    }

    /// Whether the client that asks on this link may have this session.
    pub(super) fn check(
        &self,
        key: &[u8; 32],
        principal: &[u8],
        arrival: u64,
        resume: &Resume,
    ) -> Result<(), Why> {
        let expected =
            if resume.epoch == 0 { self.first } else { Secret::derive(key, resume.session, resume.epoch) };
        // A client that proves nothing learns nothing, not even that the session exists.
        if resume.secret != expected || principal != self.principal {
            return Err(Why::Unknown);
        }
        let is_current = (self.known..=self.epoch).contains(&resume.epoch);
        if is_current && self.arrival <= arrival && self.epoch < u32::MAX { Ok(()) } else { Err(Why::Epoch) }
    }

    /// Another link takes it over. Returns the epoch and secret of the attachment.
    pub(super) fn attach(&mut self, key: &[u8; 32], arrival: u64, resume: &Resume) -> (u32, Secret) {
        self.known = resume.epoch;
        self.epoch += 1;
        self.arrival = arrival;
        (self.epoch, Secret::derive(key, resume.session, self.epoch))
    }

    /// The client has received the latest attachment: earlier secrets are no longer valid.
    pub(super) fn learn(&mut self) {
        self.known = self.epoch;
    }

    /// Whether no link has had it yet.
    pub(super) fn is_new(&self) -> bool {
        self.epoch == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::SessionId;
    use crate::replay::Window;

    #[test]
    fn no_epoch_follows_the_last_one() {
        let (key, session, secret) = ([9; 32], SessionId::from_bytes([1; 16]), Secret::from_bytes([1; 16]));
        let mut kept = Kept::new(Config::default(), LinkId(1), Bytes::new(), secret);
        for (epoch, expected) in [(u32::MAX - 1, Ok(())), (u32::MAX, Err(Why::Epoch))] {
            kept.epoch = epoch;
            let secret = Secret::derive(&key, session, epoch);
            let resume = Resume { session, secret, epoch, window: Window::MAX, last: 0 };
            assert_eq!(kept.check(&key, b"", 1, &resume), expected, "{epoch}");
        }
    }
}
