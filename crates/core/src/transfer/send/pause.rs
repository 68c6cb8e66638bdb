//! A sender that has paused, or whose receiver has.

use super::{Context, Fate, Outgoing, State};
use crate::transfer::Code;
use crate::transfer::event::{Event, Failure};
use crate::transfer::pause::Halt;
use crate::transfer::wire::{Frame, Handle, Pause, Resume};
use alloc::format;

/// The pauses of an outgoing transfer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pauses {
    pub(super) halt: Halt,
    /// How many PAUSEs have left on this link.
    count: u32,
    /// Whether credit from before the last PAUSE is void, and none has come after it: credit ends at the current
    /// offset.
    pub(super) is_void: bool,
}

impl Pauses {
    pub(super) fn begin_link(&mut self) {
        self.halt.begin_link();
        (self.count, self.is_void) = (0, false);
    }
}

impl Outgoing {
    pub(in crate::transfer) fn pause(&mut self, cx: &mut Context<'_>) -> Fate {
        self.pauses.halt.here = true;
        self.tell_pause(cx);
        Fate::Lives
    }

    pub(in crate::transfer) fn resume(&mut self, cx: &mut Context<'_>) -> Fate {
        self.pauses.halt.here = false;
        self.heard = cx.now;
        if let State::Waiting { until } = &mut self.state {
            // The time of another attempt may have passed meanwhile.
            *until = until.filter(|until| *until > cx.now);
        }
        self.step(cx);
        Fate::Lives
    }

    /// Tells the receiver about a pause of this end, if it has not been told on this link.
    pub(super) fn tell_pause(&mut self, cx: &mut Context<'_>) {
        let Pauses { halt: Halt { here, said, .. }, .. } = self.pauses;
        if let (true, false, Some(handle)) = (here, said, self.sending_handle()) {
            self.pauses.halt.said = true;
            self.say_pause(cx, handle, false);
        } else if let (false, true, Some(handle)) = (here, said, self.handle()) {
            self.pauses.halt.said = false;
            cx.control(Frame::Resume(handle, Resume { offset: self.sent, pauses: 0 }));
        }
        self.rest(cx);
    }

    pub(in crate::transfer) fn handle_pause(&mut self, cx: &mut Context<'_>, pause: Pause) -> Fate {
        if let Some(failure) = self.beyond(pause.offset) {
            return self.give_up(cx, failure);
        }
        self.heard = cx.now;
        if self.pauses.halt.there.is_none() {
            self.pauses.halt.there = Some(cx.now);
            cx.events.push_back(Event::Paused { id: self.offer.id });
        }
        // A sender that has said that nothing follows need not repeat it.
        if let (false, Some(handle)) = (self.pauses.is_void, self.sending_handle()) {
            self.say_pause(cx, handle, true);
        }
        self.rest(cx);
        Fate::Lives
    }

    pub(in crate::transfer) fn handle_resume(&mut self, cx: &mut Context<'_>, resume: Resume) -> Fate {
        if let Some(failure) = self.beyond(resume.offset) {
            return self.give_up(cx, failure);
        }
        self.heard = cx.now;
        if self.pauses.halt.there.take().is_some() {
            cx.events.push_back(Event::Resumed { id: self.offer.id });
        }
        if resume.pauses == self.pauses.count {
            self.pauses.is_void = false;
        }
        self.step(cx);
        Fate::Lives
    }

    /// Sends the PAUSE, the last frame before the bytes stop.
    fn say_pause(&mut self, cx: &mut Context<'_>, handle: Handle, answer: bool) {
        self.pauses.count = self.pauses.count.wrapping_add(1);
        self.pauses.is_void = true;
        self.credit = self.sent;
        cx.control(Frame::Pause(handle, Pause { offset: self.sent, answer }));
    }

    /// Tells the link whether this transfer takes a share of limited resources.
    fn rest(&self, cx: &mut Context<'_>) {
        if let (Some(link), Some(handle)) = (&mut cx.link, self.handle()) {
            link.rest(handle, self.pauses.halt.is_on());
        }
    }

    /// The failure of a receiver that claims to be this far.
    fn beyond(&self, offset: u64) -> Option<Failure> {
        let reached = self.reached.max(self.received);
        let text = || format!("a pause at {offset}, and {reached} bytes sent");
        (offset > reached).then(|| Failure::local(Code::BadOffset, text()))
    }

    /// The handle, while there may be bytes to send.
    fn sending_handle(&self) -> Option<Handle> {
        match self.state {
            State::Offered { handle, fin: false, .. } | State::Sending { handle, .. } => Some(handle),
            _ => None,
        }
    }
}
