//! What the application asks of its transfers: new ones, and the answers to effects.

use super::event::{Answer, Event, Failure};
use super::receive::Incoming;
use super::send::{Fate, Outgoing};
use super::wanted::{Asking, Wanted};
use super::wire::{self, Frame};
use super::{
    AlreadyKnown, ByteRange, Code, Digest, Kind, Offer, Retry, SafeName, TransferId, Transfers, What,
};
use crate::Instant;
use bytes::Bytes;
use core::time::Duration;

impl Transfers {
    /// Offers a file or a folder, or answers an [`Event::Requested`] with the same id.
    ///
    /// # Errors
    /// The id is already being sent or received.
    pub fn offer(&mut self, now: Instant, offer: Offer) -> Result<(), AlreadyKnown> {
        self.advance(now);
        let id = offer.id;
        if self.outgoing.contains_key(&id) || self.receives(id) {
            return Err(AlreadyKnown(id));
        }
        if let Some(failure) = self.unoffered(offer.length) {
            if let Some(asked) = self.take_asked(id) {
                self.refuse_open(asked.handle, &failure);
            }
            self.events.push_back(Event::Failed { id, failure });
            return Ok(());
        }
        let asked = self.take_asked(id);
        if let (Some(asked), Some(link)) = (asked, &mut self.link) {
            link.close(asked.handle);
            self.owed.insert(id);
        }
        let Offer { name, kind, length, mtime_ms, unix_mode, validator, batch, priority, .. } = offer;
        // A part that was to be discarded is not continued.
        let mode = if self.discards.remove(id) { wire::Mode::Restart } else { wire::Mode::AttachOrCreate };
        let offer = wire::Offer {
            id,
            name,
            kind,
            // A folder has no bytes, whatever length was given.
            length: if kind == Kind::Folder { Some(0) } else { length },
            mtime_ms,
            unix_mode,
            validator,
            batch,
            mode,
            priority,
            epoch_seen: 0,
            digest: None,
        };
        self.outgoing.insert(id, Outgoing::new(self.now, offer, asked));
        self.turns.wait(id);
        if self.is_paused(id) {
            self.pause(now, id);
        }
        Ok(())
    }

    /// Requests a file from the peer. It arrives as an [`Event::Offered`] with this id.
    ///
    /// # Errors
    /// If the id is already requested, or under way.
    pub fn request(&mut self, now: Instant, id: TransferId, name: SafeName) -> Result<(), AlreadyKnown> {
        self.request_range(now, id, name, ByteRange::WHOLE)
    }

    /// Requests a part of a file from the peer. It arrives as a file of its own, whose bytes are counted from the
    /// beginning of the part. Each part needs an id of its own.
    ///
    /// # Errors
    /// If the id is already requested, or under way.
    pub fn request_range(
        &mut self,
        now: Instant,
        id: TransferId,
        name: SafeName,
        range: ByteRange,
    ) -> Result<(), AlreadyKnown> {
        self.want(now, id, Wanted::new(What::Named(name), range, false))
    }

    /// The same for what an earlier process began to fetch under this id: the sender waits to hear what is here,
    /// instead of sending the beginning of a small file again.
    ///
    /// # Errors
    /// If the id is already requested, or under way.
    pub fn request_rest(
        &mut self,
        now: Instant,
        id: TransferId,
        name: SafeName,
        range: ByteRange,
    ) -> Result<(), AlreadyKnown> {
        self.want(now, id, Wanted::new(What::Named(name), range, true))
    }

    /// Requests a listing rather than a file from the peer: of the folder with this name, or of the file, which gives
    /// one line, or without a name, of everything that the peer offers. It arrives as an [`Event::Offered`] of
    /// [`Kind::Listing`].
    ///
    /// A peer that makes a listing says that it is at work. One that says nothing for the stall timeout is not asked
    /// again: [`Code::Stalled`].
    ///
    /// # Errors
    /// If the id is already requested, or under way.
    pub fn request_listing(
        &mut self,
        now: Instant,
        id: TransferId,
        name: Option<SafeName>,
    ) -> Result<(), AlreadyKnown> {
        self.want(now, id, Wanted::new(What::Listing(name), ByteRange::WHOLE, false))
    }

    fn want(&mut self, now: Instant, id: TransferId, wanted: Wanted) -> Result<(), AlreadyKnown> {
        self.advance(now);
        if self.receives(id) || self.sends(id) {
            return Err(AlreadyKnown(id));
        }
        self.wanted.insert(id, wanted);
        self.asking.push_back(id);
        if let Some(link) = &mut self.link {
            link.withdrawn.remove(&id);
        }
        Ok(())
    }

    /// Answers an [`Event::Read`] with bytes of the source from `offset` on: all the requested bytes if possible, at
    /// least one. Missing bytes are requested again.
    ///
    /// An empty answer says that the source is not the file that was offered: the transfer ends with
    /// [`Code::SourceChanged`]. For an offer without a length, take as long as necessary, and report the end of the
    /// source by [`end`](Self::end).
    pub fn provide(&mut self, now: Instant, id: TransferId, offset: u64, data: Bytes) {
        self.outgoing_step(now, id, |outgoing, cx| outgoing.provide(cx, offset, data));
    }

