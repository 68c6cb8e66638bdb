//! Checks a server's folder before anything is created.

use crate::exit::Trouble;
use crate::writable::{may_make, may_write};
use bowline_store::{Config, DiskStore};
use std::path::Path;
use std::{fs, io};

/// Checks that a server can use this folder: it exists or can be created, and files can be put into it if the server
/// accepts any.
pub(super) fn check(dir: &Path, takes_files: bool) -> Result<(), Trouble> {
    match fs::metadata(dir) {
        Ok(meta) if meta.is_dir() => {}
        // A dangling link is not a missing folder.
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(dir).is_err() => {
            return may_make(dir).map_err(|error| unmade(dir, &error));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unmade(dir, &error)),
        _ => return Err(Trouble::at(dir, "it is not a folder; choose another --dir")),
    }
    DiskStore::open(dir, Config::default()).map_err(Trouble::failed)?;
    let written = if takes_files { may_write(dir) } else { Ok(()) };
    written.map_err(|error| {
        let remedy = "change its owner or its mode, choose another --dir, or serve with --read-only";
        Trouble::at(dir, format!("nobody can send files there: {error}; {remedy}"))
    })
}

/// Creates the folder if it does not exist.
pub(super) fn make(dir: &Path) -> Result<(), Trouble> {
    fs::create_dir_all(dir).map_err(|error| unmade(dir, &error))
}

fn unmade(dir: &Path, error: &io::Error) -> Trouble {
    Trouble::at(dir, format!("cannot be made: {error}; choose another --dir"))
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
        assert_eq!(said("file"), Err(format!("{shown}: it is not a folder; choose another --dir")));
        for within in ["file/new", "file/new/another"] {
            let why = said(within).expect_err("nothing is in a file");
            assert!(why.contains("cannot be made: ") && why.ends_with("choose another --dir"), "{why}");
        }
        assert_eq!(fs::read_dir(world.path()).expect("readable").count(), 1, "nothing is made");
    }

    #[cfg(unix)]
    #[test]
    fn a_dangling_link_is_not_a_folder() {
        let world = tempfile::tempdir().expect("a folder");
        let link = world.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).expect("writable");
        assert!(check(&link, true).expect_err("no folder").to_string().contains("it is not a folder"));
    }
}
