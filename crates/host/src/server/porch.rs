//! Which client must make room when all places of a server are taken and another client waits for one.
//!
//! A client stands in the porch until its request is complete. It has [`COURTESY`] for that. From then on, if its place
//! is needed, the client that came first is sent away, and the next one when that has left.

use std::collections::BTreeMap;
use std::time::Duration;

use bowline_core::Instant;

/// How long a client may keep a place without a request: one second after which TCP retransmits, and one for the round
/// trips of TLS on a slow path.
pub const COURTESY: Duration = Duration::from_secs(2);
/// How long a client that was sent away may take to leave before another is sent away: its end needs no answer from
/// anybody.
const GOING: Duration = Duration::from_millis(100);

/// Why a client must leave during its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hurry {
    /// The server stops.
    Stop,
    /// It kept a place without a request, and another client waits for it.
    Others,
}

/// The clients that have connected without a complete request, each with the word that sends it away.
#[derive(Debug)]
pub struct Porch<T> {
    /// By number, which is the order in which they came.
    standing: BTreeMap<u64, (Instant, T)>,
    numbers: u64,
    /// The client sent away last, if it is still there, and since when.
    going: Option<(u64, Instant)>,
}

impl<T> Porch<T> {
    /// A client has connected. `word` is what it is told when it must leave.
    pub fn enter(&mut self, now: Instant, word: T) -> u64 {
        self.numbers += 1;
        self.standing.insert(self.numbers, (now, word));
        self.numbers
    }

    /// This client has sent its request, or is gone.
    pub fn leave(&mut self, number: u64) {
        self.standing.remove(&number);
        if self.going.is_some_and(|(going, _)| going == number) {
            self.going = None;
        }
    }

    /// Whether this client may still send its request.
    pub fn is_standing(&self, number: u64) -> bool {
        self.standing.contains_key(&number)
    }

    /// All places are taken, and another client waits. Returns the word for the client that must leave, if it is time.
    pub fn make_room(&mut self, now: Instant) -> Option<T> {
        if self.poll_timeout()? > now {
            return None;
        }
        let (number, (_, word)) = self.standing.pop_first()?;
        self.going = Some((number, now));
        Some(word)
    }

    /// When a client must leave if all places are taken then.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let (_, (since, _)) = self.standing.first_key_value()?;
        let due = *since + COURTESY;
        Some(self.going.map_or(due, |(_, since)| due.max(since + GOING)))
    }
}

impl<T> Default for Porch<T> {
    fn default() -> Self {
        Self { standing: BTreeMap::new(), numbers: 0, going: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_newcomer_keeps_its_place() {
        let mut porch = Porch::default();
        assert_eq!((porch.poll_timeout(), porch.make_room(at(9_000))), (None, None), "nobody is there");
        porch.enter(at(10_000), "first");
        assert_eq!((porch.poll_timeout(), porch.make_room(at(11_999))), (Some(at(12_000)), None));
        assert_eq!(porch.make_room(at(12_000)), Some("first"));
    }

    #[test]
    fn the_first_to_come_leaves_first_and_one_that_has_asked_stays() {
        let mut porch = Porch::default();
        let [first, second, third] =
            [(0, "first"), (1, "second"), (2, "third")].map(|(when, who)| porch.enter(at(when), who));
        porch.leave(first);
        assert_eq!(porch.make_room(at(5_000)), Some("second"));
        assert!(!porch.is_standing(second) && porch.is_standing(third));
    }

    #[test]
    fn only_one_is_asked_to_leave_at_a_time() {
        let mut porch = Porch::default();
        let first = porch.enter(at(0), "first");
        porch.enter(at(0), "second");
        assert_eq!(porch.make_room(at(5_000)), Some("first"));
        assert_eq!(porch.make_room(at(5_000)), None, "there is a place in a moment");
        porch.leave(first);
        assert_eq!(porch.make_room(at(5_000)), Some("second"), "that one was for somebody else");
    }

    #[test]
    fn one_that_does_not_leave_does_not_keep_the_next_from_leaving() {
        let mut porch = Porch::default();
        porch.enter(at(0), "first");
        porch.enter(at(0), "second");
        assert_eq!(porch.make_room(at(5_000)), Some("first"));
        assert_eq!(porch.poll_timeout(), Some(at(5_100)));
        assert_eq!(porch.make_room(at(5_100)), Some("second"));
        assert_eq!(porch.poll_timeout(), None);
    }
}
