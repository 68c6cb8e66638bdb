//! What can be seen of transfers.

use super::limiter::Limiter;
use super::receive::Incoming;
use super::send::Outgoing;
use super::wanted::Wanted;
use super::{Progress, TransferId, Transfers, wire};
use crate::Instant;

/// What a limit on the rate of a link has let pass, in bytes since the link is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Sent.
    pub sent: u64,
    /// Allowed to the peer, whether it has sent them or not.
    pub allowed: u64,
}

impl Transfers {
    /// How far a transfer has come; `None` once it has ended.
    pub fn progress(&self, id: TransferId) -> Option<Progress> {
        let outgoing = self.outgoing.get(&id).map(Outgoing::progress);
        let incoming = || self.incoming.get(&id).map(Incoming::progress);
        let wanted = || self.wanted.get(&id).map(|wanted| wanted.progress(self.is_paused(id)));
        outgoing.or_else(incoming).or_else(wanted)
    }

    pub(crate) fn has_link(&self) -> bool {
        self.link.is_some()
    }

    /// Whether the peer still waits for an answer to its [`Event::Requested`](super::Event::Requested).
    pub fn is_requested(&self, id: TransferId) -> bool {
        self.asked.contains_key(&id)
    }

    /// How many transfers are under way.
    pub fn len(&self) -> usize {
        let waiting = self.wanted.keys().filter(|id| !self.incoming.contains_key(id)).count();
        self.outgoing.len() + self.incoming.len() + waiting
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes are sent and not acknowledged on this link.
    pub fn in_flight(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.flow.in_flight())
    }

    /// How many bytes may be sent and not acknowledged on this link; a single chunk always may.
    pub fn window(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.flow.window())
    }

    /// How many bytes [`limit_rate`](super::Config::limit_rate) has let pass on this link; none if there is no limit.
    pub fn passed(&self) -> Passed {
        let passed = |limiter: &Option<Limiter>| limiter.as_ref().map_or(0, Limiter::passed);
        self.link.as_ref().map_or(Passed::default(), |link| Passed {
            sent: passed(&link.limit_out),
            allowed: passed(&link.limit_in),
        })
    }

    /// How many bytes of files this link has carried: acknowledged by the peer, or received.
    pub fn moved(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.moved)
    }

    /// How many bytes of files have come in over this link.
    pub fn received(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.received)
    }

    /// Whether this link was of any use: it carried bytes, or it completed what had arrived earlier.
    pub(crate) fn has_carried(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.moved > 0 || link.ahead.ended() > 0)
    }

    /// Whether the peer owes something on this link: an acknowledgement, more bytes, or an answer to a request.
    pub(crate) fn is_owed(&self) -> bool {
        let is_asked = self.link.as_ref().is_some_and(|link| link.opened().wanted > 0);
        is_asked || self.in_flight() > 0 || self.promised() > 0
    }

    /// Since when something has been waiting for the peer on this link without news: for an answer, an acknowledgement
    /// or bytes. `None` if nothing is; what is paused or put off is not waiting.
    pub(crate) fn awaits_since(&self) -> Option<Instant> {
        let hello = self.link.as_ref().filter(|link| link.peer.is_none() && !self.is_empty());
        let outgoing = self.outgoing.values().filter_map(Outgoing::awaits_since);
        let incoming = self.incoming.values().filter_map(Incoming::awaits_since);
        let wanted = self.wanted.values().filter_map(Wanted::awaits_since);
        hello.map(|link| link.guard.since()).into_iter().chain(outgoing).chain(incoming).chain(wanted).min()
    }

    /// How many bytes this end has promised to hold for all transfers of this link together, beside what it holds.
    pub fn promised(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.promised)
    }

    /// What the peer's HELLO said, once it is in.
    pub fn peer(&self) -> Option<&wire::Hello> {
        self.link.as_ref().and_then(|link| link.peer.as_ref())
    }
}
