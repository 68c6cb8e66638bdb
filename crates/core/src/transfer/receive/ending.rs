//! The end of a file: its FIN, moving it into place, and DONE.

use super::{FINISHING_EVERY, Incoming, State};
use crate::transfer::Code;
use crate::transfer::event::{Event, Failure};
use crate::transfer::send::{Context, Fate};
use crate::transfer::wire::{Frame, MAX_LENGTH, Rewind, Whole};
use alloc::format;

impl Incoming {
    pub(in crate::transfer) fn handle_fin(&mut self, cx: &mut Context<'_>, whole: Whole) -> Fate {
        self.heard = cx.now;
        let came = self.received.max(self.early_len);
        let wrong = match self.end {
            Some(end) if whole.length != end => {
                Some(format!("{end} bytes were announced, but {} were sent", whole.length))
            }
            None if whole.length < came => Some(format!("{came} bytes came, but {} were sent", whole.length)),
            None if whole.length > MAX_LENGTH => Some(format!("no file can have {} bytes", whole.length)),
            _ => None,
        };
        if let Some(text) = wrong {
            return self.fail(cx, Failure::local(Code::LengthMismatch, text));
        }
        self.end = Some(whole.length);
        // Credit promised beyond the end is free for others, and nobody waits for it.
        self.credit = self.credit.min(whole.length);
        self.promise(cx);
        self.fin = Some(whole);
        self.step(cx)
    }

    pub(in crate::transfer) fn finish(&mut self, cx: &mut Context<'_>) -> Fate {
        match self.state {
            State::Finishing { whole } => self.done(cx, whole),
            _ => Fate::Lives,
        }
    }

    pub(super) fn look_at_fin(&mut self, cx: &mut Context<'_>) -> Fate {
        let id = self.offer.id;
        let Some(whole) = self.fin else { return Fate::Lives };
        let is_paid = self.look_at_debt(cx);
        match self.state {
            State::Receiving if self.written == whole.length && is_paid => {
                self.state = State::Finishing { whole };
                self.tell_finishing = cx.now + FINISHING_EVERY;
                let Whole { length, digest, .. } = whole;
                cx.events.push_back(Event::Finish { id, length, digest });
            }
            State::Receiving if self.received < whole.length => {
                // FIN is sent again together with what is missing, which may have been requested already.
                self.fin = None;
                if self.losses.beyond.is_none() {
                    self.rewind(Rewind::Gap, whole.length);
                }
            }
            State::Present { digest } if digest == whole.digest => {
                return self.done(cx, Whole { deduplicated: true, ..whole });
            }
            State::Present { .. } => return self.refuse_present(cx),
            _ => {}
        }
        Fate::Lives
    }

    /// Whether the rate limit has paid for the unsolicited bytes. If the limit is shared, others may have had their
    /// turns since.
    fn look_at_debt(&mut self, cx: &Context<'_>) -> bool {
        let limiter = cx.link.as_ref().and_then(|link| link.limit_in.as_ref());
        let Some(((mark, due), limiter)) = self.owes.zip(limiter) else { return true };
        let due = if due <= cx.now { limiter.paid_at(mark) } else { due };
        self.owes = (due > cx.now).then_some((mark, due));
        self.owes.is_none()
    }

    /// Another file has the name.
    pub(super) fn refuse_present(&mut self, cx: &mut Context<'_>) -> Fate {
        let text = format!("another file named \"{}\" is already there", self.offer.name);
        let failure = Failure::local(Code::Exists, text);
        self.cancel(cx, &failure);
        cx.events.push_back(Event::Failed { id: self.offer.id, failure });
        Fate::Ended
    }

    pub(super) fn done(&mut self, cx: &mut Context<'_>, whole: Whole) -> Fate {
        cx.control(Frame::Done(self.handle, whole));
        if let Some(link) = &mut cx.link {
            link.ahead.handle_ended();
            link.close(self.handle);
        }
        let Whole { length, digest, deduplicated } = whole;
        // Bytes from earlier links were not there already.
        let deduplicated = deduplicated && self.earlier.received == 0;
        let (id, kind, resent) = (self.offer.id, self.offer.kind, self.duplicate);
        let resumed = self.earlier.resumed.unwrap_or(0);
        cx.events.push_back(Event::Done { id, kind, length, digest, deduplicated, resumed, resent });
        Fate::Ended
    }
}
