//! Incoming messages: each frame is passed to its transfer.

use super::cancel::cancel;
use super::event::{Event, Failure};
use super::limiter::Limiter;
use super::link::Route;
use super::receive::Incoming;
use super::wire::{self, Frame, Handle, Hello, Offer, Request};
use super::{Asked, Asking, ByteRange, Code, Fate, TransferId, Transfers, What};
use crate::Instant;
use crate::closing::LONGEST;
use alloc::format;
use bytes::Bytes;
use core::time::Duration;

/// How long a peer must wait that has too many open transfers, or has this one open already.
const BUSY_WAIT: Duration = Duration::from_secs(1);
/// How many answers may be queued for a peer that does not read, besides those of its open transfers.
const MOST_UNSENT: usize = 1024;

impl Transfers {
    /// A binary message arrived. It is returned if there is no link that it could belong to, or if its type is one of
    /// those that are not ours (0x50 to 0x5f).
    pub fn handle_message(&mut self, now: Instant, message: Bytes) -> Option<Bytes> {
        self.advance(now);
        let told = self.events.len();
        let foreign = self.hear(message);
        if let Some(why) = self.unseen.handle_message(told, self.events.len()) {
            self.break_link(Code::Internal, why);
        }
        foreign
    }

    fn hear(&mut self, message: Bytes) -> Option<Bytes> {
        let (kind, handle) = wire::peek(&message);
        let Some(link) = &self.link else { return Some(message) };
        if (0x50..0x60).contains(&kind) {
            return Some(message);
        }
        if link.broken {
            return None;
        }
        // Honest peers cause a few answers for each open transfer, however slowly they read.
        if link.unsent() > MOST_UNSENT.saturating_add(self.config.max_transfers.saturating_mul(8) as usize) {
            self.break_link(Code::Protocol, "requests come faster than their answers are read");
            return None;
        }
        let place = wire::peek_place(&message);
        match wire::decode(message) {
            Ok(frame) => self.handle_frame(frame),
            Err(error) => self.handle_fault(kind, handle, place, error),
        }
        self.judge();
        None
    }

    fn handle_fault(&mut self, kind: u8, handle: Handle, place: wire::Place, error: wire::DecodeError) {
        let damaged = error.fault == wire::Fault::Checksum;
        let route = self.link.as_ref().and_then(|link| link.route(handle));
        let late = self.link.as_ref().is_some_and(|link| link.was_open(handle));
        let first = self.link.as_ref().is_some_and(|link| link.peer.is_none());
        if damaged {
            self.count_damaged(kind, place);
        }
        match (damaged, kind, route) {
            // A damaged chunk is sent again; damage in any other frame leaves too much unknown.
            (true, wire::kind::DATA, Some(Route::Incoming(id))) => {
                self.incoming_step(self.now, id, |incoming, cx| incoming.handle_damaged(cx, place));
            }
            (true, wire::kind::DATA, None) if late => {}
            (false, kind, _) if first && kind != wire::kind::HELLO => {
                self.break_link(Code::Protocol, "the first frame is not a HELLO");
            }
            // An invalid offer affects nothing else.
            (false, wire::kind::OFFER | wire::kind::REQUEST, None) => {
                self.refuse(handle, &Failure::local(error.fault.code(), format!("{error}")));
            }
            _ => self.break_link(error.fault.code(), format!("{error}")),
        }
    }

    /// Answers a REQUEST or an OFFER that was not even parsed; its handle is used up.
    fn refuse(&mut self, handle: Handle, failure: &Failure) {
        if let Some(link) = &mut self.link {
            if !link.open_by_peer(handle, Route::Asked(TransferId::from_bytes([0; 16]))) {
                return self.break_link(Code::Protocol, format!("handle {handle} cannot be opened"));
            }
            link.close(handle);
            link.control(Frame::Cancel(handle, cancel(failure, 0)));
            link.guard.handle_idle(self.now);
        }
    }

    fn handle_frame(&mut self, frame: Frame) {
        let Some(link) = &mut self.link else { return };
        if let Frame::Hello(hello) = frame {
            return self.handle_hello(hello);
        }
        if link.peer.is_none() {
            return self.break_link(Code::Protocol, "the first frame is not a HELLO");
        }
        let now = self.now;
        match frame {
            Frame::ProbeAck(probe) if self.discards.handle_answered(probe) => {}
            Frame::Hello(_) | Frame::Ignored(_) | Frame::ProbeAck(_) => link.guard.handle_idle(now),
            Frame::GoAway { code, retry_after } => {
                link.closing = true;
                if link.guard.handle_leaving(now) {
                    let retry_after = retry_after.min(LONGEST);
                    self.events.push_back(Event::GoingAway { code, retry_after });
                } else {
                    link.guard.handle_idle(now);
                }
            }
            Frame::Error { code, text } => {
                link.damaged |= code == Code::CorruptFrame;
                link.broken = true;
                self.events.push_back(Event::Broken { code, text });
            }
            Frame::Probe(opaque) => {
                link.guard.handle_idle(now);
                link.control(Frame::ProbeAck(opaque));
            }
            Frame::Offer(handle, offer) => self.handle_offer(handle, offer),
            Frame::Request(handle, request) => self.handle_request(handle, request),
            Frame::Unsupported(0, kind) => {
                self.break_link(Code::Unsupported, format!("frame type {kind:#04x}"));
            }
            Frame::Accept(handle, _)
            | Frame::Data(handle, _)
            | Frame::Fin(handle, _)
            | Frame::Ack(handle, _)
            | Frame::Done(handle, _)
            | Frame::Finishing(handle, _)
            | Frame::Pause(handle, _)
            | Frame::Resume(handle, _)
            | Frame::Cancel(handle, _)
            | Frame::Unsupported(handle, _) => self.handle_routed(handle, frame),
        }
    }

