//! The server's ends of all sessions, with and without links.

mod commands;
mod config;
mod frames;
mod kept;
mod lives;
mod serve;

pub use config::{LinkId, SessionsConfig, SessionsEvent};

use super::turns::Turns;
use super::wire::{self, Frame, Why};
use super::{Received, SessionId};
use crate::Instant;
use crate::message::Parts;
use crate::transfer::Code;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use bytes::Bytes;
use kept::{Kept, Place};

/// How many events are kept for each possible session: a beginning, two links, and an end.
const TURNS: usize = 4;

/// The sessions of a server, limited in number and memory, each on at most one link.
///
/// Report the beginning and end of each link and the frames that arrive, and ask for frames to send.
/// [`poll_end`](Self::poll_end) reports a link that was [superseded](Ended::Superseded) or violated the protocol.
/// Together with a [`Session`](crate::Session), [`serve`](Self::serve) does all of this except for the beginning and
/// the end. In a loop with many links, [`link_timeout`](Self::link_timeout) is one more deadline of each link, and
/// [`poll_stirred`](Self::poll_stirred) names links to serve although nothing has arrived on them.
#[derive(Debug)]
pub struct Sessions {
    config: SessionsConfig,
    key: Key,
    now: Instant,
    kept: BTreeMap<SessionId, Kept>,
    links: BTreeMap<LinkId, Link>,
    /// How many links there have been.
    arrivals: u64,
    /// Those without a link, the longest waiting first, and the memory of all of them.
    detached: VecDeque<SessionId>,
    detached_bytes: usize,
    /// Sessions that ended lately, and why. At most as many as there may be sessions.
    gone: VecDeque<(SessionId, Why)>,
    /// Sessions with messages to receive, in turn.
    ready: VecDeque<SessionId>,
    /// Links that must end, or have something to send, because of events elsewhere.
    stirred: BTreeSet<LinkId>,
    events: Turns<SessionsEvent>,
}

/// Derives the secrets. Whoever knows it can take over any session.
struct Key([u8; 32]);

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(..)")
    }
}

#[derive(Debug)]
struct Link {
    principal: Bytes,
    /// Its position in the order of arrival.
    arrival: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The link has no session.
    Open {
        /// The answer to send.
        answer: Option<Frame>,
        /// It had a session; what the client sent before it heard of the session's end is late, not wrong.
        late: bool,
    },
    /// The link has this session, and this answer to send before anything else.
    Attached(SessionId, Option<Frame>),
    /// The link must end; `None` once that was reported.
    Ended(Option<Ended>),
}

/// Why a link must end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// Its session was resumed on another link: close it with 1000. Whatever still arrives on it is ignored.
    Superseded,
    /// It violated the protocol.
    Broken {
        /// What to tell the peer.
        code: Code,
        /// Why, in words.
        text: String,
    },
}

impl Ended {
    fn broken(code: Code, text: String) -> Self {
        Self::Broken { code, text }
    }
}

impl Sessions {
    /// Starts without sessions. The secrets of all sessions are derived from `key`, which must be random.
    pub fn new(mut config: SessionsConfig, key: [u8; 32], now: Instant) -> Self {
        config.max_sessions = config.max_sessions.max(1);
        Self {
            config,
            key: Key(key),
            now,
            kept: BTreeMap::new(),
            links: BTreeMap::new(),
            arrivals: 0,
            detached: VecDeque::new(),
            detached_bytes: 0,
            gone: VecDeque::new(),
            ready: VecDeque::new(),
            stirred: BTreeSet::new(),
            events: Turns::new(config.max_sessions.saturating_mul(TURNS)),
        }
    }

    // ----- facts -----

    /// A link is up; report this before its HELLO leaves. A session can be resumed only by links of the same principal
    /// (a user, a token), and not by one that arrived before the link that had it last.
    pub fn handle_link_up(&mut self, now: Instant, link: LinkId, principal: &[u8]) {
        self.handle_link_down(now, link, false);
        let principal = Bytes::copy_from_slice(principal);
        self.arrivals += 1;
        let state = State::Open { answer: None, late: false };
        self.links.insert(link, Link { principal, arrival: self.arrivals, state });
    }

    /// A frame of the session arrived on a link.
    pub fn handle_frame(&mut self, now: Instant, link: LinkId, frame: Bytes) {
        self.advance(now);
        match self.links.get(&link) {
            None | Some(Link { state: State::Ended(_), .. }) => return,
            Some(_) => {}
        }
        match wire::decode(frame) {
            Ok(frame) => self.handle(link, frame),
            Err(error) => self.end_link(link, Ended::broken(error.fault.code(), error.to_string())),
        }
    }

