//! Removing what nobody came back for, beside everything else that a server does.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bowline_host::server::House;

/// A thread that sweeps the store at once, and then every so often, until this is dropped.
pub(super) struct Sweeping {
    /// Never used, and dropped to end the thread.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeping {
    pub(super) fn start(house: Arc<House>, every: Duration) -> Self {
        let (stop, stopped) = mpsc::channel();
        let sweep = move || {
            // What cannot be swept is tried again in the next round.
            let mut pause = Duration::ZERO;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
                pause = if matches!(house.sweep(), Ok(true)) { Duration::ZERO } else { every };
            }
        };
        // Without a thread nothing is swept, and everything else works.
        let thread = thread::Builder::new().name("bowline sweep".into()).spawn(sweep).ok();
        Self { stop: Some(stop), thread }
    }
}

impl Drop for Sweeping {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // One that has panicked has ended as well.
            let _ = thread.join();
        }
    }
}
