//! How large TLS records are.
//!
//! ```text
//!              MUCH bytes           QUIET
//!   Small ───────────────▶ Large ─────────▶ Small
//! ```

use std::io::IoSlice;
use std::time::Duration;

use bowline_core::Instant;

/// The most that a small record holds: with its own header and those of TCP and IP it fits into one packet of 1,500
/// bytes, even in a tunnel.
const SMALL: usize = 1300;
/// How much is sent in small records at first. By then a connection has shown that it carries something, and TCP has
/// several large records under way at a time.
const MUCH: usize = 64 << 10;
/// After this long without a write, records are small again, because TCP may start again with few packets under way.
const QUIET: Duration = Duration::from_secs(1);

/// Decides how much goes into each TLS record that a stream writes.
///
/// A record is useless until its last byte has arrived. So records are small while a connection is young or was idle:
/// if the link breaks, only the last packet is wasted. After that they are as large as TLS allows, which costs less.
#[derive(Clone, Copy, Debug, Default)]
pub struct Records {
    /// How much was written since records had to be small.
    written: usize,
    /// When something was last written.
    last: Instant,
}

impl Records {
    /// Shows `write` how many of these bytes to pass to TLS at once; TLS puts them into one record if it has to be
    /// small. Returns the result of `write`. Report then [what was accepted](Self::handle_written).
    ///
    /// ```
    /// use bowline_core::Instant;
    /// use bowline_host::tls::Records;
    /// use std::io::IoSlice;
    ///
    /// let (now, mut records, mut sizes) = (Instant::ZERO, Records::default(), Vec::new());
    /// let bytes = vec![7; 100_000];
    /// let mut rest = &bytes[..];
    /// while !rest.is_empty() {
    ///     let taken = records.offer(now, &[IoSlice::new(rest)], |slices| slices[0].len());
    ///     records.handle_written(now, taken);
    ///     rest = &rest[taken..];
    ///     sizes.push(taken);
    /// }
    /// assert_eq!((sizes.len(), sizes[0], sizes[51]), (52, 1300, 33_700));
    /// ```
    pub fn offer<T>(
        &self,
        now: Instant,
        slices: &[IoSlice<'_>],
        write: impl FnOnce(&[IoSlice<'_>]) -> T,
    ) -> T {
        if self.written(now) >= MUCH {
            return write(slices);
        }
        let mut place = [0; SMALL];
        let mut len = 0;
        for slice in slices {
            let rest = &mut place[len..];
            let n = slice.len().min(rest.len());
            rest[..n].copy_from_slice(&slice[..n]);
            len += n;
        }
        write(&[IoSlice::new(&place[..len])])
    }

    /// TLS has accepted this many bytes.
    pub fn handle_written(&mut self, now: Instant, taken: usize) {
        self.written = self.written(now).saturating_add(taken);
        self.last = now;
    }

    fn written(&self, now: Instant) -> usize {
        if now - self.last < QUIET { self.written } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of these bytes are to be written at once.
    fn offered(records: &Records, now: Instant, bytes: usize) -> usize {
        let bytes = vec![7; bytes];
        records.offer(now, &[IoSlice::new(&bytes)], |slices| slices.iter().map(|slice| slice.len()).sum())
    }

    /// Writes all of these bytes.
    fn write(records: &mut Records, now: Instant, mut bytes: usize) {
        while bytes > 0 {
            let taken = offered(records, now, bytes);
            records.handle_written(now, taken);
            bytes -= taken;
        }
    }

    #[test]
    fn records_are_large_after_much_was_written() {
        let (now, mut records) = (Instant::from_millis(5000), Records::default());
        assert_eq!(offered(&records, now, 1000), 1000);
        write(&mut records, now, MUCH - 1);
        assert_eq!(offered(&records, now, 100_000), SMALL);
        write(&mut records, now, 1);
        assert_eq!(offered(&records, now, 100_000), 100_000);
    }

    #[test]
    fn records_are_small_again_after_a_quiet_time() {
        let (now, mut records) = (Instant::ZERO, Records::default());
        write(&mut records, now, MUCH);
        let soon = now + QUIET - Duration::from_nanos(1);
        assert_eq!(offered(&records, soon, 100_000), 100_000);
        records.handle_written(soon, 0);
        let later = soon + QUIET;
        assert_eq!(offered(&records, later, 100_000), SMALL);
        write(&mut records, later, MUCH - 1);
        assert_eq!(offered(&records, later, 100_000), SMALL, "as much as at first");
    }

    #[test]
    fn a_small_record_joins_bytes_from_several_buffers() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3000).collect();
        let slices = [&bytes[..10], &[], &bytes[10..900], &bytes[900..]].map(IoSlice::new);
        let piece = Records::default().offer(Instant::ZERO, &slices, |slices| {
            let [piece] = slices else { panic!("{} pieces", slices.len()) };
            piece.to_vec()
        });
        assert_eq!(piece, bytes[..SMALL]);
    }
}
