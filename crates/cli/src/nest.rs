//! Folders wait for their contents: anything that arrives in a folder later would change its time.

use bowline_core::transfer::listing::Entry;
use std::collections::{BTreeMap, VecDeque};

/// The folders that a walk is in, and those that it has left while something in them is still under way. It remembers
/// nothing of what is over.
#[derive(Debug, Default)]
pub(crate) struct Nest {
    next: usize,
    /// The folders that the walk is in.
    path: Vec<usize>,
    folders: BTreeMap<usize, Folder>,
    /// The folder that each transfer is in.
    inside: BTreeMap<usize, usize>,
    ready: VecDeque<Ready>,
}

#[derive(Debug)]
struct Folder {
    /// `None` if the folder itself is not to be sent.
    entry: Option<Entry>,
    parent: Option<usize>,
    /// How many things in it are not over: transfers and folders.
    open: usize,
    /// Whether the walk has seen all of it.
    left: bool,
}

/// A folder that can be sent now.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) entry: Entry,
    parent: Option<usize>,
}

impl Nest {
    /// The walk enters a folder. One without an entry is entered only for its contents.
    pub(crate) fn enter(&mut self, entry: Option<Entry>) {
        let (key, parent) = (self.next, self.path.last().copied());
        self.next += 1;
        if let Some(parent) = parent.and_then(|parent| self.folders.get_mut(&parent)) {
            parent.open += 1;
        }
        self.folders.insert(key, Folder { entry, parent, open: 0, left: false });
        self.path.push(key);
    }

    /// The walk has seen all of the current folder.
    pub(crate) fn leave(&mut self) {
        let Some(key) = self.path.pop() else { return };
        if let Some(folder) = self.folders.get_mut(&key) {
            folder.left = true;
        }
        self.look(key);
    }

    /// A transfer of something in the current folder has begun.
    pub(crate) fn begin(&mut self, transfer: usize) {
        let parent = self.path.last().copied();
        self.begin_in(parent, transfer);
    }

    /// The transfer of a folder itself has begun.
    pub(crate) fn begin_ready(&mut self, ready: &Ready, transfer: usize) {
        self.begin_in(ready.parent, transfer);
        // Until now it was counted as a folder.
        if let Some(parent) = ready.parent.and_then(|parent| self.folders.get_mut(&parent)) {
            parent.open -= 1;
        }
    }

    /// A transfer has ended, well or badly.
    pub(crate) fn end(&mut self, transfer: usize) {
        let Some(key) = self.inside.remove(&transfer) else { return };
        if let Some(folder) = self.folders.get_mut(&key) {
            folder.open -= 1;
        }
        self.look(key);
    }

    /// The next folder that can be sent. Then call [`begin_ready`](Self::begin_ready) for it.
    pub(crate) fn take_ready(&mut self) -> Option<Ready> {
        self.ready.pop_front()
    }

    /// How many folders are still to be sent.
    pub(crate) fn to_send(&self) -> usize {
        self.folders.values().filter(|folder| folder.entry.is_some()).count() + self.ready.len()
    }

    /// Whether no folder is waiting.
    pub(crate) fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.ready.is_empty()
    }

    fn begin_in(&mut self, folder: Option<usize>, transfer: usize) {
        let Some(key) = folder else { return };
        if let Some(folder) = self.folders.get_mut(&key) {
            folder.open += 1;
            self.inside.insert(transfer, key);
        }
    }

    fn look(&mut self, mut key: usize) {
        while self.folders.get(&key).is_some_and(|folder| folder.left && folder.open == 0) {
            let Some(Folder { entry, parent, .. }) = self.folders.remove(&key) else { return };
            if let Some(entry) = entry {
                return self.ready.push_back(Ready { entry, parent });
            }
            // Not to be sent itself, but the folder around it may have waited only for this one.
            let Some(parent) = parent else { return };
            if let Some(folder) = self.folders.get_mut(&parent) {
                folder.open -= 1;
            }
            key = parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::transfer::{Kind, SafeName};

    fn folder(name: &str) -> Entry {
        let name = SafeName::parse(name).expect("a safe name");
        Entry { name, kind: Kind::Folder, length: 0, mtime_ms: 0, unix_mode: None }
    }

    fn ready(nest: &mut Nest) -> Vec<Ready> {
        std::iter::from_fn(|| nest.take_ready()).collect()
    }

    fn names(ready: &[Ready]) -> Vec<&str> {
        ready.iter().map(|ready| ready.entry.name.as_str()).collect()
    }

    #[test]
    fn an_empty_folder_is_ready_when_the_walk_has_left_it() {
        let mut nest = Nest::default();
        nest.enter(Some(folder("a")));
        assert!(nest.take_ready().is_none() && !nest.is_empty());
        nest.leave();
        assert_eq!(nest.to_send(), 1);
        assert_eq!(names(&ready(&mut nest)), ["a"]);
        assert!(nest.is_empty());
    }

    #[test]
    fn a_folder_waits_for_all_that_it_holds() {
        let mut nest = Nest::default();
        nest.enter(Some(folder("a")));
        nest.begin(1);
        nest.begin(2);
        nest.leave();
        nest.end(2);
        assert!(nest.take_ready().is_none());
        nest.end(1);
        assert_eq!(names(&ready(&mut nest)), ["a"]);
    }

    #[test]
    fn a_folder_waits_for_the_folders_in_it_to_arrive() {
        let mut nest = Nest::default();
        nest.enter(Some(folder("a")));
        nest.enter(Some(folder("a/b")));
        nest.leave();
        nest.leave();
        let [inner] = &ready(&mut nest)[..] else { panic!("one is ready") };
        assert_eq!(inner.entry.name.as_str(), "a/b");
        assert!(nest.take_ready().is_none() && !nest.is_empty());
        nest.begin_ready(inner, 7);
        assert!(nest.take_ready().is_none());
        nest.end(7);
        assert_eq!(names(&ready(&mut nest)), ["a"]);
    }

    #[test]
    fn a_folder_is_not_ready_before_the_walk_has_left_it() {
        let mut nest = Nest::default();
        nest.enter(Some(folder("a")));
        nest.begin(1);
        nest.end(1);
        assert!(nest.take_ready().is_none());
        nest.begin(2);
        nest.leave();
        assert!(nest.take_ready().is_none());
        nest.end(2);
        assert_eq!(names(&ready(&mut nest)), ["a"]);
    }

    #[test]
    fn the_contents_of_a_folder_that_is_not_sent_keep_its_parent_waiting() {
        let mut nest = Nest::default();
        nest.enter(Some(folder("a")));
        nest.enter(None);
        nest.begin(1);
        nest.enter(None);
        nest.leave();
        nest.leave();
        nest.leave();
        assert!(nest.take_ready().is_none() && nest.to_send() == 1);
        nest.end(1);
        assert_eq!(names(&ready(&mut nest)), ["a"]);
        assert!(nest.is_empty() && nest.to_send() == 0);
    }

    #[test]
    fn a_file_in_no_folder_keeps_no_folder_waiting() {
        let mut nest = Nest::default();
        nest.begin(1);
        assert!(nest.is_empty());
        nest.end(1);
        nest.end(99);
        nest.leave();
        assert!(nest.is_empty());
    }
}
