//! Where a test stops the store, makes the disk fail, replaces a device, or holds the clock. Costs nothing outside of
//! tests.

use crate::space::Volume;
use crate::sys::Meta;
#[cfg(test)]
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use std::{fmt, io};

/// A step that touches the disk, announced before it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Bytes of the file are written, or it is truncated.
    WriteData,
    /// Bytes of the file are synced.
    SyncData,
    /// A journal slot is written.
    WriteSlot,
    /// A journal slot is synced.
    SyncSlot,
    /// A journal, a part or a folder is created.
    Create,
    /// A finished file gets its name.
    Place,
    /// A folder is synced.
    SyncFolder,
    /// A journal, a part or a folder is removed.
    Remove,
    /// A finished file is opened for hashing.
    Hash,
    /// A copy gets the permissions of its part.
    Mode,
}

/// What a test decides about the disk.
#[cfg(test)]
pub(crate) trait Disk: Send + Sync {
    /// The result for the next step.
    fn before(&self, op: Op) -> io::Result<()>;
    /// The file system of a folder, instead of the real one.
    fn volume(&self, folder: &Meta) -> Option<Volume> {
        let _ = folder;
        None
    }
    /// Called instead of a sync that [`before`](Self::before) allowed.
    fn sync(&self, what: Meta) {
        let _ = what;
    }
}

/// The time of day.
pub(crate) fn time_of_day() -> SystemTime {
    #[cfg(test)]
    if let Some(held) = held_clock::get() {
        return held;
    }
    SystemTime::now()
}

/// How long ago `since` was.
pub(crate) fn elapsed(since: Instant) -> Duration {
    #[cfg(test)]
    if held_clock::get().is_some() {
        return Duration::ZERO;
    }
    since.elapsed()
}

/// The clock of a thread on which every run must be the same.
#[cfg(test)]
pub(crate) mod held_clock {
    use std::cell::Cell;
    use std::time::SystemTime;

    thread_local! {
        static HELD: Cell<Option<SystemTime>> = const { Cell::new(None) };
    }

    pub(crate) fn set(time: SystemTime) {
        HELD.set(Some(time));
    }

    pub(super) fn get() -> Option<SystemTime> {
        HELD.get()
    }
}

/// Asked before every step.
#[derive(Clone, Default)]
pub(crate) struct Faults(#[cfg(test)] Option<Arc<dyn Disk>>);

#[cfg(test)]
impl Faults {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self(Some(disk))
    }

    pub(crate) fn before(&self, op: Op) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |disk| disk.before(op))
    }

    pub(crate) fn volume(&self, folder: &Meta) -> Option<Volume> {
        self.0.as_ref().and_then(|disk| disk.volume(folder))
    }

    pub(crate) fn sync(
        &self,
        op: Op,
        what: impl FnOnce() -> io::Result<Meta>,
        real: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(disk) = &self.0 else { return real() };
        disk.before(op)?;
        disk.sync(what()?);
        Ok(())
    }
}

#[cfg(not(test))]
#[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the form for tests needs both")]
impl Faults {
    #[inline]
    pub(crate) fn before(&self, _: Op) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    pub(crate) fn volume(&self, _: &Meta) -> Option<Volume> {
        None
    }

    #[inline]
    pub(crate) fn sync(
        &self,
        _: Op,
        _: impl FnOnce() -> io::Result<Meta>,
        real: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        real()
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faults")
    }
}
