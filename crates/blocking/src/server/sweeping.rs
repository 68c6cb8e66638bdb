//! Removes abandoned parts, beside everything else that a server does.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use bowline_host::server::House;

use crate::count::Counted;

/// Sweeps the store at once, and then at this interval, as long as `pause` returns, after waiting, that it should go
/// on.
pub(super) fn sweep(house: &House, every: Duration, mut pause: impl FnMut(Duration) -> bool) {
    let mut time = Duration::ZERO;
    while pause(time) {
        // What cannot be swept is tried again in the next round.
        time = if matches!(house.sweep(), Ok(true)) { Duration::ZERO } else { every };
    }
}

/// A thread that sweeps the store until this is dropped. It may block on a disk, so nobody waits for it here.
pub(super) struct Sweeping {
    /// Never used; dropping it ends the thread.
    _stop: mpsc::Sender<()>,
}

impl Sweeping {
    /// Starts `work`, which sweeps as long as the pause that it is given says that it should go on. The thread counts
    /// as long as it lives.
    pub(super) fn start(
        counted: Counted,
        work: impl FnOnce(&mut dyn FnMut(Duration) -> bool) + Send + 'static,
    ) -> Self {
        let (stop, stopped) = mpsc::channel();
        let mut pause = move |time| matches!(stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout));
        let thread = thread::Builder::new().name("bowline sweep".into());
        // Without a thread nothing is swept, but everything else works.
        let _ = thread.spawn(move || {
            let _counted = counted;
            work(&mut pause);
        });
        Self { _stop: stop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::Count;

    #[test]
    fn a_disk_that_hangs_does_not_delay_a_stop() {
        let (left, (disk, hangs)) = (Count::default(), mpsc::channel::<()>());
        let sweeping = Sweeping::start(left.enter(), move |pause| {
            let _ = hangs.recv();
            while pause(Duration::ZERO) {}
        });
        drop(sweeping);
        assert!(!left.wait_for(Duration::ZERO), "it is still there");
        drop(disk);
        assert!(left.wait_for(Duration::from_secs(60)), "it has ended");
    }
}
