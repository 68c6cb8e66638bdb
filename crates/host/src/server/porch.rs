//! Who has to make room, where all places of a server are taken and somebody else waits for one.
//!
//! Whoever has come stands in the porch until there is a whole request of his. He has [`COURTESY`] for it; from then on the
//! one who came first is sent away when his place is wanted, and the next one when he has gone.

use std::collections::BTreeMap;
use std::time::Duration;

use bowline_core::Instant;

/// How long anybody may keep a place without a request: the second after which TCP sends again what was lost, and one for
/// the round trips of TLS on a slow path.
pub const COURTESY: Duration = Duration::from_secs(2);
/// How long one who was sent away may take to go before another is: his end needs no answer of anybody.
const GOING: Duration = Duration::from_millis(100);

/// Why somebody who shakes hands has to go before his time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hurry {
    /// The server stops.
    Stop,
    /// He kept a place without a request, and somebody else waits for it.
    Others,
}

/// Those who have come and have not asked yet, each with what sends him away.
#[derive(Debug)]
pub struct Porch<T> {
    /// By number, and so in the order in which they came.
    standing: BTreeMap<u64, (Instant, T)>,
    numbers: u64,
    /// Who was sent away last and is still there, and since when.
    going: Option<(u64, Instant)>,
}

impl<T> Porch<T> {
    /// Somebody has come. What he is told when he has to go is `word`.
    pub fn enter(&mut self, now: Instant, word: T) -> u64 {
        self.numbers += 1;
        self.standing.insert(self.numbers, (now, word));
        self.numbers
    }

    /// This one has asked, or is gone.
    pub fn leave(&mut self, number: u64) {
        self.standing.remove(&number);
        if self.going.is_some_and(|(going, _)| going == number) {
            self.going = None;
        }
    }

    /// Whether this one may still ask.
    pub fn is_standing(&self, number: u64) -> bool {
        self.standing.contains_key(&number)
    }

    /// All places are taken, and somebody waits for one: what is to be told to whoever has to go for it, if it is time.
    pub fn make_room(&mut self, now: Instant) -> Option<T> {
        if self.poll_timeout()? > now {
            return None;
        }
        let (number, (_, word)) = self.standing.pop_first()?;
        self.going = Some((number, now));
        Some(word)
    }

    /// When somebody has to go if all places are taken then.
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
    fn who_has_just_come_keeps_his_place() {
        let mut porch = Porch::default();
        assert_eq!((porch.poll_timeout(), porch.make_room(at(9_000))), (None, None), "nobody is there");
        porch.enter(at(10_000), "first");
        assert_eq!((porch.poll_timeout(), porch.make_room(at(11_999))), (Some(at(12_000)), None));
        assert_eq!(porch.make_room(at(12_000)), Some("first"));
    }

    #[test]
    fn who_came_first_goes_first_and_who_has_asked_stays() {
        let mut porch = Porch::default();
        let [first, second, third] =
            [(0, "first"), (1, "second"), (2, "third")].map(|(when, who)| porch.enter(at(when), who));
        porch.leave(first);
        assert_eq!(porch.make_room(at(5_000)), Some("second"));
        assert!(!porch.is_standing(second) && porch.is_standing(third));
    }

    #[test]
    fn one_goes_at_a_time() {
        let mut porch = Porch::default();
        let first = porch.enter(at(0), "first");
        porch.enter(at(0), "second");
        assert_eq!(porch.make_room(at(5_000)), Some("first"));
        assert_eq!(porch.make_room(at(5_000)), None, "there is a place in a moment");
        porch.leave(first);
        assert_eq!(porch.make_room(at(5_000)), Some("second"), "that one was for somebody else");
    }

    #[test]
    fn who_does_not_go_keeps_nobody_from_going() {
        let mut porch = Porch::default();
        porch.enter(at(0), "first");
        porch.enter(at(0), "second");
        assert_eq!(porch.make_room(at(5_000)), Some("first"));
        assert_eq!(porch.poll_timeout(), Some(at(5_100)));
        assert_eq!(porch.make_room(at(5_100)), Some("second"));
        assert_eq!(porch.poll_timeout(), None);
    }
}
