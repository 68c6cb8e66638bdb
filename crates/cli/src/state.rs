//! Where the command stores what it must remember between two runs.

use crate::private;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folder of this user, if there is a place for one. It may not exist yet.
pub(crate) fn folder() -> Option<PathBuf> {
    folder_by(|name| env::var_os(name).map(PathBuf::from))
}

/// Creates the folder, which nobody else may read.
pub(crate) fn make_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Writes a file that nobody else may read, in one step; creates the folder if necessary.
pub(crate) fn write(dir: &Path, file: &str, text: &str) -> io::Result<()> {
    make_private(dir)?;
    private::write(&dir.join(file), text)
}

fn folder_by(var: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let set = |name| var(name).filter(|path| !path.as_os_str().is_empty());
    // The specification says to ignore a relative XDG path.
    let xdg = || set("XDG_STATE_HOME").filter(|path| path.is_absolute()).map(|path| path.join("bowline"));
    // Windows has LOCALAPPDATA; only some terminals there also have a HOME.
    let local = || set("LOCALAPPDATA").map(|path| path.join("bowline"));
    let home = || set("HOME").map(|path| path.join(".local/state/bowline"));
    set("BOWLINE_STATE_DIR").or_else(xdg).or_else(local).or_else(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_folder_follows_the_environment() {
        let dir = |vars: &[(&str, &str)]| {
            folder_by(|name| vars.iter().find(|(var, _)| *var == name).map(|(_, value)| value.into()))
        };
        let root = std::path::absolute("/").expect("there is one");
        let root = root.to_str().expect("UTF-8");
        let (home, state) = (("HOME", "u"), PathBuf::from("u/.local/state/bowline"));
        assert_eq!(dir(&[home]), Some(state.clone()));
        assert_eq!(dir(&[home, ("XDG_STATE_HOME", root)]), Some(Path::new(root).join("bowline")));
        assert_eq!(dir(&[home, ("XDG_STATE_HOME", "x")]), Some(state));
        assert_eq!(dir(&[home, ("LOCALAPPDATA", "l")]), Some("l/bowline".into()));
        assert_eq!(dir(&[home, ("XDG_STATE_HOME", root), ("BOWLINE_STATE_DIR", "b")]), Some("b".into()));
        assert_eq!(dir(&[("HOME", "")]), None);
    }
}
