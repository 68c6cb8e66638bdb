//! The folder of a server, looked at before anything is made.

use crate::exit::Trouble;
use crate::private::folder_of;
use bowline_store::{Config, DiskStore};
use std::path::Path;
use std::{fs, io};

/// Whether a server can have this folder: it is one, or can be made, and files can be put there if there are to be any.
pub(super) fn check(dir: &Path, takes_files: bool) -> Result<(), Trouble> {
    match fs::metadata(dir) {
        Ok(meta) if meta.is_dir() => {}
        // A link that leads nowhere is none, either.
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(dir).is_err() => {
            return may_make(dir).map_err(|error| unmade(dir, &error));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unmade(dir, &error)),
        _ => return Err(Trouble::at(dir, "it is no folder; choose another --dir")),
    }
    DiskStore::open(dir, Config::default()).map_err(Trouble::failed)?;
    let written = if takes_files { may_write(dir) } else { Ok(()) };
    written.map_err(|error| {
        let remedy = "change its owner or its mode, choose another --dir, or serve with --read-only";
        Trouble::at(dir, format!("nobody can send files there: {error}; {remedy}"))
    })
}

/// Makes the folder if there is none.
pub(super) fn make(dir: &Path) -> Result<(), Trouble> {
    fs::create_dir_all(dir).map_err(|error| unmade(dir, &error))
}

/// Whether a folder that may not be there can have files here, as far as that shows without making one.
pub(crate) fn may_make(dir: &Path) -> io::Result<()> {
    may_write(if dir.is_dir() { dir } else { around(dir)? })
}

fn unmade(dir: &Path, error: &io::Error) -> Trouble {
    Trouble::at(dir, format!("cannot be made: {error}; choose another --dir"))
}

/// The nearest folder around this one that is there.
fn around(dir: &Path) -> io::Result<&Path> {
    let folder = folder_of(dir);
    match fs::metadata(folder) {
        Ok(meta) if meta.is_dir() => Ok(folder),
        Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder != Path::new(".") => around(folder),
        Err(error) => Err(error),
    }
}

/// Whether this user may make something in a folder, as far as that shows without making it.
#[cfg(unix)]
pub(crate) fn may_write(folder: &Path) -> io::Result<()> {
    use rustix::fs::{Access, access};
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the form for Unix needs it")]
pub(crate) fn may_write(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_or_can_be_made() {
        let world = tempfile::tempdir().expect("a folder");
        let path = |name: &str| world.path().join(name);
        fs::write(path("file"), "").expect("writable");
        let said = |name: &str| check(&path(name), true).map_err(|trouble| trouble.to_string());
        assert_eq!(said(""), Ok(()));
        assert_eq!(said("new"), Ok(()));
        assert_eq!(said("new/in/another"), Ok(()));
        let shown = path("file").display().to_string();
        assert_eq!(said("file"), Err(format!("{shown}: it is no folder; choose another --dir")));
        for within in ["file/new", "file/new/another"] {
            let why = said(within).expect_err("nothing is in a file");
            assert!(why.contains("cannot be made: ") && why.ends_with("choose another --dir"), "{why}");
        }
        assert_eq!(fs::read_dir(world.path()).expect("readable").count(), 1, "nothing is made");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_no_folder() {
        let world = tempfile::tempdir().expect("a folder");
        let link = world.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).expect("writable");
        assert!(check(&link, true).expect_err("no folder").to_string().contains("it is no folder"));
    }
}
