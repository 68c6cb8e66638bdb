//! The calls that a process makes.

use super::state::{Content, Device, Node, State, TOP, grow};
use crate::sys::{Access, FileId, Kind, Meta};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind as E};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A folder, as one process sees it.
#[derive(Clone, Debug)]
pub(crate) struct ModelFolder {
    device: Device,
    process: u32,
    node: u64,
}

/// An open file of one process.
#[derive(Debug)]
pub(crate) struct ModelFile {
    device: Device,
    process: u32,
    node: u64,
    handle: u64,
    cursor: AtomicU64,
}

impl Device {
    /// The top folder, as a process sees it.
    pub(crate) fn top(&self, process: u32) -> ModelFolder {
        ModelFolder { device: self.clone(), process, node: TOP }
    }
}

impl ModelFolder {
    pub(crate) fn enter(&self, name: &str) -> io::Result<Self> {
        let mut state = self.look()?;
        let node = state.find(self.node, name)?;
        state.names(node).map_err(|_| E::NotADirectory)?;
        Ok(Self { device: self.device.clone(), process: self.process, node })
    }

    pub(crate) fn create(&self, name: &str) -> io::Result<(Self, bool)> {
        if self.look()?.find(self.node, name).is_ok() {
            return self.enter(name).map(|folder| (folder, false));
        }
        self.change(|state| {
            let empty = Node::Folder { now: BTreeMap::new(), stored: BTreeMap::new() };
            state.make(self.node, name, empty)
        })?;
        self.enter(name).map(|folder| (folder, true))
    }

    pub(crate) fn open_file(&self, name: &str, access: Access) -> io::Result<ModelFile> {
        if access == Access::New {
            let node = self.change(|state| {
                if state.find(self.node, name).is_ok() {
                    return Err(E::AlreadyExists.into());
                }
                let file = state.new_file();
                state.make(self.node, name, file)
            })?;
            return Ok(self.open(node));
        }
        let node = {
            let mut state = self.look()?;
            let node = state.find(self.node, name)?;
            state.content(node)?;
            node
        };
        Ok(self.open(node))
    }

    pub(crate) fn open_locked(&self, name: &str, create: bool) -> io::Result<ModelFile> {
        let access =
            if create && self.look()?.find(self.node, name).is_err() { Access::New } else { Access::Edit };
        let file = self.open_file(name, access)?;
        let held = self.device.state().lock(file.node, file.handle);
        if held { Ok(file) } else { Err(E::WouldBlock.into()) }
    }

    pub(crate) fn stat(&self, name: &str) -> io::Result<Option<Meta>> {
        let mut state = self.look()?;
        let found = state.find(self.node, name).ok();
        Ok(found.map(|node| meta(&state, node)))
    }

    pub(crate) fn meta(&self) -> io::Result<Meta> {
        Ok(meta(&*self.look()?, self.node))
    }

    pub(crate) fn rename(&self, from: &str, into: &Self, to: &str, over: bool) -> io::Result<()> {
        self.change(|state| {
            let node = state.find(self.node, from)?;
            if !over && state.find(into.node, to).is_ok() {
                return Err(E::AlreadyExists.into());
            }
            let given = state.rename_one(into.node, to, Some(node), None)?;
            state.rename_one(self.node, from, None, Some(given))?;
            let changes = state.changes;
            state.content(node)?.changed = changes;
            Ok(())
        })
    }

    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        self.change(|state| {
            let node = state.find(self.node, name)?;
            state.content(node)?;
            state.rename_one(self.node, name, None, None).map(drop)
        })
    }

    pub(crate) fn remove_folder(&self, name: &str) -> io::Result<()> {
        self.change(|state| {
            let node = state.find(self.node, name)?;
            if !state.names(node)?.is_empty() {
                return Err(E::DirectoryNotEmpty.into());
            }
            state.rename_one(self.node, name, None, None).map(drop)
        })
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.change(|state| {
            state.sync_folder(self.node);
            Ok(())
        })
    }

    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.look()?.names(self.node)?.keys().cloned().collect())
    }

    /// The device and the process.
    pub(crate) fn whose(&self) -> (Device, u32) {
        (self.device.clone(), self.process)
    }

    fn open(&self, node: u64) -> ModelFile {
        let handle = self.device.state().open(self.process, node);
        let (device, cursor) = (self.device.clone(), AtomicU64::new(0));
        ModelFile { device, process: self.process, node, handle, cursor }
    }

    fn look(&self) -> io::Result<std::sync::MutexGuard<'_, State>> {
        let state = self.device.state();
        state.look(self.process)?;
        Ok(state)
    }

    fn change<T>(&self, call: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.device.state();
        state.change(self.process).map_err(|(error, _)| error)?;
        call(&mut state)
    }
}

