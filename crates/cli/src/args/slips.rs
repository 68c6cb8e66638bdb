//! Better error messages for some mistakes on the command line, with what to type instead.

use super::Cli;
use crate::exit::Trouble;
use crate::url;
use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A better message than clap's, if there is one.
pub(crate) fn explain(error: &clap::Error, words: &[OsString]) -> Option<Trouble> {
    lone_word(error, words)
        .or_else(|| misplaced(error, words))
        .or_else(|| dashed(error, words))
        .or_else(|| unsaid(error, words))
}

/// For a wrong value from the environment: nobody has typed the option that clap names.
fn unsaid(error: &clap::Error, words: &[OsString]) -> Option<Trouble> {
    let ContextValue::String(option) = error.get(ContextKind::InvalidArg)? else { return None };
    let option = option.split(' ').next().filter(|_| error.kind() == ErrorKind::ValueValidation)?;
    let is_said = |word: &OsString| {
        let rest = word.as_encoded_bytes().strip_prefix(option.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
    };
    let cli = Cli::command();
    let variable = cli.get_subcommands().flat_map(clap::Command::get_arguments).find_map(|arg| {
        let variable = arg.get_env().filter(|_| arg.get_long() == option.strip_prefix("--"))?;
        variable.to_str().map(str::to_owned)
    });
    let (variable, why) = (variable.filter(|_| !words.iter().any(is_said))?, error.source()?);
    Some(Trouble::usage(format!("{variable} in the environment: {why}")))
}

/// For a file whose name looks like an option.
fn dashed(error: &clap::Error, words: &[OsString]) -> Option<Trouble> {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(unknown)) if error.kind() == ErrorKind::UnknownArgument => unknown,
        _ => return None,
    };
    // Of a word with a single dash, clap names only one letter.
    let is_it = |word: &OsString| {
        let word = word.as_encoded_bytes();
        word == unknown.as_bytes() || (!word.starts_with(b"--") && word.starts_with(unknown.as_bytes()))
    };
    let at = words.iter().position(is_it).filter(|_| unknown.starts_with('-'))?;
    let is_place = at > 0 && ["-o", "--output", "--dir"].iter().any(|option| words[at - 1] == *option);
    let shown = Path::new(&words[at]).display();
    let found = is_place || Path::new(&words[at]).exists();
    found.then(|| {
        Trouble::usage(format!("{shown} begins with a dash and is taken for an option; write ./{shown}"))
    })
}

/// For a `send` with only one word. clap takes it for the URL, and says only that something is missing.
fn lone_word(error: &clap::Error, words: &[OsString]) -> Option<Trouble> {
    let missing =
        error.get(ContextKind::InvalidArg).filter(|_| error.kind() == ErrorKind::MissingRequiredArgument);
    let Some(ContextValue::Strings(missing)) = missing else { return None };
    // Options stand before it.
    let word = words.last().filter(|_| *missing == ["<FILE>..."])?;
    let shown = Path::new(word).display().to_string();
    Some(Trouble::usage(if is_url(&shown) {
        format!("no file is named; type bowline send FILE {}", url::shown(&shown))
    } else {
        format!("no server is named; type bowline send {shown} ws://HOST:PORT")
    }))
}

/// For a word or an option that means something else here.
fn misplaced(error: &clap::Error, words: &[OsString]) -> Option<Trouble> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return None };
    let has = |name: &str| words.iter().any(|word| word == name);
    let is_option = word.starts_with('-');
    Some(Trouble::usage(match () {
        () if error.kind() != ErrorKind::UnknownArgument => return None,
        () if word == "--overwrite" && has("send") => {
            "whether a send replaces a file is up to the server: serve with --overwrite".to_owned()
        }
        () if !is_option && has("fetch") => {
            format!("{word} is one word too many; to put the file there, use -o {word}")
        }
        () if !is_option && has("serve") => {
            format!("{word} is one word too many; to take files into this folder, use --dir {word}")
        }
        () => return None,
    }))
}

/// Checks that the last word of a `send`, and no other, is a URL.
pub(crate) fn check_order(files: &[PathBuf], last: &str) -> Result<(), Trouble> {
    let mut urls = files.iter().map(|file| file.to_string_lossy()).filter(|file| is_url(file));
    match (urls.next(), is_url(last)) {
        (None, true) => Ok(()),
        (Some(first), true) => Err(Trouble::usage(format!(
            "{} and {} are two servers; send to one after the other",
            url::shown(&first),
            url::shown(last)
        ))),
        (Some(first), false) => {
            let file = if files.len() == 1 { last } else { "FILE..." };
            let server = url::shown(&first);
            Err(Trouble::usage(format!("the URL comes last; type bowline send {file} {server}")))
        }
        (None, false) => {
            // What may be a user's secret is not shown.
            let secret = last.rsplit_once('@').filter(|(user, _)| user.contains(':'));
            let shown = secret.map_or(last, |(_, rest)| rest);
            Err(Trouble::usage(if let Some(mended) = url::mended(shown) {
                format!("{shown} is not a URL; write {mended}")
            } else if is_address(last) {
                format!("{shown} is not a URL; write ws://{shown}")
            } else {
                format!("{shown} is not a URL; the last word must be the server: ws://HOST:PORT")
            }))
        }
    }
}

/// A file may have such a name, but then it exists.
fn is_url(word: &str) -> bool {
    word.contains("://") && !Path::new(word).exists()
}

/// Whether this is HOST:PORT.
fn is_address(word: &str) -> bool {
    word.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}