    fn handle_hello(&mut self, hello: Hello) {
        let Some(link) = &mut self.link else { return };
        if link.peer.is_some() {
            return self.break_link(Code::Protocol, "a second HELLO");
        }
        if hello.min_version > wire::VERSION || hello.max_version < wire::VERSION {
            let text = format!(
                "the other side speaks protocol versions {} to {}, this side speaks {}",
                hello.min_version,
                hello.max_version,
                wire::VERSION
            );
            return self.break_link(Code::Unsupported, text);
        }
        link.flow.limit_chunk(hello.max_chunk);
        link.guard.pace = Some(Limiter::new(self.now, hello.max_offers_per_second.max(1).into()));
        link.peer = Some(hello);
        self.offer_unknown();
    }

    fn handle_offer(&mut self, handle: Handle, offer: Offer) {
        let id = offer.id;
        if !self.wanted.contains_key(&id) && !self.admit(handle) {
            return;
        }
        if self.incoming.contains_key(&id) || self.sends(id) {
            return self.refuse_known(handle);
        }
        let Some(link) = &mut self.link else { return };
        if offer.length.is_none() && !link.takes_unknown() {
            let text = "an offer of unknown length, and no such feature in the HELLO";
            return self.refuse(handle, &Failure::local(Code::Unsupported, text));
        }
        if link.withdrawn.contains(&id) {
            return self.refuse(handle, &Failure::local(Code::Cancelled, "cancelled"));
        }
        let wanted = self.wanted.get_mut(&id);
        let mismatch = wanted.as_ref().and_then(|wanted| wanted.mismatch(&offer));
        let earlier = wanted.as_ref().map(|wanted| wanted.earlier);
        if earlier.is_none() && link.opened().incoming >= self.config.max_transfers as usize {
            return self.refuse_busy(handle);
        }
        if !link.open_by_peer(handle, Route::Incoming(id)) {
            return self.break_link(Code::Protocol, format!("handle {handle} cannot be opened"));
        }
        link.guard.handle_begun();
        if let Some(wanted) = wanted {
            if let Asking::Asked { handle: asked, .. } = wanted.state {
                link.ahead.handle_offered(asked, handle);
                link.close(asked);
            }
            wanted.state = Asking::Offered;
            wanted.was_offered = true;
        }
        let instance = link.peer.as_ref().map_or([0; 16], |peer| peer.instance);
        let (incoming, event) = Incoming::new(self.now, handle, offer, instance, earlier);
        self.incoming.insert(id, incoming);
        if let Some(failure) = mismatch {
            return self.fail(self.now, id, failure);
        }
        self.events.push_back(event);
        if self.is_paused(id) {
            self.pause(self.now, id);
        }
        self.note(id);
    }

    /// Whether an offer or a request is within the rate limit. If not, it has been answered.
    fn admit(&mut self, handle: Handle) -> bool {
        let now = self.now;
        let refused = self.link.as_mut().and_then(|link| link.guard.handle_offer(now));
        if let Some(failure) = &refused {
            self.refuse(handle, failure);
        }
        refused.is_none()
    }

    /// Usually the second attempt of a peer that has waited too long; the first may still end.
    fn refuse_known(&mut self, handle: Handle) {
        let text = "the transfer is already open on this connection";
        self.refuse(handle, &Failure { retry_after: BUSY_WAIT, ..Failure::local(Code::Busy, text) });
    }

    fn refuse_busy(&mut self, handle: Handle) {
        let text = format!("{} transfers are open, no more are accepted", self.config.max_transfers);
        self.refuse(handle, &Failure { retry_after: BUSY_WAIT, ..Failure::local(Code::Busy, text) });
    }

