//! The message sessions of a server: shared by its links and its application.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_core::messages::SessionsEvent;
use bowline_core::messages::{LinkId, Receipt, Received, SendError, SessionId, Sessions, SessionsConfig};
use bowline_core::replay::Unacknowledged;
use bowline_core::{Instant, Message, Session};
use bowline_host::seed;
use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::Server;
use crate::clock::Clock;
use crate::messages::Heard;

/// All sessions, and who waits for something of them.
#[derive(Debug)]
pub(super) struct Talks {
    clock: Clock,
    state: Mutex<State>,
    /// Something may have come, or there may be room again.
    news: Notify,
}

#[derive(Debug)]
struct State {
    sessions: Sessions,
    links: BTreeMap<LinkId, Arc<Notify>>,
    next: u64,
}

/// One link's place among them.
#[derive(Debug)]
pub(super) struct Place {
    talks: Arc<Talks>,
    link: LinkId,
    /// Something was said for it elsewhere.
    stirred: Arc<Notify>,
    /// When it has something to say of itself.
    due: Option<Instant>,
}

impl Talks {
    /// # Panics
    /// If the operating system has no randomness.
    pub(super) fn new(config: SessionsConfig) -> Self {
        let clock = Clock::start();
        let seed = seed().expect("the operating system has randomness");
        let sessions = Sessions::new(config, seed, clock.now());
        let state = Mutex::new(State { sessions, links: BTreeMap::new(), next: 0 });
        Self { clock, state, news: Notify::new() }
    }

    pub(super) fn join(self: &Arc<Self>, principal: &[u8]) -> Place {
        let mut state = self.lock();
        state.next += 1;
        let link = LinkId(state.next);
        let stirred = Arc::new(Notify::new());
        state.links.insert(link, Arc::clone(&stirred));
        state.sessions.handle_link_up(self.clock.now(), link, principal);
        Place { talks: Arc::clone(self), link, stirred, due: None }
    }

    /// Does something with the sessions, and wakes the links that it concerns.
    fn with<T>(&self, act: impl FnOnce(&mut Sessions, Instant) -> T) -> T {
        let mut state = self.lock();
        let now = self.clock.now();
        state.sessions.handle_timeout(now);
        let result = act(&mut state.sessions, now);
        while let Some(link) = state.sessions.poll_stirred() {
            if let Some(stirred) = state.links.get(&link) {
                stirred.notify_one();
            }
        }
        result
    }

    /// Nothing in here panics; and if it did, the sessions would still be sessions.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Moves what can move between this link and its session; whether anything has moved.
    pub(super) fn serve(&mut self, session: &mut Session) -> bool {
        let link = self.link;
        let (moved, due) = self.talks.with(|sessions, now| {
            let moved = sessions.serve(now, link, session);
            (moved, sessions.link_timeout(link))
        });
        self.due = due;
        if moved {
            self.talks.news.notify_waiters();
        }
        moved
    }

    /// Waits until there may be something to say.
    ///
    /// Cancel-safe: what happened meanwhile is found by the next call.
    pub(super) async fn stirred(&self) {
        let due = async {
            match self.due {
                Some(due) => sleep_until(self.talks.clock.deadline(due)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stirred.notified() => {}
            () = due => {}
        }
    }

    /// The link is gone; for good if its client has said so.
    pub(super) fn leave(&self, is_last: bool) {
        self.talks.lock().links.remove(&self.link);
        self.talks.with(|sessions, now| sessions.handle_link_down(now, self.link, is_last));
        self.talks.news.notify_waiters();
    }
}

impl Drop for Place {
    /// A task that is dropped in the middle leaves, too.
    fn drop(&mut self) {
        if self.talks.lock().links.contains_key(&self.link) {
            self.leave(false);
        }
    }
}

impl Server {
    /// Sends a message to a client: it arrives once and in order, however many links it takes. Needs
    /// [`ServerConfig::messages`](super::ServerConfig::messages).
    ///
    /// Returns when it is queued, and waits while too much is unacknowledged, with or without a link. Cancel-safe: a
    /// cancelled call has queued nothing.
    ///
    /// # Errors
    /// There is no such session (any more), or the message is too long. It comes back.
    pub async fn send(&self, session: SessionId, mut message: Message) -> Result<(), SendError> {
        let Some(talks) = &self.talks else { return Err(SendError::Unknown(message)) };
        loop {
            let news = talks.news.notified();
            match talks.with(|sessions, now| sessions.send(now, session, message)) {
                Ok(_) => return Ok(()),
                Err(SendError::Full(back)) => message = back,
                Err(error) => return Err(error),
            }
            news.await;
        }
    }

    /// Sends a message to a client at once or never.
    ///
    /// # Errors
    /// The session is on no link or does not exist, the message is too long, or too many wait. The message comes back.
    pub fn send_volatile(&self, session: SessionId, message: Message) -> Result<(), SendError> {
        let Some(talks) = &self.talks else { return Err(SendError::Unknown(message)) };
        talks.with(|sessions, now| sessions.send_volatile(now, session, message))
    }

    /// The next message of any client, or the next turn in the life of a session. With several callers, each hears
    /// something else. Without [`ServerConfig::messages`](super::ServerConfig::messages), never.
    ///
    /// Cancel-safe: a cancelled call has taken nothing. While nobody calls, clients are stopped before memory grows.
    pub async fn receive(&self) -> (SessionId, Heard) {
        let Some(talks) = &self.talks else { return std::future::pending().await };
        loop {
            let news = talks.news.notified();
            let (heard, expiry) = talks.with(|sessions, now| (heard(sessions, now), sessions.poll_timeout()));
            if let Some(heard) = heard {
                return heard;
            }
            match expiry {
                Some(expiry) => tokio::select! {
                    () = news => {}
                    () = sleep_until(talks.clock.deadline(expiry)) => {}
                },
                None => news.await,
            }
        }
    }

    /// Everything of its session up to this message is taken care of, and may be acknowledged: for
    /// [`AckOn::Confirmation`](bowline_core::replay::AckOn::Confirmation).
    pub fn confirm(&self, receipt: Receipt) {
        if let Some(talks) = &self.talks {
            talks.with(|sessions, now| sessions.confirm(now, receipt));
        }
    }

    /// Ends a session, and tells its client, which may begin another one. Returns what is not known to have arrived.
    pub fn end_session(&self, session: SessionId) -> Vec<Unacknowledged> {
        let Some(talks) = &self.talks else { return Vec::new() };
        let messages = talks.with(|sessions, now| sessions.close(now, session));
        talks.news.notify_waiters();
        messages
    }
}

fn heard(sessions: &mut Sessions, now: Instant) -> Option<(SessionId, Heard)> {
    match sessions.poll_event() {
        Some(SessionsEvent::Session(session, event)) => return Some((session, Heard::Session(event))),
        Some(SessionsEvent::Detached(session)) => return Some((session, Heard::Detached)),
        Some(_) | None => {}
    }
    let (session, received): (_, Received) = sessions.poll_received(now)?;
    Some((session, Heard::Message(received)))
}
