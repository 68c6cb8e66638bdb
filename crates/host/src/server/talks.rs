//! A server's message sessions, between its links and its application.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::TryRecvError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_core::messages::{
    LinkId, Receipt, SendError, SessionId, Sessions, SessionsConfig, SessionsEvent,
};
use bowline_core::replay::Unacknowledged;
use bowline_core::{Instant, Message, Session};

use super::House;
use crate::messages::{Heard, Wake};
use crate::seed::certain_seed;

/// A server's message sessions, for its application. Nothing here blocks: if something is not possible yet, try again
/// when woken by the `news` of [`House::new`], and at [`poll_timeout`](Self::poll_timeout).
pub struct Talks {
    /// `None` if messages are not enabled.
    state: Option<Mutex<State>>,
    news: Wake,
}

#[derive(Debug)]
struct State {
    sessions: Sessions,
    links: BTreeMap<LinkId, Stir>,
    next: u64,
    is_stopping: bool,
}

/// Wakes whoever serves a link.
#[derive(Clone)]
struct Stir(Wake);

/// One link's place among the sessions. Dropping it leaves the session to the next link.
#[derive(Debug)]
pub(super) struct Place {
    house: Arc<House>,
    link: LinkId,
    /// The latest time that was reported.
    now: Instant,
    /// When the link has something to send by itself.
    due: Option<Instant>,
    has_left: bool,
}

impl Talks {
    /// # Panics
    /// If the operating system provides no random bytes.
    pub(super) fn new(config: Option<SessionsConfig>, news: Wake, now: Instant) -> Self {
        let state = config.map(|config| {
            Mutex::new(State {
                sessions: Sessions::new(config, certain_seed(), now),
                links: BTreeMap::new(),
                next: 0,
                is_stopping: false,
            })
        });
        Self { state, news }
    }

    // ----- the application -----

    /// Accepts a message for a client, connected or not.
    ///
    /// # Errors
    /// If there is no such session (any more), the message is too long, or too many wait ([`SendError::Full`]: try
    /// again). The message is returned.
    pub fn send(&self, now: Instant, session: SessionId, message: Message) -> Result<(), SendError> {
        self.with(now, message, |state, message| state.sessions.send(now, session, message).map(drop))
            .unwrap_or_else(|message| Err(SendError::Mute(message)))
    }

    /// Sends a message to a client now or never.
    ///
    /// # Errors
    /// If the session has no link or does not exist, the message is too long, or too many wait. The message is
    /// returned.
    pub fn send_volatile(&self, now: Instant, session: SessionId, message: Message) -> Result<(), SendError> {
        self.with(now, message, |state, message| state.sessions.send_volatile(now, session, message))
            .unwrap_or_else(|message| Err(SendError::Mute(message)))
    }

    /// The next message from any client, or the next event of a session.
    ///
    /// # Errors
    /// There is none yet: try again. Or there will be none: messages are not enabled, or the server has
    /// [stopped](Self::stop) and no link is left.
    pub fn receive(&self, now: Instant) -> Result<(SessionId, Heard), TryRecvError> {
        let heard = self.with(now, (), |state, ()| match state.hear(now) {
            None if state.is_over() => Err(TryRecvError::Disconnected),
            heard => heard.ok_or(TryRecvError::Empty),
        });
        heard.unwrap_or(Err(TryRecvError::Disconnected))
    }

    /// Everything of its session up to this message has been processed and may be acknowledged: for
    /// [`AckOn::Confirmation`](bowline_core::replay::AckOn::Confirmation).
    pub fn confirm(&self, now: Instant, receipt: Receipt) {
        // Without messages there is nothing to confirm.
        let _ = self.with(now, (), |state, ()| state.sessions.confirm(now, receipt));
    }

    /// Ends a session and informs its client, which may begin another one. Returns the messages that are not known to
    /// have arrived.
    pub fn end_session(&self, now: Instant, session: SessionId) -> Vec<Unacknowledged> {
        let messages = self.with(now, (), |state, ()| state.sessions.close(now, session));
        (self.news)();
        messages.unwrap_or_default()
    }

    /// The server stops for good: as soon as no link is left, all sessions end, and messages that may not have arrived
    /// are returned.
    pub fn stop(&self, now: Instant) {
        let _ = self.with(now, (), |state, ()| {
            state.is_stopping = true;
            state.settle(now);
        });
        (self.news)();
    }

