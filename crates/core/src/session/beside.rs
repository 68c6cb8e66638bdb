//! A second link beside one that may be dead.
//!
//! It takes a while to find out that a link is dead, because a living one must never be declared dead. If something is
//! waiting, a client dials a second link meanwhile. If that opens before anything arrives over the first, it replaces
//! it.

use super::{Event, Session};
use crate::{Connection, Instant, pump};
use core::time::Duration;

/// If something begins to wait only this long after the link opened, the link was not stuck from the beginning.
const QUIET: Duration = Duration::from_secs(10);

/// A link that has replaced another can itself be replaced only after this long: on a path that pauses again and again,
/// each link in turn would look dead.
const STEADY: Duration = Duration::from_secs(30);

/// What a session remembers about a second link.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beside {
    /// When the current link opened.
    opened: Instant,
    /// From when on it may be replaced, if it has just replaced another link.
    steady: Option<Instant>,
    /// Since when something has been waiting, if anything is.
    since: Option<Instant>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    None,
    Dialing,
    /// The second link is replacing the first.
    Replaces,
}

impl Beside {
    /// A link is up, whether it replaces another or not.
    pub(super) fn handle_link_up(&mut self, now: Instant) {
        let steady = self.replaces().then_some(now + STEADY);
        *self = Self { opened: now, steady, since: None, state: State::None };
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.steady = self.steady.filter(|steady| *steady > now);
    }

    /// When the link may be replaced, if something is waiting for that.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.since.and(self.steady)
    }

    /// The dial is over.
    pub(super) fn handle_done(&mut self) {
        self.state = State::None;
    }

    pub(super) fn replaces(&self) -> bool {
        self.state == State::Replaces
    }

    /// Whether something began to wait only some time after the link opened.
    fn was_quiet(&self) -> bool {
        self.since.is_some_and(|since| since - self.opened >= QUIET)
    }
}

impl Session {
    /// Whether something is waiting that a second link might carry.
    ///
    /// False if something has been waiting since the link opened, and the link has carried nothing: further links would
    /// be stuck in the same way.
    pub(crate) fn is_impatient(&mut self, now: Instant) -> bool {
        let is_busy = self.reconnect.is_some() && (self.transfers.is_owed() || self.speech.is_busy());
        if !is_busy {
            self.beside.since = None;
            return false;
        }
        self.beside.since.get_or_insert(now);
        let is_steady = self.beside.steady.is_none_or(|steady| steady <= now);
        is_steady && (self.transfers.has_carried() || self.speech.has_carried() || self.beside.was_quiet())
    }

    /// The heartbeat doubts that the link is alive.
    pub(crate) fn handle_doubt(&mut self, now: Instant) {
        if self.beside.state == State::None && self.is_impatient(now) {
            self.beside.state = State::Dialing;
            self.events.push_back(Event::DialBeside);
        }
    }

    /// Replaces this connection by another one, which was opened [beside](Event::DialBeside) it. This one ends now as
    /// if it had been found dead, and [`Event::LinkDown`] reports that. Then call
    /// [`handle_link_up`](Self::handle_link_up), and continue with the other connection.
    ///
    /// Returns false if this connection is no longer [doubtful](Connection::is_doubtful), or is closing: then continue
    /// with it, and close the other one.
    pub fn replace(&mut self, now: Instant, connection: &mut Connection) -> bool {
        let replaces = connection.give_way(now);
        self.beside.state = if replaces { State::Replaces } else { State::None };
        if replaces {
            pump(now, connection, self);
        }
        replaces
    }
}
