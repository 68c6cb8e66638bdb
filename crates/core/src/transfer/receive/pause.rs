//! A receiver that has paused, or whose sender has.

use super::{Incoming, State};
use crate::transfer::Code;
use crate::transfer::event::{Event, Failure};
use crate::transfer::pause::Halt;
use crate::transfer::send::{Context, Fate};
use crate::transfer::wire::{Frame, INITIAL_CREDIT, Pause, Resume, Rewind};
use alloc::format;

/// The pauses of an incoming transfer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pauses {
    pub(super) halt: Halt,
    /// How many PAUSEs have arrived.
    heard: u32,
    /// Whether no credit has been given since the last of them.
    pub(super) is_void: bool,
}

impl Pauses {
    /// Whether credit may grow.
    pub(super) fn gives_credit(&self) -> bool {
        !self.halt.is_on() && !self.is_void
    }
}

impl Incoming {
    pub(in crate::transfer) fn pause(&mut self, cx: &mut Context<'_>) -> Fate {
        self.pauses.halt.here = true;
        if !self.pauses.halt.said && !matches!(self.state, State::Finishing { .. }) {
            self.pauses.halt.said = true;
            cx.control(Frame::Pause(self.handle, Pause { offset: self.received, answer: false }));
        }
        self.rest(cx);
        Fate::Lives
    }

    pub(in crate::transfer) fn resume(&mut self, cx: &mut Context<'_>) -> Fate {
        self.pauses.halt.here = false;
        self.heard = cx.now;
        self.rest(cx);
        if self.pauses.halt.said {
            self.pauses.halt.said = false;
            self.say_resume(cx);
        }
        Fate::Lives
    }

    pub(in crate::transfer) fn handle_pause(&mut self, cx: &mut Context<'_>, pause: Pause) -> Fate {
        if let Some(failure) = self.beyond(pause.offset) {
            return self.fail(cx, failure);
        }
        self.heard = cx.now;
        self.pauses.heard = self.pauses.heard.wrapping_add(1);
        self.pauses.is_void = true;
        if !pause.answer && self.pauses.halt.there.is_none() {
            self.pauses.halt.there = Some(cx.now);
            cx.events.push_back(Event::Paused { id: self.offer.id });
        }
        if let State::Receiving = self.state {
            self.take_back_credit(cx);
            if pause.offset > self.received && self.losses.beyond.is_none() {
                // The last chunk before it was damaged.
                self.rewind(Rewind::Gap, pause.offset);
            }
        }
        self.rest(cx);
        self.go_on(cx);
        Fate::Lives
    }

    pub(in crate::transfer) fn handle_resume(&mut self, cx: &mut Context<'_>, resume: Resume) -> Fate {
        if let Some(failure) = self.beyond(resume.offset) {
            return self.fail(cx, failure);
        }
        self.heard = cx.now;
        if self.pauses.halt.there.take().is_some() {
            cx.events.push_back(Event::Resumed { id: self.offer.id });
        }
        self.rest(cx);
        self.go_on(cx);
        Fate::Lives
    }

    /// Grants credit again, if neither end has paused.
    fn go_on(&mut self, cx: &mut Context<'_>) {
        if !self.pauses.halt.is_on() && self.pauses.is_void {
            self.say_resume(cx);
        }
        self.ack.ready |= self.pauses.gives_credit();
    }

    fn say_resume(&mut self, cx: &mut Context<'_>) {
        self.pauses.is_void = false;
        let resume = Resume { offset: self.received, pauses: self.pauses.heard };
        cx.control(Frame::Resume(self.handle, resume));
        // The sender has forgotten all earlier credit.
        self.ack.told = (0, 0, 0);
        self.ack.ready = true;
    }

    /// Nothing more arrives: memory promised for it is free for others.
    fn take_back_credit(&mut self, cx: &mut Context<'_>) {
        self.credit = self.received;
        self.promise(cx);
    }

    /// Tells the link whether this transfer takes a share of limited resources.
    fn rest(&self, cx: &mut Context<'_>) {
        if let Some(link) = &mut cx.link {
            link.rest(self.handle, self.pauses.halt.is_on());
        }
    }

    /// The failure of a sender that claims to be this far.
    fn beyond(&self, offset: u64) -> Option<Failure> {
        let most = self.credit.max(INITIAL_CREDIT);
        let text = || format!("a pause at {offset}, and credit up to {most}");
        (offset > most).then(|| Failure::local(Code::BadOffset, text()))
    }
}
