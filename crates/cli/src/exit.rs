//! How the command ends: a number for scripts, and one line for people.

use crate::plain::plain;
use std::path::Path;
use std::process::ExitCode;
use std::{fmt, io};

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything has been confirmed.
    Done = 0,
    /// Something was refused, or went wrong here.
    Failed = 1,
    /// The command line is invalid.
    Usage = 2,
    /// The server was out of reach for too long.
    Unreachable = 3,
    /// Another command has taken the transfer over, and continues it.
    Overtaken = 4,
    /// A person or the system ended it. 128 plus the number of SIGINT, as shells have it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the command ends early: what happened and what to do, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) exit: Exit,
    text: String,
}

impl Trouble {
    pub(crate) fn new(exit: Exit, text: impl fmt::Display) -> Self {
        Self { exit, text: plain(&text.to_string()).into_owned() }
    }

    pub(crate) fn failed(text: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, text)
    }

    /// This went wrong with a file or folder.
    pub(crate) fn at(path: &Path, why: impl fmt::Display) -> Self {
        Self::failed(format!("{}: {why}", path.display()))
    }

    /// A file cannot be read; `option` names it, if any does.
    pub(crate) fn unread(path: &Path, option: Option<&str>, why: &io::Error) -> Self {
        let remedy = option.map_or_else(String::new, |option| format!("; look at {option}"));
        Self::at(path, format!("{why}{remedy}"))
    }

    /// The contents of a file are wrong.
    pub(crate) fn in_file(path: &Path, why: impl fmt::Display) -> Self {
        Self::usage(format!("{}: {why}", path.display()))
    }

    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, text)
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(
            Exit::Interrupted,
            "interrupted; what arrived is kept, and the same command resumes from there",
        )
    }

    /// Interrupted, without anything to resume.
    pub(crate) fn interrupted_listing() -> Self {
        Self::new(Exit::Interrupted, "interrupted")
    }

    /// A server was stopping, and was interrupted while it waited for its clients.
    pub(crate) fn interrupted_stop() -> Self {
        Self::new(
            Exit::Interrupted,
            "interrupted; what arrived is kept, and clients resume from there when a server runs again",
        )
    }

    /// Interrupted while stdin was sent, which cannot be read again, and too soon to be sure that the server was told.
    pub(crate) fn interrupted_farewell() -> Self {
        Self::new(
            Exit::Interrupted,
            "interrupted; unless the server was told in time, it keeps what came through stdin until that expires",
        )
    }

    /// Interrupted while stdin was sent, which cannot be read again. `told`: the server can be told to discard what it
    /// has.
    pub(crate) fn interrupted_pipe(told: bool) -> Self {
        Self::new(
            Exit::Interrupted,
            if told {
                "interrupted; nothing that came through stdin is kept"
            } else {
                "interrupted; the server cannot be told, so it keeps what came through stdin until that expires"
            },
        )
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_always_printed_as_one_line() {
        let trouble = Trouble::failed("the other side says: no\n\x1b[2Jbowline: all is well");
        assert_eq!(trouble.to_string(), "the other side says: no\u{fffd}\u{fffd}[2Jbowline: all is well");
    }
}