    fn handle_request(&mut self, handle: Handle, request: Request) {
        if !self.admit(handle) {
            return;
        }
        let Some(link) = &self.link else { return };
        let id = request.id;
        if request.if_digest.is_some() {
            let text = "a file cannot be asked for by its digest";
            return self.refuse(handle, &Failure::local(Code::Unsupported, text));
        }
        let range = match ByteRange::new(request.from, request.to) {
            Ok(range) => range,
            Err(error) => {
                return self.refuse(handle, &Failure::local(Code::OutOfRange, format!("{error}")));
            }
        };
        let event = match request.what {
            What::Named(name) => Event::Requested { id, name, range },
            What::Listing(name) if range.is_whole() => Event::ListingRequested { id, name },
            What::Listing(_) => {
                let text = "a listing has no range of bytes";
                return self.refuse(handle, &Failure::local(Code::Rejected, text));
            }
        };
        if self.sends(id) || self.receives(id) {
            return self.refuse_known(handle);
        }
        let open = link.opened().asked + self.owed.len() + link.opened().outgoing;
        if open >= self.config.max_transfers as usize {
            return self.refuse_busy(handle);
        }
        if !self.link.as_mut().is_some_and(|link| link.open_by_peer(handle, Route::Asked(id))) {
            return self.break_link(Code::Protocol, format!("handle {handle} cannot be opened"));
        }
        if let Some(link) = self.link.as_mut().filter(|_| request.again) {
            link.ahead.limit();
        }
        self.asked.insert(id, Asked { handle, again: request.again, told: self.now });
        self.events.push_back(event);
        self.note(id);
    }

    fn handle_routed(&mut self, handle: Handle, frame: Frame) {
        let Some(link) = &self.link else { return };
        let route = link.route(handle);
        if route.is_none() && link.was_open(handle) {
            // A frame that crossed the end of its transfer is late, not wrong.
            return self.count_late(&frame);
        }
        self.count_idle(&frame);
        let Some(link) = &mut self.link else { return };
        let now = self.now;
        match (route, frame) {
            (Some(Route::Outgoing(id)), frame) => {
                if matches!(frame, Frame::Finishing(..)) {
                    link.ahead.handle_settled(handle);
                }
                self.outgoing_step(now, id, |outgoing, cx| match frame {
                    Frame::Accept(_, accept) => outgoing.handle_accept(cx, accept),
                    Frame::Ack(_, ack) => outgoing.handle_ack(cx, ack),
                    Frame::Done(_, whole) => outgoing.handle_done(cx, whole),
                    Frame::Cancel(_, cancel) => outgoing.handle_cancel(cx, cancel),
                    Frame::Finishing(..) => {
                        outgoing.handle_finishing(cx.now);
                        Fate::Lives
                    }
                    Frame::Pause(_, pause) => outgoing.handle_pause(cx, pause),
                    Frame::Resume(_, resume) => outgoing.handle_resume(cx, resume),
                    other => outgoing.give_up(cx, misplaced(&other)),
                });
            }
            (Some(Route::Incoming(id)), frame) => {
                link.ahead.handle_settled(handle);
                self.incoming_step(now, id, |incoming, cx| match frame {
                    Frame::Data(_, data) => incoming.handle_data(cx, data),
                    Frame::Fin(_, whole) => incoming.handle_fin(cx, whole),
                    Frame::Finishing(..) => {
                        incoming.handle_finishing(cx.now, cx.config);
                        Fate::Lives
                    }
                    Frame::Pause(_, pause) => incoming.handle_pause(cx, pause),
                    Frame::Resume(_, resume) => incoming.handle_resume(cx, resume),
                    Frame::Cancel(_, cancel) => incoming.handle_cancel(cx, cancel),
                    other => incoming.fail(cx, misplaced(&other)),
                });
            }
            (Some(Route::Wanted(id)), Frame::Finishing(..)) => self.handle_looking(id),
            (Some(Route::Wanted(id)), Frame::Cancel(_, cancel)) => {
                link.close(handle);
                if cancel.discard {
                    // The part that earlier links have brought.
                    self.events.push_back(Event::Discard { id });
                }
                self.events.push_back(Event::Failed { id, failure: Failure::by_peer(cancel) });
                self.forget_incoming(id);
            }
            (Some(Route::Asked(id)), Frame::Cancel(_, cancel)) => {
                link.close(handle);
                self.take_asked(id);
                self.paused.remove(&id);
                self.events.push_back(Event::Failed { id, failure: Failure::by_peer(cancel) });
            }
            // A newer peer may answer a REQUEST with frames unknown here.
            (Some(Route::Wanted(id) | Route::Asked(id)), frame @ Frame::Unsupported(..)) => {
                self.fail(now, id, misplaced(&frame));
            }
            (_, frame) => self.break_link(Code::Protocol, misplaced(&frame).text),
        }
    }
}

fn misplaced(frame: &Frame) -> Failure {
    match frame {
        Frame::Unsupported(_, kind) => Failure::local(Code::Unsupported, format!("frame type {kind:#04x}")),
        other => Failure::local(Code::Protocol, format!("unexpected {}", other.words())),
    }
}
