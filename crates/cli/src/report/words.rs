//! The words for what happens to a file.

use crate::plain::plain;
use crate::units::{Rate, Size, span};
use bowline_core::transfer::{Code, Failure, Stage};
use bowline_tokio::Finished;

/// The direction of the files, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verb {
    pub(crate) now: &'static str,
    pub(crate) does: &'static str,
    pub(crate) then: &'static str,
}

pub(crate) const SEND: Verb = Verb { now: "sending", does: "sends", then: "sent" };
pub(crate) const FETCH: Verb = Verb { now: "fetching", does: "fetches", then: "fetched" };
/// Only a listing is fetched.
pub(crate) const LIST: Verb = Verb { now: "listing", does: "lists", then: "listed" };

/// Where a fetch puts what it names, unless the name says so: as a file, or as a folder.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(crate) file: Option<String>,
    pub(crate) folder: Option<String>,
}

/// The line for a file that is complete: under which other name, if any, and what it took.
pub(super) fn done_line(verb: Verb, finished: &Finished, place: Option<&str>, digits: usize) -> String {
    let Finished { name, bytes, digest, deduplicated, resumed, resent, links, seconds, .. } = finished;
    let digest = format!("blake3 {}", &digest.to_string()[..digits]);
    let name = place.map_or_else(|| name.as_str().to_owned(), |place| format!("{name} as {}", plain(place)));
    if *deduplicated {
        return format!("already there: {name} ({}), {digest}", Size(*bytes));
    }
    let (size, time) = (Size(*bytes), span(*seconds));
    let before = if *resumed > 0 { format!(" ({} of it earlier)", Size(*resumed)) } else { String::new() };
    // The rate of a moment means nothing, and what was there before this process has none.
    let rate = Rate { bytes: bytes - resumed, seconds: *seconds };
    let rate = if *seconds < 0.1 { String::new() } else { format!(" ({rate})") };
    let cost =
        if *links > 1 { format!(", {links} connections, {} twice", Size(*resent)) } else { String::new() };
    format!("{} {name}: {size}{before} in {time}{rate}{cost}, {digest}", verb.then)
}

/// Why a transfer waits; for a disk or a busy end, also which one.
pub(super) fn why(failure: &Failure) -> String {
    match (failure.code, failure.by_peer) {
        (Code::NoSpace | Code::StoreFailed | Code::Busy, false) => format!("here: {failure}"),
        _ => failure.to_string(),
    }
}

/// What a transfer is doing.
pub(super) fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Opening => "opening",
        Stage::Moving => "moving",
        Stage::Finishing => "finishing",
        Stage::Paused { .. } => "paused",
        _ => "other",
    }
}

/// At most this many characters of a name, to leave room for the bar.
pub(super) fn shortened(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.into();
    }
    name.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_wait_says_which_end_it_comes_from() {
        let mut failure = Failure::local(Code::Busy, "too many files are open");
        assert_eq!(why(&failure), "here: too many files are open");
        failure.by_peer = true;
        assert_eq!(why(&failure), "the other side says: too many files are open");
    }
}
