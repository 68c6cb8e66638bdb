//! What to pass to a stream in one write.

use std::io::IoSlice;
use std::iter;

use bowline_core::Connection;

/// The most that is passed in one write: no ping overtakes what is in the stream. The connection shows at most one
/// fragment or 64 KiB at a time, so on a slow path it is less.
const WRITE: usize = (1 << 20) + (4 << 10);
/// The maximum number of slices; fragments of the usual size need fewer.
const PIECES: usize = 32;

/// Shows `write` what a connection has to send next, in one or several slices, with their total length. Returns its
/// result, or `None` if there is nothing to send.
///
/// ```
/// use bowline_core::connection::Config;
/// use bowline_core::{Connection, Instant, Message};
/// use std::io::Write;
///
/// let mut connection = Connection::server(Config::default(), [7; 32], Instant::ZERO);
/// let mut stream = Vec::new();
/// assert!(bowline_host::gather(&connection, |slices, _| stream.write_vectored(slices)).is_none());
/// connection.send(Instant::ZERO, Message::text("hello"))?;
/// let written = bowline_host::gather(&connection, |slices, _| stream.write_vectored(slices)).unwrap()?;
/// connection.handle_written(Instant::ZERO, written);
/// assert_eq!(stream, b"\x81\x05hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn gather<T>(connection: &Connection, write: impl FnOnce(&[IoSlice<'_>], usize) -> T) -> Option<T> {
    let mut pieces = connection.outputs();
    let first = pieces.next()?;
    let first = &first[..first.len().min(WRITE)];
    let Some(second) = pieces.next().filter(|_| first.len() < WRITE) else {
        return Some(write(&[IoSlice::new(first)], first.len()));
    };
    let mut slices = [IoSlice::new(&[]); PIECES];
    slices[0] = IoSlice::new(first);
    let (mut count, mut offered) = (1, first.len());
    for (slot, piece) in slices[1..].iter_mut().zip(iter::once(second).chain(pieces)) {
        let piece = &piece[..piece.len().min(WRITE - offered)];
        *slot = IoSlice::new(piece);
        offered += piece.len();
        count += 1;
        if offered == WRITE {
            break;
        }
    }
    Some(write(&slices[..count], offered))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::connection::Config;
    use bowline_core::{Instant, Message};

    #[test]
    fn a_write_has_a_maximum_however_much_there_is() {
        let now = Instant::ZERO;
        let mut config = Config::default();
        config.fragment = Some(2 * WRITE);
        let mut connection = Connection::server(config, [7; 32], now);
        connection.send(now, Message::binary(vec![7; 2 * WRITE])).unwrap();
        let write = |slices: &[IoSlice<'_>], offered| {
            assert_eq!(slices.iter().map(|slice| slice.len()).sum::<usize>(), offered);
            offered
        };
        assert_eq!(gather(&connection, write), Some(WRITE));
    }
}
