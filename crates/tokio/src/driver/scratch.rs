//! A buffer for reading small messages, shared by all connections of a thread.
//!
//! A connection that waits for its next message has to try to read, and usually finds nothing. With a buffer of its own
//! it would have to allocate and free memory each time. Bytes that do arrive are copied, which costs less.

use std::cell::RefCell;

/// The size: as much as a connection asks for when it does not know what comes.
pub(super) const LEN: usize = 4 << 10;

thread_local! {
    static SCRATCH: RefCell<[u8; LEN]> = const { RefCell::new([0; LEN]) };
}

/// Passes the buffer to `read`, and returns its result. `None` if the buffer is taken: by a stream that is itself
/// driven on this thread, below the current one.
pub(super) fn lend<T>(read: impl FnOnce(&mut [u8]) -> T) -> Option<T> {
    SCRATCH.with(|scratch| scratch.try_borrow_mut().ok().map(|mut place| read(&mut place[..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_is_in_use_is_not_lent_again() {
        let lent = lend(|place| {
            place.fill(7);
            lend(|_| unreachable!("the place is taken"))
        });
        assert_eq!(lent, Some(None::<()>));
        assert_eq!(lend(|place| place.len()), Some(LEN), "it was given back");
    }
}
