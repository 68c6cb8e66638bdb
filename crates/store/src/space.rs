//! Whether there is room for a file, on each disk that it goes through.

use crate::fault::Faults;
use crate::root::{Root, parents};
use crate::sys::Folder;
use bowline_core::transfer::SafeName;
use std::io;

/// The file system that a folder is on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volume {
    pub(crate) number: u64,
    /// How many bytes may still be written to it, if known.
    pub(crate) free: Option<u64>,
}

impl Volume {
    pub(crate) fn of(faults: &Faults, folder: &Folder) -> io::Result<Self> {
        let meta = folder.meta()?;
        Ok(faults.volume(&meta).unwrap_or_else(|| Self { number: meta.id.dev, free: folder.free() }))
    }

    /// Checks that this many bytes fit.
    ///
    /// # Errors
    /// Both numbers, if they do not.
    pub(crate) fn check(&self, need: u64) -> Result<(), String> {
        match self.free {
            Some(free) if free < need => Err(format!("{need} bytes are needed, {free} are free")),
            _ => Ok(()),
        }
    }
}

impl Root {
    /// Checks that the rest of a file fits into staging, and all of it to where its name is, if that is on another
    /// disk: into `parent`, if that was found.
    ///
    /// # Errors
    /// The numbers, if it does not fit.
    pub(crate) fn check_space(
        &self,
        name: &SafeName,
        parent: Option<&Folder>,
        length: u64,
        have: u64,
    ) -> Result<(), String> {
        // If the free space is unknown, lack of it shows when bytes arrive.
        let staging = match self.staging_folder() {
            Ok(folder) => Volume::of(&self.faults, &folder),
            Err(_) => self.volume(self.staging.components()),
        };
        let Ok(staging) = staging else { return Ok(()) };
        staging.check(length - have)?;
        let there =
            parent.map_or_else(|| self.volume(parents(name)), |parent| Volume::of(&self.faults, parent));
        match there {
            Ok(there) if there.number != staging.number => there.check(length),
            _ => Ok(()),
        }
    }

    /// The file system of the last of these folders, or of the nearest existing one above it.
    fn volume<'a>(&self, parts: impl Iterator<Item = &'a str>) -> io::Result<Volume> {
        let mut folder = self.top();
        for part in parts {
            let Ok(next) = folder.enter(part) else { break };
            folder = next;
        }
        Volume::of(&self.faults, &folder)
    }
}
