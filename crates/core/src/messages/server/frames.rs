//! Incoming frames: resuming a session, and speaking in it.

use super::kept::{Kept, Place};
use super::{Ended, Link, LinkId, Sessions, SessionsEvent, State};
use crate::Instant;
use crate::messages::channel::Channel;
use crate::messages::wire::{Frame, Resume, Resumed, Why};
use crate::messages::{Event, SessionId};
use crate::replay::Fault;
use crate::transfer::Code;
use alloc::format;
use alloc::string::ToString;
use bytes::Bytes;
use core::time::Duration;

/// When a client that was refused for lack of room may ask again.
const BUSY_WAIT: Duration = Duration::from_secs(10);

impl Sessions {
    pub(super) fn handle(&mut self, link: LinkId, frame: Frame) {
        let (attached, late) = match self.links.get(&link).map(|link| &link.state) {
            Some(State::Attached(session, _)) => (Some(*session), false),
            Some(State::Open { late, .. }) => (None, *late),
            _ => return,
        };
        match (attached, frame) {
            (None, Frame::Data(_) | Frame::Ack(_)) if late => {}
            (None, Frame::Resume(resume)) => self.handle_resume(link, &resume),
            (Some(session), Frame::Data(data)) => {
                self.with_channel(link, session, |channel, now| channel.handle_data(now, data));
            }
            (Some(session), Frame::Ack(last)) => {
                self.with_channel(link, session, |channel, now| channel.handle_ack(now, last));
            }
            (_, Frame::Unsupported(kind)) => {
                self.end_link(link, Ended::broken(Code::Unsupported, format!("frame type {kind:#04x}")));
            }
            (attached, frame) => {
                let state = if attached.is_some() { "the session is up" } else { "there is no session" };
                let text = format!("unexpected {} while {state}", frame.words());
                self.end_link(link, Ended::broken(Code::Protocol, text));
            }
        }
    }

    fn with_channel(
        &mut self,
        link: LinkId,
        session: SessionId,
        step: impl FnOnce(&mut Channel, Instant) -> Result<(), Fault>,
    ) {
        let Some(kept) = self.kept.get_mut(&session) else { return };
        // A client sends these only after it has received our answer.
        kept.learn();
        let was_ready = kept.channel.has_received();
        let result = step(&mut kept.channel, self.now);
        if kept.channel.has_received() && !was_ready {
            self.ready.push_back(session);
        }
        if let Err(fault) = result {
            self.end_link(link, Ended::broken(Code::Protocol, fault.to_string()));
        }
    }

    fn handle_resume(&mut self, link: LinkId, resume: &Resume) {
        let Some(Link { principal, arrival, .. }) = self.links.get(&link) else { return };
        let (principal, arrival) = (principal.clone(), *arrival);
        let session = resume.session;
        let result = match self.kept.get(&session) {
            Some(kept) => kept.check(&self.key.0, &principal, arrival, resume),
            None if resume.epoch > 0 => Err(self.why_gone(session)),
            None => self.begin(link, principal, resume),
        };
        if let Err(why) = result {
            return self.refuse(link, why);
        }
        self.supersede(session, link);
        self.undetach(session);
        let Some(kept) = self.kept.get_mut(&session) else { return };
        // Set this before the session may end below: it is not detached any more.
        kept.place = Place::Attached(link);
        let last = kept.channel.handle_link_up(self.now);
        if kept.channel.handle_resumed(self.now, resume.last, resume.window).is_err() {
            self.end(session, Why::Numbers);
            return self.refuse(link, Why::Numbers);
        }
        let is_new = kept.is_new();
        let (epoch, secret) = kept.attach(&self.key.0, arrival, resume);
        let (replayed, duplicates) = (kept.channel.repeats(), kept.channel.duplicates());
        let answer = Resumed { epoch, window: kept.channel.window(), keep: self.config.keep, secret, last };
        if let Some(link) = self.links.get_mut(&link) {
            link.state = State::Attached(session, Some(Frame::Resumed(answer)));
        }
        let event = if is_new { Event::Began(session) } else { Event::Resumed { replayed, duplicates } };
        self.tell(SessionsEvent::Session(session, event));
    }

    /// Begins a new session, if there is or can be made room for it.
    fn begin(&mut self, link: LinkId, principal: Bytes, resume: &Resume) -> Result<(), Why> {
        if self.kept.len() >= self.config.max_sessions {
            let dispensable = self.dispensable(Some(&principal), |_| 1).ok_or(Why::Busy)?;
            self.end(dispensable, Why::Overflow);
        }
        let kept = Kept::new(self.config.session, link, principal, resume.secret);
        self.kept.insert(resume.session, kept);
        Ok(())
    }

    fn refuse(&mut self, link: LinkId, why: Why) {
        let retry_after = if why == Why::Busy { BUSY_WAIT } else { Duration::ZERO };
        if let Some(link) = self.links.get_mut(&link) {
            link.state = State::Open { answer: Some(Frame::NewSession { why, retry_after }), late: false };
        }
    }
}