    /// Answers an [`Event::Hash`] with the digest of the source's first `upto` bytes.
    pub fn provide_digest(&mut self, now: Instant, id: TransferId, upto: u64, digest: Digest) {
        self.outgoing_step(now, id, |outgoing, cx| outgoing.provide_digest(cx, upto, digest));
    }

    /// Answers an [`Event::Check`]: the source is the file that was offered.
    pub fn confirm(&mut self, now: Instant, id: TransferId) {
        self.outgoing_step(now, id, |outgoing, _| {
            outgoing.confirm();
            Fate::Lives
        });
    }

    /// Answers an [`Event::Offered`]. Returns false if the transfer has ended meanwhile; release its file then.
    pub fn answer(&mut self, now: Instant, id: TransferId, answer: Answer) -> bool {
        self.join_shares(id);
        self.incoming_step(now, id, |incoming, cx| incoming.answer(cx, answer))
    }

    /// Answers an [`Event::Write`]: everything below `upto` is written, and its memory is free.
    pub fn written(&mut self, now: Instant, id: TransferId, upto: u64) {
        self.incoming_step(now, id, |incoming, cx| incoming.written(cx, upto));
    }

    /// Answers an [`Event::Sync`]: everything below `safe` would survive a crash. Only this is acknowledged as
    /// durable.
    pub fn commit(&mut self, now: Instant, id: TransferId, safe: u64) {
        self.incoming_step(now, id, |incoming, cx| incoming.commit(cx, safe));
    }

    /// Answers an [`Event::Finish`]: the file is verified, durable, and in place.
    pub fn finish(&mut self, now: Instant, id: TransferId) {
        self.incoming_step(now, id, Incoming::finish);
    }

    /// Answers any effect that failed, and ends the transfer. The peer is told, and an [`Event::Failed`] follows. If we
    /// requested the file, and waiting may help ([`Retry::Wait`], such as a full disk here), it is requested again
    /// after [`retry_after`](Failure::retry_after), for as long as the other side would try: an [`Event::Retrying`]
    /// follows.
    pub fn fail(&mut self, now: Instant, id: TransferId, failure: Failure) {
        self.advance(now);
        if self.outgoing.contains_key(&id) {
            self.outgoing_step(now, id, |outgoing, cx| outgoing.give_up(cx, failure));
        } else if self.incoming.contains_key(&id) {
            if failure.code.retry() != Retry::Wait {
                self.wanted.remove(&id);
            }
            self.incoming_step(now, id, |incoming, cx| incoming.fail(cx, failure));
        } else if let Some(asked) = self.take_asked(id) {
            self.paused.remove(&id);
            self.refuse_open(asked.handle, &failure);
            self.events.push_back(Event::Failed { id, failure });
        } else if let Some(wanted) = self.wanted.remove(&id) {
            self.paused.remove(&id);
            if let Asking::Asked { handle, .. } = wanted.state {
                self.refuse_open(handle, &failure);
                if let Some(link) = &mut self.link {
                    link.withdrawn.insert(id);
                }
            }
            self.note(id);
            self.events.push_back(Event::Failed { id, failure });
            self.try_sooner();
        }
    }

    /// Tells the peer that this end is going away and accepts no more offers on this link. Close the connection behind
    /// it, with 1012: a peer that gets no Close ends the link after 60 s, once nothing is open on it.
    pub fn go_away(&mut self, now: Instant, retry_after: Duration) {
        self.advance(now);
        if let Some(link) = &mut self.link {
            link.closing = true;
            link.control(Frame::GoAway { code: Code::ShuttingDown, retry_after });
        }
    }

    /// Says that other links share this link's rate limit and have their turn first: nothing more is sent before
    /// `sending`, nor allowed to the peer before `receiving`. Without a [limit](super::Config::limit_rate) this changes
    /// nothing.
    ///
    /// To share one limit among several links, give it to each as its `limit_rate`, watch how much has
    /// [passed](Self::passed) on each, and hold each back until what all have used is paid for.
    pub fn hold_back(&mut self, now: Instant, sending: Instant, receiving: Instant) {
        self.advance(now);
        let Some(link) = &mut self.link else { return };
        for (limiter, until) in [(&mut link.limit_out, sending), (&mut link.limit_in, receiving)] {
            if let Some(limiter) = limiter {
                limiter.hold(until);
            }
        }
    }

    /// Says that other links share the memory of this one: from now on at most this much is promised for all its
    /// transfers together, instead of [`link_credit`](super::Config::link_credit). The 64 KiB that each may send before
    /// it has an answer come on top. Promises already made are kept.
    pub fn set_link_credit(&mut self, credit: u64) {
        self.config.link_credit = credit.min(wire::MAX_LENGTH);
    }

    /// Requires the peer to identify itself again, on another link: this one ends, by an [`Event::Broken`] with
    /// [`Code::Unauthorized`] at both ends. What has arrived is kept.
    pub fn revoke(&mut self, now: Instant, why: &str) {
        self.advance(now);
        self.break_link(Code::Unauthorized, why);
    }
}
