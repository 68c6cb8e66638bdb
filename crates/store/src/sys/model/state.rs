//! The contents of a device, and what happens to them.

use super::{Kept, Trouble};
use bowline_core::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The top folder.
pub(super) const TOP: u64 = 1;

/// A device. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Device(Arc<Mutex<State>>);

#[derive(Clone, Debug)]
pub(super) struct State {
    /// How many bytes of a file are written or lost as one piece.
    piece: usize,
    pub(super) nodes: BTreeMap<u64, Node>,
    /// Changes of names that are not stored yet, in order.
    pending: BTreeMap<u64, Change>,
    next_change: u64,
    /// Which handle holds the lock of a file. `None`: this file system has no locks.
    locks: Option<BTreeMap<u64, u64>>,
    /// The open handles: their process and file.
    handles: BTreeMap<u64, (u32, u64)>,
    next_handle: u64,
    processes: u32,
    dead: BTreeSet<u32>,
    /// For a process, how many calls until there is trouble.
    trouble: BTreeMap<u32, (u32, Trouble)>,
    /// The clock, in nanoseconds since 1970.
    time: i64,
    /// No two changes have the same number.
    pub(super) changes: i64,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(Content),
    Folder { now: BTreeMap<String, u64>, stored: BTreeMap<String, u64> },
}

/// The content of a file as processes see it, and as it is stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) now: Vec<u8>,
    stored: Vec<u8>,
    /// Pieces that a failed sync has given up: the next one takes them for stored.
    given_up: BTreeSet<usize>,
    pub(super) modified: i64,
    pub(super) changed: i64,
}

/// A name in a folder that is added or removed.
#[derive(Clone, Debug)]
struct Change {
    folder: u64,
    name: String,
    to: Option<u64>,
    /// The other half of a rename, without which this one does not happen.
    needs: Option<u64>,
}

impl Device {
    /// An empty device that loses files in pieces of this size.
    pub(crate) fn new(piece: usize, has_locks: bool) -> Self {
        let top = Node::Folder { now: BTreeMap::new(), stored: BTreeMap::new() };
        Self(Arc::new(Mutex::new(State {
            piece,
            nodes: BTreeMap::from([(TOP, top)]),
            pending: BTreeMap::new(),
            next_change: 0,
            locks: has_locks.then(BTreeMap::new),
            handles: BTreeMap::new(),
            next_handle: 0,
            processes: 0,
            dead: BTreeSet::new(),
            trouble: BTreeMap::new(),
            time: 1_800_000_000_000_000_000,
            changes: 0,
        })))
    }

    /// Another device in the same state, without open files.
    pub(crate) fn twin(&self) -> Self {
        let mut state = self.state().clone();
        state.handles.clear();
        state.locks = state.locks.map(|_| BTreeMap::new());
        Self(Arc::new(Mutex::new(state)))
    }

    /// A new process.
    pub(crate) fn start_process(&self) -> u32 {
        let mut state = self.state();
        state.processes += 1;
        state.processes
    }

    /// A process dies: its files are closed. What it has written remains as long as there is power.
    pub(crate) fn kill(&self, process: u32) {
        self.state().kill(process);
    }

    pub(crate) fn is_dead(&self, process: u32) -> bool {
        self.state().dead.contains(&process)
    }

    /// This many calls of a process that change something succeed, then there is trouble.
    pub(crate) fn expect_trouble(&self, process: u32, after: u32, trouble: Trouble) {
        self.state().trouble.insert(process, (after, trouble));
    }

    /// There is no more trouble.
    pub(crate) fn heal(&self) {
        self.state().trouble.clear();
    }

    /// Whether the last expected trouble has come.
    pub(crate) fn had_trouble(&self, process: u32) -> bool {
        self.state().trouble.get(&process).is_none_or(|(left, _)| *left == 0)
    }

    pub(crate) fn advance(&self, nanos: i64) {
        self.state().time += nanos;
    }

