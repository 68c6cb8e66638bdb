//! One session of a server.

use super::LinkId;
use crate::Instant;
use crate::messages::channel::Channel;
use crate::messages::wire::{Resume, Why};
use crate::messages::{Config, Secret, SessionId};
use bytes::Bytes;

/// One session, with or without a link.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) channel: Channel,
    pub(super) place: Place,
    /// Whose it is.
    principal: Bytes,
    /// What the client showed first, good until it has shown that it knows better.
    first: Secret,
    /// The number of the latest attachment.
    epoch: u32,
    /// The latest epoch of which the client is known to know: an answer may have been lost.
    known: u32,
}

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On this link.
    Attached(LinkId),
    /// Nowhere, and kept until this time.
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
        }
    }

    /// Whether whoever asks may have this session.
    pub(super) fn check(&self, key: &[u8; 32], principal: &[u8], resume: &Resume) -> Result<(), Why> {
        let expected =
            if resume.epoch == 0 { self.first } else { Secret::derive(key, resume.session, resume.epoch) };
        // Who cannot prove anything learns nothing, not even that the session exists.
        if resume.secret != expected || principal != self.principal {
            return Err(Why::Unknown);
        }
        if (self.known..=self.epoch).contains(&resume.epoch) && self.epoch < u32::MAX {
            Ok(())
        } else {
            Err(Why::Epoch)
        }
    }

    /// Another link has it. Returns epoch and secret of the attachment.
    pub(super) fn attach(
        &mut self,
        key: &[u8; 32],
        link: LinkId,
        session: SessionId,
        shown: u32,
    ) -> (u32, Secret) {
        self.known = shown;
        self.epoch += 1;
        self.place = Place::Attached(link);
        (self.epoch, Secret::derive(key, session, self.epoch))
    }

    /// The client has heard of the latest attachment: earlier secrets are of no use any more.
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
    use crate::replay::Window;

    #[test]
    fn after_the_last_epoch_there_is_no_other() {
        let (key, session, secret) = ([9; 32], SessionId::from_bytes([1; 16]), Secret::from_bytes([1; 16]));
        let mut kept = Kept::new(Config::default(), LinkId(1), Bytes::new(), secret);
        for (epoch, expected) in [(u32::MAX - 1, Ok(())), (u32::MAX, Err(Why::Epoch))] {
            kept.epoch = epoch;
            let secret = Secret::derive(&key, session, epoch);
            let resume = Resume { session, secret, epoch, window: Window::MAX, last: 0 };
            assert_eq!(kept.check(&key, b"", &resume), expected, "{epoch}");
        }
    }
}
