//! Another link beside one that may be dead.
//!
//! A dead link takes its time to be found, since no living one must be taken for it. Where something waits, a client opens another
//! link meanwhile: if that succeeds before the old one has said anything, it takes its place.

use super::{Event, Session};
use crate::{Connection, Instant, pump};
use core::time::Duration;

/// A link that had nothing to carry for so long after its opening was not stuck from the beginning.
const QUIET: Duration = Duration::from_secs(10);

/// What there is to know of another link.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beside {
    /// When the present link was opened.
    opened: Instant,
    /// Something has been there to be carried since.
    since: Option<Instant>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    None,
    Dialing,
    /// It takes the place of the present one.
    Replaces,
}

impl Beside {
    /// A link is up.
    pub(super) fn new(now: Instant) -> Self {
        Self { opened: now, since: None, state: State::None }
    }

    /// The dial has come to something.
    pub(super) fn handle_done(&mut self) {
        self.state = State::None;
    }

    pub(super) fn replaces(&self) -> bool {
        self.state == State::Replaces
    }

    /// Whether the link had nothing to carry at first.
    fn was_quiet(&self) -> bool {
        self.since.is_some_and(|since| since - self.opened >= QUIET)
    }
}

impl Session {
    /// Whether something waits for the link that another one might carry.
    ///
    /// Not if this one has carried nothing of what it was to carry from the beginning: links on which nothing gets across are
    /// no reason to open more of them.
    pub(crate) fn is_impatient(&mut self, now: Instant) -> bool {
        let is_busy = self.transfers.has_open() || self.speech.is_busy();
        self.beside.since = is_busy.then(|| self.beside.since.unwrap_or(now));
        let may_help = self.transfers.has_carried() || self.speech.has_carried() || self.beside.was_quiet();
        is_busy && may_help && self.reconnect.is_some()
    }

    /// The link is doubtful.
    pub(crate) fn handle_doubt(&mut self, now: Instant) {
        if self.beside.state == State::None && self.is_impatient(now) {
            self.beside.state = State::Dialing;
            self.events.push_back(Event::DialBeside);
        }
    }

    /// Lets another connection, which was opened [beside](Event::DialBeside) this one, take its place: this one ends now as it
    /// would if it were found dead, and [`Event::LinkDown`] says so. Then say that the [link is up](Self::handle_link_up), and go
    /// on with the other connection.
    ///
    /// Returns false if this connection is not [doubtful](Connection::is_doubtful) any more: it goes on, and the other one is not
    /// needed.
    pub fn replace(&mut self, now: Instant, connection: &mut Connection) -> bool {
        let replaces = connection.give_way(now);
        self.beside.state = if replaces { State::Replaces } else { State::None };
        if replaces {
            pump(now, connection, self);
        }
        replaces
    }
}
