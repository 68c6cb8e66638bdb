//! The lives of sessions: who owns them, how long they wait, and how they end.

use super::kept::{Kept, Place};
use super::{Ended, LinkId, Sessions, SessionsEvent, State};
use crate::messages::wire::Why;
use crate::messages::{Event, SessionId};
use alloc::collections::BTreeMap;
use bytes::Bytes;

impl Sessions {
    /// Takes the session from the link that has it: another link has shown the newer secret.
    pub(super) fn supersede(&mut self, session: SessionId, by: LinkId) {
        let Some(kept) = self.kept.get_mut(&session) else { return };
        let old = if let Place::Attached(old) = kept.place { Some(old) } else { None };
        if let Some(old) = old.filter(|old| *old != by) {
            kept.channel.handle_link_down(self.now);
            self.set_ended(old, Ended::Superseded);
            self.stirred.insert(old);
        }
    }

    /// Ends a link, and detaches its session.
    pub(super) fn end_link(&mut self, link: LinkId, ended: Ended) {
        if let Some(session) = self.set_ended(link, ended) {
            self.detach(session);
        }
    }

    pub(super) fn set_ended(&mut self, link: LinkId, ended: Ended) -> Option<SessionId> {
        let link = self.links.get_mut(&link)?;
        match core::mem::replace(&mut link.state, State::Ended(Some(ended))) {
            State::Attached(session, _) => Some(session),
            _ => None,
        }
    }

    pub(super) fn detach(&mut self, session: SessionId) {
        let Some(kept) = self.kept.get_mut(&session) else { return };
        kept.channel.handle_link_down(self.now);
        kept.place = Place::Detached { until: self.now + self.config.keep };
        self.detached.push_back(session);
        self.detached_bytes += kept.channel.size();
        self.tell(SessionsEvent::Detached(session));
        while self.detached_bytes > self.config.max_detached_bytes {
            let Some(dispensable) = self.dispensable(None, |kept| kept.channel.size()) else { return };
            self.end(dispensable, Why::Overflow);
        }
    }

    /// The session without a link that is dropped to make room: of the principal with the greatest total weight, the
    /// one that has waited longest. This way nobody displaces another principal's sessions. The principal that `comes`
    /// counts one more.
    pub(super) fn dispensable(
        &self,
        comes: Option<&Bytes>,
        weight: impl Fn(&Kept) -> usize,
    ) -> Option<SessionId> {
        let waiting = || self.detached.iter().filter_map(|session| Some((*session, self.kept.get(session)?)));
        let mut weights = BTreeMap::from_iter(comes.map(|comes| (comes, 1)));
        for (_, kept) in waiting() {
            *weights.entry(&kept.principal).or_default() += weight(kept);
        }
        let weight_of = |kept: &Kept| weights.get(&kept.principal).copied();
        let most = waiting().map(|(_, kept)| weight_of(kept)).max()?;
        waiting().find(|(_, kept)| weight_of(kept) == most).map(|(session, _)| session)
    }

    pub(super) fn undetach(&mut self, session: SessionId) {
        if let Some(Kept { place: Place::Detached { .. }, channel, .. }) = self.kept.get(&session) {
            self.detached_bytes -= channel.size();
            self.detached.retain(|detached| *detached != session);
        }
    }

    /// Ends a session, and returns its messages to the application.
    pub(super) fn end(&mut self, session: SessionId, why: Why) {
        if let Some(mut kept) = self.remove(session) {
            let messages = kept.channel.reset(self.now);
            self.bury(session, why);
            let event = Event::Lost { why, messages };
            self.tell(SessionsEvent::Session(session, event));
        }
    }

    /// Queues an event for the application.
    pub(super) fn tell(&mut self, event: SessionsEvent) {
        self.events.push(event, SessionsEvent::is_passing);
    }

    /// Remembers for a while why a session is gone.
    pub(super) fn bury(&mut self, session: SessionId, why: Why) {
        self.gone.push_back((session, why));
        if self.gone.len() > self.config.max_sessions {
            self.gone.pop_front();
        }
    }

    pub(super) fn remove(&mut self, session: SessionId) -> Option<Kept> {
        self.undetach(session);
        self.ready.retain(|ready| *ready != session);
        self.kept.remove(&session)
    }

    pub(super) fn why_gone(&self, session: SessionId) -> Why {
        self.gone.iter().find(|(gone, _)| *gone == session).map_or(Why::Unknown, |(_, why)| *why)
    }
}
