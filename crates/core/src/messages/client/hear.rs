//! What a server's frames do to the client's end.

use super::super::wire::{Frame, Resumed, Why};
use super::super::{Event, Secret, SessionId};
use super::{Link, MIN_WAIT, Messages};
use crate::closing::LONGEST;
use crate::replay::Fault;
use crate::transfer::Code;
use alloc::format;
use alloc::string::ToString;
use core::time::Duration;

impl Messages {
    pub(super) fn handle(&mut self, frame: Frame) {
        match (self.link, frame) {
            (Link::Asked { .. }, Frame::Resumed(resumed)) => self.handle_resumed(&resumed),
            (Link::Asked { .. }, Frame::NewSession { why, retry_after }) => {
                self.handle_new_session(why, retry_after);
            }
            (Link::Up { .. }, Frame::NewSession { why, .. }) => self.lose(why),
            (Link::Up { .. }, Frame::Data(data)) => {
                let result = self.channel.handle_data(self.now, data);
                self.carry(result);
            }
            (Link::Up { .. }, Frame::Ack(last)) => {
                let result = self.channel.handle_ack(self.now, last);
                self.carry(result);
            }
            (_, Frame::Unsupported(kind)) => {
                self.break_link(Code::Unsupported, &format!("frame type {kind:#04x}"));
            }
            (link, frame) => {
                let text = format!("unexpected {} while {}", frame.words(), link.words());
                self.break_link(Code::Protocol, &text);
            }
        }
    }

    fn handle_resumed(&mut self, resumed: &Resumed) {
        if resumed.epoch <= self.epoch {
            let text = format!("epoch {} after {}", resumed.epoch, self.epoch);
            return self.break_link(Code::Protocol, &text);
        }
        let is_new = self.epoch == 0;
        if self.channel.handle_resumed(self.now, resumed.last, resumed.window).is_err() {
            // This link has had its session; a new one needs the next link.
            self.lose(Why::Numbers);
            return self.break_link(Code::Internal, "the server does not remember the same messages");
        }
        (self.epoch, self.secret) = (resumed.epoch, resumed.secret);
        self.link = Link::Up { shown: false };
        self.tell(if is_new {
            Event::Began(self.session)
        } else {
            let (replayed, duplicates) = (self.channel.repeats(), self.channel.duplicates());
            Event::Resumed { replayed, duplicates }
        });
    }

    fn handle_new_session(&mut self, why: Why, retry_after: Duration) {
        if self.epoch > 0 {
            return self.lose(why);
        }
        // There is nothing to lose yet, but the name may be taken.
        self.rename();
        let retry_after = retry_after.clamp(MIN_WAIT, LONGEST);
        self.link = Link::Refused { until: self.now + retry_after };
        self.tell(Event::Refused { retry_after });
    }

    /// The session is over; asks the server for a new one.
    pub(super) fn lose(&mut self, why: Why) {
        self.rename();
        self.link = Link::Ask;
        let messages = self.channel.reset(self.now);
        self.tell(Event::Lost { why, messages });
    }

    pub(super) fn rename(&mut self) {
        self.session = SessionId::from_bytes(self.rng.bytes());
        self.secret = Secret::from_bytes(self.rng.bytes());
        self.epoch = 0;
    }

    fn carry(&mut self, result: Result<(), Fault>) {
        match result {
            Ok(()) => self.carried = self.carried.saturating_add(1),
            Err(fault) => self.break_link(Code::Protocol, &fault.to_string()),
        }
    }

    pub(super) fn break_link(&mut self, code: Code, text: &str) {
        self.link = Link::Down;
        self.channel.handle_link_down(self.now);
        self.tell(Event::Broken { code, text: text.into() });
    }
}

impl Link {
    fn words(self) -> &'static str {
        match self {
            Self::Down => "there is no session",
            Self::Greet | Self::Ask | Self::Refused { .. } => "no session was asked for",
            Self::Asked { .. } => "the session is not resumed",
            Self::Up { .. } => "the session is up",
        }
    }
}
