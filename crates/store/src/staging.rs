//! Unfinished files: two for each transfer, in a folder named after the first two digits of its id.

use crate::fault::{Faults, Op};
use crate::journal::Record;
use crate::live::lock;
use crate::root::Root;
use crate::slots::Slots;
use crate::sys::{Access, File, Folder, Kind, Meta};
use bowline_core::transfer::TransferId;
use std::io;

impl Root {
    pub(crate) fn staging_folder(&self) -> io::Result<Folder> {
        self.find_staging().map(|(folder, _)| folder)
    }

    /// The staging folder and its metadata. It is opened once and held, so that its inode is not reused, and is used as
    /// long as its name refers to it.
    pub(crate) fn find_staging(&self) -> io::Result<(Folder, Meta)> {
        let staged = lock(&self.staged).clone();
        if let Some(staged) = staged.filter(|(_, meta)| self.is_staging(meta)) {
            return Ok(staged);
        }
        let found = self.staging.components().try_fold(self.top(), |folder, part| folder.enter(part));
        let found = found.and_then(|folder| folder.meta().map(|meta| (folder, meta)));
        *lock(&self.staged) = found.as_ref().ok().cloned();
        found
    }

    /// Whether the name of staging refers to this folder. Only a name directly in the served folder is found in one
    /// step.
    fn is_staging(&self, meta: &Meta) -> bool {
        let mut parts = self.staging.components();
        let (Some(name), None) = (parts.next(), parts.next()) else { return false };
        let there = self.top().stat(name).ok().flatten();
        cfg!(unix) && there.is_some_and(|there| there.kind == Kind::Folder && there.is_same_inode(meta))
    }

    /// The existing folders in staging, by their two digits.
    pub(crate) fn shards(&self) -> io::Result<Vec<String>> {
        let folder = match self.staging_folder() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            folder => folder?,
        };
        let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let mut names = folder.names()?;
        names.retain(|name| name.len() == 2 && name.chars().all(digits));
        names.sort_unstable();
        Ok(names)
    }

    /// A folder in staging, by its two digits.
    pub(crate) fn shard(&self, digits: &str) -> io::Result<Folder> {
        self.staging_folder()?.enter(digits)
    }

    /// Where the files of a transfer are.
    pub(crate) fn place(&self, id: TransferId) -> io::Result<Place> {
        let hex = id.to_hex();
        Ok(Place { folder: self.shard(&hex[..2])?, hex })
    }

    /// Where the files of a transfer belong, and its journal; both are made if necessary. `found` is the place, if it
    /// existed when last checked.
    pub(crate) fn make_place(&self, id: TransferId, found: Option<Place>) -> io::Result<(Place, Slots)> {
        let hex = id.to_hex();
        let mut found = found.map(|place| place.folder);
        // Whoever finishes removes an empty folder, perhaps just when it was made for us.
        for _ in 0..100 {
            match self.try_make_place(found.take(), &hex) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Ok((folder, slots)) => return Ok((Place { folder, hex }, slots)),
                Err(e) => return Err(e),
            }
        }
        let why = if self.is_gone() {
            "the folder of all files was removed, or replaced, since it was opened; a restart opens it again"
        } else {
            "the staging folder keeps vanishing"
        };
        Err(io::Error::other(why))
    }

    fn try_make_place(&self, found: Option<Folder>, hex: &str) -> io::Result<(Folder, Slots)> {
        let folder = found.map_or_else(|| self.make_shard(&hex[..2]), Ok)?;
        self.faults.before(Op::Create)?;
        match Slots::open(&folder, &journal_name(hex), true)? {
            (slots, None) => Ok((folder, slots)),
            // Another process was faster.
            (_, Some(_)) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// A folder in staging, by its two digits, made if necessary.
    fn make_shard(&self, digits: &str) -> io::Result<Folder> {
        let enter = |folder: Folder, part: &str| self.make(&folder, part, true).map(|(folder, _)| folder);
        let staging = match self.staging_folder() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.staging.components().try_fold(self.top(), enter)
            }
            staging => staging,
        };
        enter(staging?, digits)
    }

    /// Removes the files of a transfer, and folders that become empty.
    pub(crate) fn remove(&self, place: &Place) -> io::Result<()> {
        self.remove_part(place)?;
        // The journal last: its lock keeps others away until nothing is left.
        self.remove_file(place, &place.journal_name())?;
        self.remove_empty(Some(&place.hex[..2]));
        Ok(())
    }

    /// Removes the part of a transfer, if there is one.
    pub(crate) fn remove_part(&self, place: &Place) -> io::Result<()> {
        self.remove_file(place, &place.part_name())
    }

    fn remove_file(&self, place: &Place, name: &str) -> io::Result<()> {
        self.faults.before(Op::Remove)?;
        match place.folder.remove_file(name) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Removes a folder in staging, if one is named, and staging itself, if they are empty.
    pub(crate) fn remove_empty(&self, shard: Option<&str>) {
        let parts: Vec<_> = self.staging.components().chain(shard).collect();
        for depth in (0..parts.len()).rev() {
            if self.faults.before(Op::Remove).is_err() {
                return;
            }
            let folder = parts[..depth].iter().try_fold(self.top(), |folder, part| folder.enter(part));
            if folder.and_then(|folder| folder.remove_folder(parts[depth])).is_err() {
                return;
            }
        }
    }

    /// The files of a transfer that has ended are closed. On systems other than Unix, removed files may keep their
    /// names until then, so that their folder was not empty before.
    pub(crate) fn tidy(&self, place: &Place) {
        if cfg!(not(unix)) {
            self.remove_empty(Some(&place.hex[..2]));
        }
    }

    /// Makes the names of a transfer's files survive a power cut.
    pub(crate) fn sync_place(&self, place: &Place) -> io::Result<()> {
        self.sync_folder(&place.folder)?;
        let mut folder = self.top();
        self.sync_folder(&folder)?;
        for part in self.staging.components() {
            folder = folder.enter(part)?;
            self.sync_folder(&folder)?;
        }
        Ok(())
    }
}