    /// A link is gone. Its session is kept for the next one unless this was the last: the client said that it will not
    /// come back. It says so by a Close 1000 that does not answer one of ours:
    /// [`received`](crate::Disconnect::received) has the code, and [`who`](crate::Disconnect::who) is
    /// [`Who::Peer`](crate::closing::Who::Peer). Before this, [`serve`](Self::serve) the link once more, for what has
    /// arrived on it.
    pub fn handle_link_down(&mut self, now: Instant, link: LinkId, is_last: bool) {
        self.advance(now);
        self.stirred.remove(&link);
        if let Some(Link { state: State::Attached(session, _), .. }) = self.links.remove(&link) {
            if is_last {
                self.end(session, Why::Closed);
            } else {
                self.detach(session);
            }
        }
    }

    /// Time has passed. Early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        while let Some(session) = self.detached.front().copied() {
            let due = self.kept.get(&session).is_none_or(|kept| match kept.place {
                Place::Detached { until } => until <= self.now,
                Place::Attached(_) => false,
            });
            if !due {
                return;
            }
            self.end(session, Why::Expired);
        }
    }

    // ----- outputs -----

    /// The next frame for a link.
    pub fn poll_frame(&mut self, now: Instant, link: LinkId) -> Option<Parts> {
        self.advance(now);
        match &mut self.links.get_mut(&link)?.state {
            State::Open { answer, .. } => answer.take().map(Frame::encode),
            State::Attached(_, answer) if answer.is_some() => answer.take().map(Frame::encode),
            State::Attached(session, _) => self.kept.get_mut(session)?.channel.poll_frame(self.now),
            State::Ended(_) => None,
        }
    }

    /// Whether and why a link must end; reported once.
    pub fn poll_end(&mut self, link: LinkId) -> Option<Ended> {
        match &mut self.links.get_mut(&link)?.state {
            State::Ended(ended) => ended.take(),
            _ => None,
        }
    }

    /// The next link to serve although nothing arrived on it: it was superseded, or the application has sent something
    /// to it.
    pub fn poll_stirred(&mut self) -> Option<LinkId> {
        self.stirred.pop_first()
    }

    /// The next message that arrived, and its session; sessions take turns. It counts as delivered once taken here.
    pub fn poll_received(&mut self, now: Instant) -> Option<(SessionId, Received)> {
        self.advance(now);
        while let Some(session) = self.ready.pop_front() {
            let Some(kept) = self.kept.get_mut(&session) else { continue };
            let before = kept.channel.size();
            let Some(received) = kept.channel.poll_received(self.now, session) else { continue };
            match kept.place {
                Place::Detached { .. } => self.detached_bytes -= before - kept.channel.size(),
                // There is something to acknowledge.
                Place::Attached(link) => drop(self.stirred.insert(link)),
            }
            if kept.channel.has_received() {
                self.ready.push_back(session);
            }
            return Some((session, received));
        }
        None
    }

    /// The next event. If nobody polls, events beyond four for each possible session are forgotten, the oldest first,
    /// except those that return messages.
    pub fn poll_event(&mut self) -> Option<SessionsEvent> {
        self.events.pop()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.kept.get(self.detached.front()?)?.place {
            Place::Detached { until } => Some(until),
            Place::Attached(_) => None,
        }
    }

    /// When to call [`poll_frame`](Self::poll_frame) for a link.
    pub fn link_timeout(&self, link: LinkId) -> Option<Instant> {
        let State::Attached(session, None) = &self.links.get(&link)?.state else { return None };
        let channel = &self.kept.get(session)?.channel;
        channel.poll_timeout().filter(|_| !channel.has_frame(self.now))
    }

    // ----- looks -----

    /// The link that a session is on.
    pub fn link(&self, session: SessionId) -> Option<LinkId> {
        match self.kept.get(&session)?.place {
            Place::Attached(link) => Some(link),
            Place::Detached { .. } => None,
        }
    }

    /// How many messages to a client wait for their acknowledgement.
    pub fn unacknowledged(&self, session: SessionId) -> usize {
        self.kept.get(&session).map_or(0, |kept| kept.channel.unacknowledged())
    }

    /// Whether a message waits to be [received](Self::poll_received).
    pub fn has_received(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// About how many bytes are kept for sessions without a link.
    pub fn detached_bytes(&self) -> usize {
        self.detached_bytes
    }

    // ----- inside -----

    /// If time steps back, it stands still.
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}
