//! The sender of a file to a store, which remembers what it was told.

use super::*;

/// The sending side: what it has, and what it was told.
pub(super) struct Sender {
    pub(super) spec: Spec,
    pub(super) data: Vec<u8>,
    pub(super) mode: Mode,
    pub(super) seen: u32,
    pub(super) safe: u64,
    pub(super) done: bool,
    /// Whether it prints what it was told, for the process that outlives it.
    pub(super) prints: bool,
}

impl Sender {
    pub(super) fn new(file: &str, data: Vec<u8>) -> Self {
        let spec = spec(file, data.len());
        Self { spec, data, mode: Mode::AttachOrCreate, seen: 0, safe: 0, done: false, prints: false }
    }

    pub(super) fn attach(&mut self, store: &DiskStore) -> Result<Option<Partial>, StoreError> {
        let attach = Attach { mode: self.mode, epoch_seen: self.seen, owner: ALICE };
        match store.attach(id(0xEE), &self.spec, attach, day(0))? {
            Attached::Partial { partial, durable, prefix, epoch, .. } => {
                assert!(!self.done, "a finished transfer begins again");
                assert!(durable >= self.safe, "{} bytes were safe, {durable} are left", self.safe);
                assert_eq!(prefix, digest(&self.data[..durable as usize]), "{durable} bytes");
                assert!(epoch > self.seen);
                (self.mode, self.seen, self.safe) = (Mode::AttachOrCreate, epoch, durable);
                self.print();
                Ok(Some(partial))
            }
            Attached::Committed { digest: d, .. } | Attached::Present { digest: d, .. } => {
                assert_eq!(d, digest(&self.data));
                self.done = true;
                self.print();
                Ok(None)
            }
        }
    }

    pub(super) fn write(&self, partial: &mut Partial, bytes: usize) -> Result<(), StoreError> {
        let at = partial.written() as usize;
        let end = self.data.len().min(at + bytes);
        partial.write(at as u64, &self.data[at..end])
    }

    pub(super) fn flush(&mut self, partial: &mut Partial) -> Result<(), StoreError> {
        self.safe = partial.flush().run()?;
        self.print();
        Ok(())
    }

    pub(super) fn commit(&mut self, partial: Partial) -> Result<(), StoreError> {
        partial.commit(self.data.len() as u64, digest(&self.data))?;
        self.done = true;
        self.print();
        Ok(())
    }

    pub(super) fn finish(&mut self, store: &DiskStore) -> Result<(), StoreError> {
        if let Some(mut partial) = self.attach(store)? {
            self.write(&mut partial, usize::MAX / 2)?;
            self.commit(partial)?;
        }
        Ok(())
    }

    #[expect(clippy::print_stdout, reason = "the one that reads it is another process")]
    fn print(&self) {
        if self.prints {
            println!("told {} {} {}", self.seen, self.safe, self.done);
        }
    }

    /// Learns what another process was told that no longer exists.
    #[cfg(unix)]
    pub(super) fn learn(&mut self, printed: &str) {
        for line in printed.lines() {
            // The test harness prints no line of its own for a test that it does not know to have ended.
            let Some((_, told)) = line.split_once("told ") else { continue };
            let mut words = told.split(' ');
            let mut word = || words.next().expect("three words");
            self.seen = word().parse().expect("an epoch");
            self.safe = word().parse().expect("an offset");
            self.done = word() == "true";
        }
    }
}

pub(super) fn flushed_twice(store: &DiskStore, sender: &mut Sender) -> Result<(), StoreError> {
    let mut partial = sender.attach(store)?.expect("nothing there yet");
    sender.write(&mut partial, 40_000)?;
    sender.flush(&mut partial)?;
    sender.write(&mut partial, 60_000)?;
    sender.write(&mut partial, 40_000)?;
    sender.flush(&mut partial)?;
    sender.write(&mut partial, 100_000)?;
    sender.commit(partial)
}

pub(super) fn in_many_links(store: &DiskStore, sender: &mut Sender) -> Result<(), StoreError> {
    let mut first = sender.attach(store)?.expect("nothing there yet");
    sender.write(&mut first, 50_000)?;
    sender.flush(&mut first)?;
    sender.write(&mut first, 50_000)?;
    // Taken over while the first one still holds it, then left in an orderly way, then found by the next.
    let mut second = sender.attach(store)?.expect("under way");
    assert_eq!(second.written(), 100_000);
    sender.write(&mut second, 60_000)?;
    sender.safe = second.detach()?;
    sender.finish(store)
}
