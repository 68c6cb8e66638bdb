//! Files whose length is unknown before their end: what comes through a pipe.
//!
//! | what | with a known length | without |
//! |---|---|---|
//! | OFFER | at once | once the peer's HELLO has said that it takes it |
//! | the end | the length of the offer | what [`Transfers::end`] says here, and FIN over there |
//! | reads | several at once, answered in full | one at a time, answered with what there is |
//! | the beginning of the source | can be read again | may be forgotten after [`Event::Release`] |
//! | a source that has nothing to give | is at its end, or broken | is waited for: FINISHING says so |

use super::event::{Event, Failure};
use super::link::Link;
use super::send::{Context, Fate, Outgoing};
use super::wire::{Hello, UNKNOWN_LENGTH};
use super::{Code, TransferId, Transfers};
use crate::Instant;
use alloc::format;
use alloc::vec::Vec;

impl Transfers {
    /// The source of a transfer of unknown length ends here. An unanswered read is requested again if there is
    /// something left to read.
    ///
    /// An end before what was provided, or different from an earlier end, says that the source is not one file: the
    /// transfer fails with [`Code::SourceChanged`].
    pub fn end(&mut self, now: Instant, id: TransferId, length: u64) {
        self.outgoing_step(now, id, |outgoing, cx| outgoing.end_at(cx, length));
    }

    /// Why this peer, once its HELLO has arrived, cannot be offered a file of this length.
    pub(super) fn unoffered(&self, length: Option<u64>) -> Option<Failure> {
        let peer = self.peer().filter(|peer| length.is_none() && !takes_unknown(peer))?;
        let text = format!(
            "\"{}\" on the other side accepts no files of unknown length: feature 64, UNKNOWN_LENGTH, is not in its {}",
            peer.agent, peer.features
        );
        Some(Failure::local(Code::Unsupported, text))
    }

    /// The peer's HELLO has arrived: what waited for it is offered, or fails.
    pub(super) fn offer_unknown(&mut self) {
        let now = self.now;
        let waiting: Vec<_> = self.outgoing.values().filter(|outgoing| outgoing.is_open_ended()).collect();
        let ids: Vec<_> = waiting.into_iter().map(Outgoing::id).collect();
        for id in ids {
            if let Some(failure) = self.unoffered(None) {
                self.outgoing_step(now, id, |outgoing, cx| outgoing.give_up(cx, failure));
            } else if self.outgoing.get(&id).is_some_and(|outgoing| outgoing.wants_offer(now)) {
                self.turns.wait(id);
            }
        }
    }
}

impl Link {
    /// Whether the peer has announced that it accepts files of unknown length.
    pub(super) fn takes_unknown(&self) -> bool {
        self.peer.as_ref().is_some_and(takes_unknown)
    }
}

fn takes_unknown(peer: &Hello) -> bool {
    peer.features & UNKNOWN_LENGTH != 0
}

impl Outgoing {
    /// Whether it was or will be offered without a length.
    pub(super) fn is_open_ended(&self) -> bool {
        self.offer().length.is_none()
    }

    fn end_at(&mut self, cx: &mut Context<'_>, length: u64) -> Fate {
        let known = self.known();
        if self.known_end().map_or(length < known, |end| length != end) {
            let known = self.known_end().unwrap_or(known);
            let text = format!("the source ends at {length}, but {known} bytes of it are known");
            return self.give_up(cx, Failure::local(Code::SourceChanged, text));
        }
        self.set_end(length);
        self.step(cx);
        Fate::Lives
    }

    /// Tells a source that cannot be read again how much it may forget.
    pub(super) fn release(&self, cx: &mut Context<'_>) {
        if self.is_open_ended() && self.durable() > 0 {
            cx.events.push_back(Event::Release { id: self.id(), upto: self.durable() });
        }
    }
}
