//! Files with secrets.

use crate::report::print_line;
use std::path::Path;

/// Says so if every user of the machine can read a file that holds a secret.
pub(crate) fn warn_if_exposed(path: &Path, quiet: bool) {
    if !quiet && is_exposed(path) {
        print_line(&format!("every user of this machine can read {0}; chmod 600 {0}", path.display()));
    }
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o004 != 0)
}

/// Where permissions are of another kind, nobody looks at them.
#[cfg(not(unix))]
fn is_exposed(_: &Path) -> bool {
    false
}
