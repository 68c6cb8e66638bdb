//! Whether the contents of a folder on a server may go into an existing local folder.
//!
//! The server says whether a name is a file or a folder, and what the folder contains. A user who fetches a name into
//! `.` means one thing there, not whatever the server would like to put next to the user's own files. So names of the
//! server's choice may only go into a place that is meant for them: one with the requested name; any place, if the name
//! was written with a slash at its end; one that was empty; or one that the same command has filled before, which is
//! recorded in a file next to the secret.

use crate::state;
use bowline_core::transfer::TransferId;
use bowline_store::Config;
use std::fs;
use std::path::{Path, PathBuf};
use tracing::debug;

const FILE: &str = "folders";

/// How many places are remembered, the latest ones: a file of 33 KB.
const MOST: usize = 1000;

/// What a fetch may do with the place for a folder.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    stands: Stands,
    dir: Option<PathBuf>,
    /// Identifies this folder of this server in this place.
    id: TransferId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// The command names the place as one for this folder.
    Meant,
    /// It is empty, or does not exist.
    Empty,
    /// It may contain anybody's files.
    Full,
}

impl Claim {
    /// Looks at the place before anything arrives there.
    pub(crate) fn on(place: &Path, is_meant: bool, id: TransferId) -> Self {
        let stands = if is_meant {
            Stands::Meant
        } else if is_empty(place) {
            Stands::Empty
        } else {
            Stands::Full
        };
        Self { stands, dir: state::folder(), id }
    }

    /// Whether the contents of the folder may go there, now that the name has turned out to be one. If so, this is
    /// remembered for the next time. Waits for the disk.
    pub(crate) fn take(&self) -> bool {
        match self.stands {
            Stands::Meant => true,
            Stands::Empty => {
                self.keep();
                true
            }
            Stands::Full => self.kept().contains(&self.id.to_string()),
        }
    }

    fn kept(&self) -> Vec<String> {
        let text = self.dir.as_deref().map(|dir| fs::read_to_string(dir.join(FILE)));
        text.and_then(Result::ok).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// What another process records at the same moment may be lost. Its user can then write a slash.
    fn keep(&self) {
        let Some(dir) = self.dir.as_deref() else { return };
        let (mut kept, id) = (self.kept(), self.id.to_string());
        kept.retain(|known| *known != id);
        kept.push(id);
        kept.drain(..kept.len().saturating_sub(MOST));
        let text = kept.join("\n") + "\n";
        if let Err(error) = state::write(dir, FILE, &text) {
            debug!(path = %dir.join(FILE).display(), %error, "the owner of this place cannot be recorded");
        }
    }
}

/// Whether nobody has anything there. Unfinished files of ours do not count.
fn is_empty(place: &Path) -> bool {
    let staging = Config::fetching().staging;
    match fs::read_dir(place) {
        Ok(entries) => entries.map_while(Result::ok).all(|entry| staging.as_os_str() == entry.file_name()),
        // If it cannot be opened, the transfer will report why.
        Err(_) => !place.is_dir(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(world: &Path, stands: Stands, id: u8) -> Claim {
        Claim { stands, dir: Some(world.join("state")), id: TransferId::from_bytes([id; 16]) }
    }

    #[test]
    fn a_place_counts_as_empty_or_full_unless_it_is_meant() {
        let dir = tempfile::tempdir().expect("a folder");
        let stands = |place: &str, meant| {
            Claim::on(&dir.path().join(place), meant, TransferId::from_bytes([1; 16])).stands
        };
        assert_eq!((stands("none", false), stands("none", true)), (Stands::Empty, Stands::Meant));
        fs::create_dir_all(dir.path().join("some/.bowline")).expect("made");
        assert_eq!(stands("some", false), Stands::Empty);
        fs::write(dir.path().join("some/.profile"), "mine").expect("written");
        assert_eq!((stands("some", false), stands("some", true)), (Stands::Full, Stands::Meant));
        assert_eq!(stands("some/.profile", false), Stands::Empty, "no folder");
    }

    #[test]
    fn a_claimed_place_can_be_taken_again_only_by_its_owner() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(!claim(dir.path(), Stands::Full, 1).take());
        assert!(claim(dir.path(), Stands::Empty, 1).take());
        assert!(claim(dir.path(), Stands::Full, 1).take());
        assert!(!claim(dir.path(), Stands::Full, 2).take());
    }

    #[test]
    fn the_latest_places_are_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        claim(dir.path(), Stands::Empty, 1).take();
        claim(dir.path(), Stands::Empty, 2).take();
        claim(dir.path(), Stands::Empty, 1).take();
        let file = dir.path().join("state").join(FILE);
        let kept = fs::read_to_string(&file).expect("kept");
        assert_eq!(kept.lines().count(), 2, "each once");
        fs::write(&file, kept + &"x\n".repeat(MOST - 1)).expect("written");
        claim(dir.path(), Stands::Empty, 3).take();
        assert!(claim(dir.path(), Stands::Full, 3).take() && !claim(dir.path(), Stands::Full, 2).take());
        assert_eq!(fs::read_to_string(&file).expect("kept").lines().count(), MOST);
    }
}
