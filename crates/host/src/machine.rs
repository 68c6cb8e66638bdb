//! One face for both roles of the opening handshake, so that each adapter carries its bytes in one place.

use bowline_core::{End, Instant};
use bowline_handshake::{client, server};

/// What both roles of the handshake have in common.
pub trait Machine {
    /// Bytes came.
    fn handle_input(&mut self, now: Instant, bytes: &[u8]);
    /// The transport took the first bytes of the output.
    fn handle_written(&mut self, now: Instant, n: usize);
    /// The transport has ended.
    fn handle_end(&mut self, now: Instant, end: End);
    /// Time has passed.
    fn handle_timeout(&mut self, now: Instant);
    /// What is to be written.
    fn output(&self) -> &[u8];
    /// When to report the time.
    fn poll_timeout(&self) -> Option<Instant>;
    /// Whether to read.
    fn wants_input(&self) -> bool;
}

macro_rules! machine {
    ($handshake:ty) => {
        impl Machine for $handshake {
            fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
                self.handle_input(now, bytes);
            }
            fn handle_written(&mut self, now: Instant, n: usize) {
                self.handle_written(now, n);
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
machine!(client::Handshake);
machine!(server::Handshake);