    /// The power fails, and all processes die; when it returns, the device holds what it has kept.
    pub(crate) fn lose_power(&self, kept: Kept, rng: &mut Rng) {
        let mut state = self.state();
        for process in 1..=state.processes {
            state.kill(process);
        }
        state.lose_power(kept, rng);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    // ----- processes -----

    /// A call that changes something is about to be made. `Err` with `true`: it is done by half.
    pub(super) fn change(&mut self, process: u32) -> Result<(), (io::Error, bool)> {
        self.look(process).map_err(|e| (e, false))?;
        self.changes += 1;
        let Some((left, trouble)) = self.trouble.get_mut(&process) else { return Ok(()) };
        if *left > 0 {
            *left -= 1;
            return Ok(());
        }
        let trouble = *trouble;
        match trouble {
            Trouble::Always(kind) => Err((kind.into(), true)),
            Trouble::Once(kind) => {
                self.trouble.remove(&process);
                Err((kind.into(), true))
            }
            Trouble::Death => {
                self.kill(process);
                Err((gone(), true))
            }
        }
    }

    /// A call that changes nothing.
    pub(super) fn look(&self, process: u32) -> io::Result<()> {
        if self.dead.contains(&process) { Err(gone()) } else { Ok(()) }
    }

    fn kill(&mut self, process: u32) {
        self.dead.insert(process);
        self.trouble.remove(&process);
        let handles: Vec<_> = self.handles.iter().filter(|(_, (of, _))| *of == process).collect();
        let handles: Vec<_> = handles.into_iter().map(|(handle, _)| *handle).collect();
        for handle in handles {
            self.close(handle);
        }
    }

    // ----- handles -----

    pub(super) fn open(&mut self, process: u32, node: u64) -> u64 {
        self.next_handle += 1;
        self.handles.insert(self.next_handle, (process, node));
        self.next_handle
    }

    pub(super) fn close(&mut self, handle: u64) {
        if self.handles.remove(&handle).is_some() {
            self.locks.iter_mut().for_each(|locks| locks.retain(|_, holder| *holder != handle));
        }
    }

    /// Locks a file, unless another handle has it locked.
    pub(super) fn lock(&mut self, node: u64, handle: u64) -> bool {
        self.locks.as_mut().is_none_or(|locks| *locks.entry(node).or_insert(handle) == handle)
    }

    // ----- names -----

    pub(super) fn names(&mut self, folder: u64) -> io::Result<&mut BTreeMap<String, u64>> {
        match self.nodes.get_mut(&folder) {
            Some(Node::Folder { now, .. }) => Ok(now),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn find(&mut self, folder: u64, name: &str) -> io::Result<u64> {
        self.names(folder)?.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn content(&mut self, node: u64) -> io::Result<&mut Content> {
        match self.nodes.get_mut(&node) {
            Some(Node::File(content)) => Ok(content),
            _ => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    pub(super) fn content_of(&self, node: u64) -> Option<&Content> {
        match self.nodes.get(&node) {
            Some(Node::File(content)) => Some(content),
            _ => None,
        }
    }

    /// A new file or folder. As on real devices, the number of a removed one is reused.
    pub(super) fn make(&mut self, folder: u64, name: &str, node: Node) -> io::Result<u64> {
        self.forget();
        let number = (TOP..u64::MAX).find(|number| !self.nodes.contains_key(number)).expect("there are many");
        self.nodes.insert(number, node);
        self.rename_one(folder, name, Some(number), None)?;
        Ok(number)
    }

    pub(super) fn new_file(&mut self) -> Node {
        let (modified, changed) = (self.time, self.changes);
        Node::File(Content { modified, changed, ..Content::default() })
    }

    /// Adds or removes a name; returns the number of the change.
    pub(super) fn rename_one(
        &mut self,
        folder: u64,
        name: &str,
        to: Option<u64>,
        needs: Option<u64>,
    ) -> io::Result<u64> {
        let names = self.names(folder)?;
        match to {
            Some(to) => drop(names.insert(name.to_owned(), to)),
            None => drop(names.remove(name)),
        }
        self.next_change += 1;
        self.pending.insert(self.next_change, Change { folder, name: name.to_owned(), to, needs });
        Ok(self.next_change)
    }

    pub(super) fn touch(&mut self, node: u64) {
        let (time, changes) = (self.time, self.changes);
        if let Ok(content) = self.content(node) {
            (content.modified, content.changed) = (time, changes);
        }
    }

    /// Removes nodes without a name or a handle. Those whose names were in them go the next time.
    fn forget(&mut self) {
        let mut used: BTreeSet<u64> = self.handles.values().map(|(_, node)| *node).collect();
        used.insert(TOP);
        used.extend(self.pending.values().filter_map(|change| change.to));
        for node in self.nodes.values() {
            if let Node::Folder { now, stored } = node {
                used.extend(now.values().chain(stored.values()));
            }
        }
        self.nodes.retain(|number, _| used.contains(number));
    }

    // ----- storing -----

    pub(super) fn sync_folder(&mut self, folder: u64) {
        let mine: Vec<_> = self.pending.iter().filter(|(_, change)| change.folder == folder).collect();
        let mine: Vec<_> = mine.into_iter().map(|(number, _)| *number).collect();
        for number in mine {
            self.store_change(number);
        }
    }

    fn store_change(&mut self, number: u64) {
        let Some(change) = self.pending.remove(&number) else { return };
        if let Some(needs) = change.needs {
            self.store_change(needs);
        }
        if let Some(Node::Folder { stored, .. }) = self.nodes.get_mut(&change.folder) {
            match change.to {
                Some(to) => drop(stored.insert(change.name, to)),
                None => drop(stored.remove(&change.name)),
            }
        }
    }

    pub(super) fn sync_file(&mut self, node: u64) {
        let piece = self.piece;
        if let Ok(content) = self.content(node) {
            content.store(piece, true, |at, given_up| !given_up.contains(&at));
        }
    }

    /// A sync that fails: some pieces are stored, and nobody will try again to store the others.
    pub(super) fn fail_to_sync_file(&mut self, node: u64) {
        let (piece, dice) = (self.piece, self.changes);
        if let Ok(content) = self.content(node) {
            content.store(piece, false, |at, _| (at as u64 ^ dice as u64) & 1 == 0);
            content.given_up = content.unstored(piece).collect();
        }
    }

    pub(super) fn written(&mut self, node: u64, from: usize, to: usize) {
        let piece = self.piece;
        if let Ok(content) = self.content(node) {
            content.given_up.retain(|at| at * piece >= to || (at + 1) * piece <= from);
        }
        self.touch(node);
    }

    fn lose_power(&mut self, kept: Kept, rng: &mut Rng) {
        let keeps = |rng: &mut Rng| match kept {
            Kept::Nothing => false,
            Kept::Everything => true,
            Kept::Some => rng.next_u32() & 1 == 0,
        };
        let mut lost = BTreeSet::new();
        for number in self.pending.keys().copied().collect::<Vec<_>>() {
            let needs = self.pending.get(&number).and_then(|change| change.needs);
            if !keeps(rng) || needs.is_some_and(|needs| lost.contains(&needs)) {
                lost.insert(number);
                self.pending.remove(&number);
            } else {
                self.store_change(number);
            }
        }
        let piece = self.piece;
        for node in self.nodes.values_mut() {
            match node {
                Node::Folder { now, stored } => now.clone_from(stored),
                Node::File(content) => {
                    let length = if keeps(rng) { content.now.len() } else { content.stored.len() };
                    let given_up = std::mem::take(&mut content.given_up);
                    content.store(piece, false, |at, _| !given_up.contains(&at) && keeps(rng));
                    content.stored.truncate(length);
                    grow(&mut content.stored, length);
                    content.now.clone_from(&content.stored);
                }
            }
        }
        self.forget();
    }
}

impl Content {
    /// The pieces whose current content is not stored.
    fn unstored(&self, piece: usize) -> impl Iterator<Item = usize> + '_ {
        let len = self.now.len().max(self.stored.len());
        (0..len.div_ceil(piece)).filter(move |at| {
            let range = |bytes: &[u8]| (at * piece).min(bytes.len())..((at + 1) * piece).min(bytes.len());
            self.now[range(&self.now)] != self.stored[range(&self.stored)]
        })
    }

    /// Stores some of the pieces, and the length if requested.
    fn store(&mut self, piece: usize, length: bool, mut which: impl FnMut(usize, &BTreeSet<usize>) -> bool) {
        let pieces: Vec<_> = self.unstored(piece).filter(|at| which(*at, &self.given_up)).collect();
        for at in pieces {
            let start = at * piece;
            let end = (start + piece).min(self.now.len());
            if start < end {
                grow(&mut self.stored, end);
                self.stored[start..end].copy_from_slice(&self.now[start..end]);
            }
        }
        if length {
            self.stored.truncate(self.now.len());
            grow(&mut self.stored, self.now.len());
        }
    }
}

/// Appends zeros up to a length. Faster than `resize` in unoptimised builds.
pub(super) fn grow(bytes: &mut Vec<u8>, len: usize) {
    if let Some(more) = len.checked_sub(bytes.len()) {
        bytes.extend_from_slice(&vec![0; more]);
    }
}

fn gone() -> io::Error {
    io::Error::other("the process is gone")
}
