//! Removing what nobody came back for, beside everything else that a server does.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bowline_host::server::House;

/// Sweeps the store at once, and then every so often, as long as `pause` has waited and says that it is to go on.
pub(super) fn sweep(house: &House, every: Duration, mut pause: impl FnMut(Duration) -> bool) {
    let mut time = Duration::ZERO;
    while pause(time) {
        // What cannot be swept is tried again in the next round.
        time = if matches!(house.sweep(), Ok(true)) { Duration::ZERO } else { every };
    }
}

/// A thread that sweeps the store until this is dropped.
pub(super) struct Sweeping {
    /// Never used, and dropped to end the thread.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeping {
    pub(super) fn start(house: Arc<House>, every: Duration) -> Self {
        let (stop, stopped) = mpsc::channel();
        let pause = move |time| matches!(stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout));
        let thread = thread::Builder::new().name("bowline sweep".into());
        // Without a thread nothing is swept, and everything else works.
        let thread = thread.spawn(move || sweep(&house, every, pause)).ok();
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
