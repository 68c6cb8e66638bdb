//! Where the command keeps what it has to remember between two runs.

use crate::private;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folder of this user, if there is a place for one. It need not exist.
pub(crate) fn folder() -> Option<PathBuf> {
    folder_by(|name| env::var_os(name).map(PathBuf::from))
}

/// Makes the folder, for nobody else to look into.
pub(crate) fn make_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Writes a file there that nobody else is to read, in one step; makes the folder if need be.
pub(crate) fn write(dir: &Path, file: &str, text: &str) -> io::Result<()> {
    make_private(dir)?;
    private::write(&dir.join(file), text)
}

fn folder_by(var: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let set = |name| var(name).filter(|path| !path.as_os_str().is_empty());
    // A relative XDG path is to be ignored, says the specification.
    let xdg = || set("XDG_STATE_HOME").filter(|path| path.is_absolute()).map(|path| path.join("bowline"));
    // Windows has this, and there only some terminals have a HOME.
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
