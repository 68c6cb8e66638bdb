//! Where the page of a report goes: a file, or stdout.

use crate::{private, stdout};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// Where a page can go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file of this name, which is created or replaced. It is never a link.
    File(PathBuf),
    /// Whatever stdout is.
    Stdout,
}

impl Place {
    /// What is at this path: an ordinary file, nothing yet, or stdout, as with `-` and `/dev/stdout`.
    ///
    /// # Errors
    /// Why no page can go there. A folder, a device, a pipe, a socket or a link is not replaced.
    pub(super) fn at(path: &Path) -> Result<Self, &'static str> {
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        let Ok(there) = fs::metadata(path) else {
            return match path.symlink_metadata() {
                Ok(_) => Err("it is a link that leads nowhere"),
                Err(_) if !private::folder_of(path).is_dir() => Err("its folder is missing"),
                Err(_) => Ok(Self::File(path.to_owned())),
            };
        };
        if is_stdout(&there) {
            return Ok(Self::Stdout);
        }
        if there.is_dir() {
            return Err("it is a folder");
        }
        if !there.is_file() {
            return Err("it is a device, a pipe or a socket");
        }
        dunce::canonicalize(path).map(Self::File).map_err(|_| "it cannot be found")
    }

    /// Puts a page there; a file in one step.
    pub(super) fn put(&self, page: &str) -> io::Result<()> {
        match self {
            Self::File(path) => private::write(path, page),
            // After everything that was printed. At the end, the command waits for a slow reader.
            Self::Stdout => {
                stdout::print(page.as_bytes());
                Ok(())
            }
        }
    }
}

#[cfg(unix)]
fn is_stdout(there: &Metadata) -> bool {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;
    let stdout = io::stdout().as_fd().try_clone_to_owned().map(fs::File::from);
    let stdout = stdout.and_then(|stdout| stdout.metadata());
    stdout.is_ok_and(|stdout| (stdout.dev(), stdout.ino()) == (there.dev(), there.ino()))
}

/// On systems without a path for it.
#[cfg(not(unix))]
fn is_stdout(_: &Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    #[cfg(not(target_vendor = "apple"))]
    fn a_page_replaces_nothing_but_a_file() {
        use rustix::fs::{CWD, FileType, mknodat};
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        mknodat(CWD, at("pipe"), FileType::Fifo, 0o600.into(), 0).expect("made");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("bound");
        fs::create_dir(at("folder")).expect("made");
        symlink("nowhere", at("dangling")).expect("linked");
        symlink("pipe", at("to-pipe")).expect("linked");
        for (name, why) in [
            ("pipe", "it is a device, a pipe or a socket"),
            ("socket", "it is a device, a pipe or a socket"),
            ("to-pipe", "it is a device, a pipe or a socket"),
            ("folder", "it is a folder"),
            ("dangling", "it is a link that leads nowhere"),
            ("none/page.html", "its folder is missing"),
        ] {
            assert_eq!(Place::at(&at(name)), Err(why), "{name}");
        }
    }

    #[test]
    fn the_file_behind_a_link_is_replaced_and_not_the_link() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("pages")).expect("made");
        fs::write(at("pages/old.html"), "old").expect("written");
        symlink("pages/old.html", at("page.html")).expect("linked");
        Place::at(&at("page.html")).expect("a file").put("new").expect("written");
        assert!(at("page.html").is_symlink());
        assert_eq!(fs::read_to_string(at("pages/old.html")).expect("there"), "new");
        Place::at(&at("another.html")).expect("free").put("new").expect("written");
        assert_eq!(fs::read_to_string(at("another.html")).expect("there"), "new");
    }
}
