//! A place to read small messages to, shared by all connections of a thread.
//!
//! A connection that waits for its next message has to try to read, and mostly finds nothing. With a place of its own
//! it would have to take memory each time and give it back. What does come is copied, which costs less.

use std::cell::RefCell;

/// How much fits: as much as a connection asks for when it does not know what comes.
pub(super) const LEN: usize = 4 << 10;

thread_local! {
    static SCRATCH: RefCell<[u8; LEN]> = const { RefCell::new([0; LEN]) };
}

/// Shows the place to `read`, and gives what it returns. `None` if the place is taken: by a stream that is itself driven on
/// this thread, below the one at hand.
pub(super) fn lend<T>(read: impl FnOnce(&mut [u8]) -> T) -> Option<T> {
    SCRATCH.with(|scratch| scratch.try_borrow_mut().ok().map(|mut place| read(&mut place[..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_taken_is_said_so() {
        let lent = lend(|place| {
            place.fill(7);
            lend(|_| unreachable!("the place is taken"))
        });
        assert_eq!(lent, Some(None::<()>));
        assert_eq!(lend(|place| place.len()), Some(LEN), "it was given back");
    }
}
