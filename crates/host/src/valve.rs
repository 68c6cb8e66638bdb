//! Adjusts how many unsent bytes the system holds.

use std::fmt;
use std::mem::replace;

use bowline_core::Connection;

use crate::socket::UNSENT;

/// The maximum: about the size of the longest fragment.
const MOST: u32 = 1 << 20;

/// Lets the system hold as many unsent bytes of one stream as it delivers in 2 ms: [`UNSENT`] of a
/// [tuned](crate::socket::tune) socket at first, and more if the path turns out to be fast. Its writer is then woken
/// less often, and on a slow path no ping waits behind more than necessary.
pub struct Valve<S> {
    set: fn(&S, u32),
    most: u32,
}

impl<S> Valve<S> {
    /// For a stream that was tuned. `set` sets the limit in the system; see [`set_unsent`](crate::socket::set_unsent).
    pub fn new(set: fn(&S, u32)) -> Self {
        Self { set, most: UNSENT }
    }

    /// Changes the limit if what drains in 2 ms has doubled or halved. Call it when the connection was told what was
    /// written, or that the stream accepts no more.
    pub fn adjust(&mut self, stream: &S, connection: &Connection) {
        let limit = u32::try_from(connection.unsent_limit()).unwrap_or(MOST).clamp(UNSENT, MOST);
        let most = 1 << limit.ilog2();
        if replace(&mut self.most, most) != most {
            (self.set)(stream, most);
        }
    }
}

impl<S> fmt::Debug for Valve<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Valve").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use bowline_core::connection::Config;
    use bowline_core::{Instant, Message};

    use super::*;

    type Told = RefCell<Vec<u32>>;

    fn tell(told: &Told, most: u32) {
        told.borrow_mut().push(most);
    }

    /// The transport is full, accepts this many bytes in the next 10 ms, never without more to take, and is full again.
    fn drain(connection: &mut Connection, millis: &mut u64, bytes: usize) {
        connection.handle_blocked(Instant::from_millis(*millis));
        *millis += 10;
        let at = Instant::from_millis(*millis);
        let mut left = bytes;
        while left > 0 {
            if connection.room() > 0 {
                connection.send(at, Message::binary(vec![0; 1 << 20])).unwrap();
            }
            let n = connection.output().len().min(left).min(16 << 10);
            connection.handle_written(at, n);
            left -= n;
        }
        connection.handle_blocked(at);
    }

    #[test]
    fn a_fast_path_may_hold_much_and_a_slow_one_little() {
        let (told, mut millis) = (Told::default(), 0);
        let mut connection = Connection::server(Config::default(), [1; 32], Instant::ZERO);
        let mut valve = Valve::new(tell);
        for bytes in [100 << 10, 6 << 20, 10 << 20, 2 << 20, 2 << 20, 10 << 10] {
            drain(&mut connection, &mut millis, bytes);
            valve.adjust(&told, &connection);
        }
        assert_eq!(told.take(), [512 << 10, 1 << 20, 256 << 10, 128 << 10]);
    }
}
