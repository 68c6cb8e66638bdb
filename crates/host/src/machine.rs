//! One interface for everything that takes bytes, facts and the time: the way through a proxy, both roles of the
//! opening handshake, and the connection after it.

use bowline_core::{Connection, End, Instant};
use bowline_handshake::{client, proxy, server};

/// What both roles of the handshake and a connection have in common: enough to carry the bytes of any of them.
pub trait Machine {
    /// Bytes were received.
    fn handle_input(&mut self, now: Instant, bytes: &[u8]);
    /// The transport accepted the first bytes of the output.
    fn handle_written(&mut self, now: Instant, n: usize);
    /// The transport accepts no more for now. A handshake ignores this.
    fn handle_blocked(&mut self, now: Instant);
    /// The transport has ended.
    fn handle_end(&mut self, now: Instant, end: End);
    /// Time has passed.
    fn handle_timeout(&mut self, now: Instant);
    /// What to write.
    fn output(&self) -> &[u8];
    /// When to report the time.
    fn poll_timeout(&self) -> Option<Instant>;
    /// Whether to read.
    fn wants_input(&self) -> bool;
}

macro_rules! machine {
    ($machine:ty, $blocked:expr) => {
        impl Machine for $machine {
            fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
                self.handle_input(now, bytes);
            }
            fn handle_written(&mut self, now: Instant, n: usize) {
                self.handle_written(now, n);
            }
            fn handle_blocked(&mut self, now: Instant) {
                $blocked(self, now);
            }
            fn handle_end(&mut self, now: Instant, end: End) {
                self.handle_end(now, end);
            }
            fn handle_timeout(&mut self, now: Instant) {
                self.handle_timeout(now);
            }
            fn output(&self) -> &[u8] {
                self.output()
            }
            fn poll_timeout(&self) -> Option<Instant> {
                self.poll_timeout()
            }
            fn wants_input(&self) -> bool {
                self.wants_input()
            }
        }
    };
}
machine!(client::Handshake, |_: &mut Self, _| {});
machine!(server::Handshake, |_: &mut Self, _| {});
machine!(proxy::Tunnel, |_: &mut Self, _| {});
machine!(Connection, Connection::handle_blocked);
