//! Where a test stops the store or makes the disk fail. Costs nothing outside of tests.

#[cfg(test)]
use std::sync::Arc;
use std::{fmt, io};

/// A step that touches the disk, announced before it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Bytes of the file are written.
    WriteData,
    /// Bytes of the file are synchronised.
    SyncData,
    /// A journal slot is written.
    WriteSlot,
    /// A journal slot is synchronised.
    SyncSlot,
    /// A journal, a part or a folder is created.
    Create,
    /// A finished file gets its name.
    Place,
    /// A folder is synchronised.
    SyncFolder,
    /// A journal or a part is removed.
    Remove,
}

#[cfg(test)]
type Hook = Arc<dyn Fn(Op) -> io::Result<()> + Send + Sync>;

/// Asked before every [`Op`]; what it returns is what the disk says.
#[derive(Clone, Default)]
pub(crate) struct Faults(#[cfg(test)] Option<Hook>);

impl Faults {
    #[cfg(test)]
    pub(crate) fn new(hook: impl Fn(Op) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    #[cfg(test)]
    pub(crate) fn before(&self, op: Op) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |hook| hook(op))
    }

    #[cfg(not(test))]
    #[inline]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the test form needs both")]
    pub(crate) fn before(&self, _: Op) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faults")
    }
}
