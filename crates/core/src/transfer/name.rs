//! File names that are safe to create on any system.

use alloc::string::String;
use core::fmt;

/// The most bytes that a whole name may have.
const MAX_NAME: usize = 4096;
/// The most bytes that one component may have: the limit of common file systems.
const MAX_COMPONENT: usize = 255;
/// The most components that a name may have.
const MAX_DEPTH: usize = 64;

/// A relative, `/`-separated file name that no system interprets as anything else.
///
/// A name from a peer becomes a `SafeName` before anything looks at a disk. [`NameError`] lists what is refused;
/// anything else is kept as received, including Chinese characters, emoji and inner spaces.
///
/// ```
/// use bowline_core::transfer::{NameError, SafeName};
/// assert_eq!(SafeName::parse("holiday/día 1 🏖.jpg")?.as_str(), "holiday/día 1 🏖.jpg");
/// assert_eq!(SafeName::parse("../../x"), Err(NameError::Parent));
/// assert_eq!(SafeName::parse("C:\\x"), Err(NameError::Character(':')));
/// # Ok::<(), NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeName(String);

/// Why a name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name, or a component of it, is empty; a leading or trailing `/` counts.
    #[error("a name needs at least one character between slashes and at both ends")]
    Empty,
    /// The whole name is too long.
    #[error("the name has {0} bytes, {MAX_NAME} are allowed")]
    TooLong(usize),
    /// A component is too long.
    #[error("a part of the name has {0} bytes, {MAX_COMPONENT} are allowed")]
    ComponentTooLong(usize),
    /// There are too many components.
    #[error("the name is nested {0} deep, {MAX_DEPTH} are allowed")]
    TooDeep(usize),
    /// A component is `.` or `..`.
    #[error("a part of the name is '.' or '..'")]
    Parent,
    /// A character that some system treats specially: a control character, `\`, `:`, `*`, `?`, `"`, `<`, `>`, `|`.
    #[error("the name holds the character {0:?}")]
    Character(char),
    /// A component ends with a dot or a space, which Windows drops.
    #[error("a part of the name ends in a dot or a space")]
    Ending,
    /// A component is a device on Windows, such as `NUL` or `COM1.txt`.
    #[error("a part of the name is a device name on Windows")]
    Device,
    /// The bytes are not UTF-8.
    #[error("the name is not UTF-8")]
    NotUtf8,
}

impl SafeName {
    /// Checks a name.
    ///
    /// # Errors
    /// The first rule that the name violates.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_NAME {
            return Err(NameError::TooLong(name.len()));
        }
        let depth = name.split('/').count();
        if depth > MAX_DEPTH {
            return Err(NameError::TooDeep(depth));
        }
        name.split('/').try_for_each(check_component)?;
        Ok(Self(name.into()))
    }

    /// The name used for the listing of everything.
    pub(super) fn of_everything() -> Self {
        Self("listing".into())
    }

    /// The name of an entry in the folder with this name.
    ///
    /// # Errors
    /// The first rule that `part`, or the whole name, violates.
    pub fn child(&self, part: &str) -> Result<Self, NameError> {
        Self::parse(&alloc::format!("{self}/{part}"))
    }

    /// The name as received.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the slashes, outermost first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.components().next_back().unwrap_or_default()
    }
}

fn check_component(part: &str) -> Result<(), NameError> {
    if part.is_empty() {
        return Err(NameError::Empty);
    }
    if part.len() > MAX_COMPONENT {
        return Err(NameError::ComponentTooLong(part.len()));
    }
    if part == "." || part == ".." {
        return Err(NameError::Parent);
    }
    let special = |c: char| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    if let Some(c) = part.chars().find(|c| special(*c)) {
        return Err(NameError::Character(c));
    }
    if part.ends_with(['.', ' ']) {
        return Err(NameError::Ending);
    }
    if is_device(part) {
        return Err(NameError::Device);
    }
    Ok(())
}

/// Windows finds its devices in any folder, regardless of case and of anything after the first dot.
fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().trim_end_matches(' ');
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
        .iter()
        .any(|device| stem.eq_ignore_ascii_case(device))
    {
        return true;
    }
    let mut chars = stem.chars();
    let port: String = chars.by_ref().take(3).collect();
    let number = chars.next();
    (port.eq_ignore_ascii_case("COM") || port.eq_ignore_ascii_case("LPT"))
        && matches!(number, Some('0'..='9' | '¹' | '²' | '³'))
        && chars.next().is_none()
}

impl fmt::Display for SafeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for SafeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass_unchanged() {
        for name in [
            "a",
            "a b.txt",
            "文件.bin",
            "🚀.tar.gz",
            "dir/sub/x",
            "..a",
            ".hidden",
            "console",
            "com10",
            "COMx",
        ] {
            assert_eq!(SafeName::parse(name).map(|n| n.0).as_deref(), Ok(name));
        }
    }

    #[test]
    fn every_kind_of_bad_name_is_refused_with_its_reason() {
        use NameError as E;
        let long = "x".repeat(256);
        let deep = "a/".repeat(64) + "a";
        let huge = ("x".repeat(200) + "/").repeat(25);
        let cases: &[(&str, E)] = &[
            ("", E::Empty),
            ("/etc/passwd", E::Empty),
            ("a//b", E::Empty),
            ("a/", E::Empty),
            ("../../x", E::Parent),
            ("a/../b", E::Parent),
            (".", E::Parent),
            ("C:\\x", E::Character(':')),
            ("a\\b", E::Character('\\')),
            ("C:x", E::Character(':')),
            ("a\0b", E::Character('\0')),
            ("a\nb", E::Character('\n')),
            ("what?", E::Character('?')),
            ("dot.", E::Ending),
            ("space /x", E::Ending),
            ("NUL", E::Device),
            ("aux.txt", E::Device),
            ("dir/com1.log", E::Device),
            ("LPT9", E::Device),
            ("con .x", E::Device),
            (&long, E::ComponentTooLong(256)),
            (&deep, E::TooDeep(65)),
            (&huge, E::TooLong(5025)),
        ];
        for (name, reason) in cases {
            assert_eq!(SafeName::parse(name), Err(*reason), "{name:?}");
        }
    }

    #[test]
    fn the_longest_and_the_deepest_names_pass() {
        let component = "x".repeat(255);
        let deepest = "a/".repeat(63) + "a";
        let longest = (component.clone() + "/").repeat(15) + &"x".repeat(254) + "/a";
        assert_eq!(longest.len(), MAX_NAME);
        for name in [component, deepest, longest] {
            assert_eq!(SafeName::parse(&name).map(|n| n.0), Ok(name));
        }
    }

    #[test]
    fn the_last_part_of_a_name_is_the_name_within_its_folder() {
        for (name, file) in [("a/b c/d.txt", "d.txt"), ("d.txt", "d.txt")] {
            let safe = SafeName::parse(name).expect("a safe name");
            assert_eq!((safe.file_name(), safe.as_ref()), (file, name));
        }
    }
}