/// The two files of a transfer.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) folder: Folder,
    hex: String,
}

impl Place {
    pub(crate) fn part_name(&self) -> String {
        format!("{}.part", self.hex)
    }

    pub(crate) fn journal_name(&self) -> String {
        journal_name(&self.hex)
    }

    /// The journal, locked; `None` if there is none.
    pub(crate) fn open_slots(&self) -> io::Result<Option<(Slots, Option<Record>)>> {
        match Slots::open(&self.folder, &self.journal_name(), false) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            slots => slots.map(Some),
        }
    }

    /// The metadata of the part, if it exists.
    pub(crate) fn part_meta(&self) -> io::Result<Option<Meta>> {
        Ok(self.folder.stat(&self.part_name())?.filter(|meta| meta.kind == Kind::File))
    }

    pub(crate) fn open_part(&self) -> io::Result<File> {
        self.folder.open_file(&self.part_name(), Access::Edit)
    }

    /// Opens the part for reading, even if nobody writes to it any more.
    pub(crate) fn read_part(&self) -> io::Result<File> {
        self.folder.open_file(&self.part_name(), Access::Read)
    }

    /// An empty part, replacing any that exists.
    pub(crate) fn new_part(&self, faults: &Faults) -> io::Result<File> {
        // Never truncated in place: after a crash, the inode may have another name, that of a finished file.
        faults.before(Op::Create)?;
        let name = self.part_name();
        match self.folder.open_file(&name, Access::New) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                self.folder.remove_file(&name)?;
                self.folder.open_file(&name, Access::New)
            }
            opened => opened,
        }
    }
}

fn journal_name(hex: &str) -> String {
    format!("{hex}.jnl")
}