impl ModelFile {
    pub(crate) fn meta(&self) -> io::Result<Meta> {
        let state = self.device.state();
        state.look(self.process)?;
        Ok(meta(&state, self.node))
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.device.state();
        state.look(self.process)?;
        let bytes = state.content(self.node)?.now.get(offset as usize..).unwrap_or_default();
        let len = bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }

    pub(crate) fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.device.state();
        let (data, told) = match state.change(self.process) {
            Ok(()) => (data, Ok(())),
            Err((error, by_half)) => (&data[..if by_half { data.len() / 2 } else { 0 }], Err(error)),
        };
        if !data.is_empty() {
            let (from, to) = (offset as usize, offset as usize + data.len());
            let content = state.content(self.node)?;
            let before = content.now.len();
            if to >= before {
                content.now.truncate(from);
                grow(&mut content.now, from);
                content.now.extend_from_slice(data);
            } else {
                content.now[from..to].copy_from_slice(data);
            }
            state.written(self.node, from.min(before), to);
        }
        told
    }

    pub(crate) fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.device.state();
        state.change(self.process).map_err(|(error, _)| error)?;
        let content = state.content(self.node)?;
        let before = content.now.len();
        content.now.truncate(len as usize);
        grow(&mut content.now, len as usize);
        state.written(self.node, before.min(len as usize), before.max(len as usize));
        Ok(())
    }

    pub(crate) fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        let mut state = self.device.state();
        state.change(self.process).map_err(|(error, _)| error)?;
        let changes = state.changes;
        let content = state.content(self.node)?;
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        (content.modified, content.changed) = (since.as_nanos() as i64, changes);
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        let mut state = self.device.state();
        match state.change(self.process) {
            Ok(()) => {
                state.sync_file(self.node);
                Ok(())
            }
            Err((error, by_half)) => {
                // A process that died during a sync has given nothing up: the pieces wait as before.
                if by_half && state.look(self.process).is_ok() {
                    state.fail_to_sync_file(self.node);
                }
                Err(error)
            }
        }
    }

    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.read_at(buffer, self.cursor.load(Relaxed))?;
        self.cursor.fetch_add(read as u64, Relaxed);
        Ok(read)
    }

    pub(crate) fn write(&self, data: &[u8]) -> io::Result<usize> {
        self.write_all_at(data, self.cursor.load(Relaxed))?;
        self.cursor.fetch_add(data.len() as u64, Relaxed);
        Ok(data.len())
    }
}

impl Drop for ModelFile {
    fn drop(&mut self) {
        self.device.state().close(self.handle);
    }
}

fn meta(state: &State, node: u64) -> Meta {
    let id = |len, modified| FileId { dev: 1, ino: node, len, modified };
    match state.content_of(node) {
        Some(Content { now, modified, changed, .. }) => {
            Meta { kind: Kind::File, id: id(now.len() as u64, *modified), changed: *changed, mode: None }
        }
        None => Meta { kind: Kind::Folder, id: id(0, 0), changed: 0, mode: None },
    }
}