    /// Whether messages are not enabled: then nothing is ever received.
    pub fn is_mute(&self) -> bool {
        self.state.is_none()
    }

    /// When to try again in any case: a session expires.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lock()?.sessions.poll_timeout()
    }

    // ----- the links -----

    /// A link is up. `stir` wakes whoever serves it. `None` if messages are not enabled.
    pub(super) fn join(house: &Arc<House>, principal: &[u8], stir: Wake, now: Instant) -> Option<Place> {
        let talks = house.talks();
        let link = talks.with(now, stir, |state, stir| {
            state.next += 1;
            let link = LinkId(state.next);
            state.links.insert(link, Stir(stir));
            state.sessions.handle_link_up(now, link, principal);
            link
        });
        let link = link.ok()?;
        Some(Place { house: Arc::clone(house), link, now, due: None, has_left: false })
    }

    /// Calls `act` with the sessions and `needs`, and wakes the links that this concerns. If messages are not enabled,
    /// returns `needs`.
    fn with<A, T>(&self, now: Instant, needs: A, act: impl FnOnce(&mut State, A) -> T) -> Result<T, A> {
        let Some(mut state) = self.lock() else { return Err(needs) };
        state.sessions.handle_timeout(now);
        let result = act(&mut state, needs);
        let mut stirred = Vec::new();
        while let Some(link) = state.sessions.poll_stirred() {
            stirred.extend(state.links.get(&link).cloned());
        }
        drop(state);
        for Stir(wake) in stirred {
            wake();
        }
        Ok(result)
    }

    /// Nothing panics while holding this lock; and if it did, the sessions would still be valid.
    fn lock(&self) -> Option<MutexGuard<'_, State>> {
        self.state.as_ref().map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn hear(&mut self, now: Instant) -> Option<(SessionId, Heard)> {
        while let Some(event) = self.sessions.poll_event() {
            match event {
                SessionsEvent::Session(session, event) => return Some((session, Heard::Session(event))),
                SessionsEvent::Detached(session) => return Some((session, Heard::Detached)),
                _ => {}
            }
        }
        let message = |(session, received)| (session, Heard::Message(received));
        self.sessions.poll_received(now).map(message)
    }

    fn is_over(&self) -> bool {
        self.is_stopping && self.links.is_empty()
    }

    /// No client can return to a server that has stopped.
    fn settle(&mut self, now: Instant) {
        if self.is_over() {
            self.sessions.close_all(now);
        }
    }
}

impl Place {
    /// Moves what can move between this link and its session; returns whether anything moved.
    pub(super) fn serve(&mut self, now: Instant, session: &mut Session) -> bool {
        let link = self.link;
        let served = self.house.talks().with(now, session, |state, session| {
            let moved = state.sessions.serve(now, link, session);
            (moved, state.sessions.link_timeout(link))
        });
        let (moved, due) = served.unwrap_or_default();
        (self.now, self.due) = (now, due);
        if moved {
            (self.house.talks().news)();
        }
        moved
    }

    /// When to [serve](Self::serve) again in any case.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// The link is gone; for good if its client has said so.
    pub(super) fn leave(&mut self, now: Instant, is_last: bool) {
        self.has_left = true;
        let link = self.link;
        let _ = self.house.talks().with(now, (), |state, ()| {
            state.links.remove(&link);
            state.sessions.handle_link_down(now, link, is_last);
            state.settle(now);
        });
        (self.house.talks().news)();
    }
}

impl Drop for Place {
    /// A link that is dropped halfway leaves too.
    fn drop(&mut self) {
        if !self.has_left {
            self.leave(self.now, false);
        }
    }
}

impl fmt::Debug for Talks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Talks").field("state", &self.lock()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Stir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stir")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_else_is_heard_once_a_server_has_stopped() {
        let talks = Talks::new(Some(SessionsConfig::default()), Arc::new(|| ()), Instant::ZERO);
        assert_eq!(talks.receive(Instant::ZERO), Err(TryRecvError::Empty));
        talks.stop(Instant::ZERO);
        assert_eq!(talks.receive(Instant::ZERO), Err(TryRecvError::Disconnected));
    }
}
