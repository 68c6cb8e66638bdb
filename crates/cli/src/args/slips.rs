//! What is wrong with the words of a `send`, and what to type instead.

use crate::exit::Trouble;
use crate::url;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What to say of a `send` with one word, of which clap knows only that it is not enough: it takes it for the URL.
pub(crate) fn lone_word(error: &clap::Error, words: &[OsString]) -> Option<Trouble> {
    let missing =
        error.get(ContextKind::InvalidArg).filter(|_| error.kind() == ErrorKind::MissingRequiredArgument);
    let Some(ContextValue::Strings(missing)) = missing else { return None };
    // Options stand before it.
    let word = words.last().filter(|_| *missing == ["<FILE>..."])?;
    let shown = Path::new(word).display().to_string();
    Some(Trouble::usage(if is_url(&shown) {
        format!("no file is named; type bowline send FILE {}", url::server(&shown))
    } else {
        format!("no server is named; type bowline send {shown} ws://HOST:PORT")
    }))
}

/// Whether the last word of a `send`, and no other, is a URL.
pub(crate) fn check_order(files: &[PathBuf], last: &str) -> Result<(), Trouble> {
    let mut urls = files.iter().map(|file| file.to_string_lossy()).filter(|file| is_url(file));
    match (urls.next(), is_url(last)) {
        (None, true) => Ok(()),
        (Some(first), true) => Err(Trouble::usage(format!(
            "{} and {} are two servers; send to one after the other",
            url::server(&first),
            url::server(last)
        ))),
        (Some(first), false) => {
            let file = if files.len() == 1 { last } else { "FILE..." };
            let server = url::server(&first);
            Err(Trouble::usage(format!("the URL comes last; type bowline send {file} {server}")))
        }
        (None, false) if is_address(last) => {
            Err(Trouble::usage(format!("{last} is no URL; write ws://{last}")))
        }
        (None, false) => {
            Err(Trouble::usage(format!("{last} is no URL; the last word is the server's: ws://HOST:PORT")))
        }
    }
}

/// A file may be called like one, but none is there.
fn is_url(word: &str) -> bool {
    word.contains("://") && !Path::new(word).exists()
}

/// Whether this is HOST:PORT.
fn is_address(word: &str) -> bool {
    word.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}
