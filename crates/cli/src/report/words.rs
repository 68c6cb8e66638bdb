//! The words for what happens to a file.

use super::Verb;
use crate::units::{Rate, Size, Span};
use bowline_core::transfer::Stage;
use bowline_tokio::Finished;

/// That a file is there, and what it took.
pub(super) fn done_line(verb: Verb, finished: &Finished, digits: usize) -> String {
    let Finished { name, bytes, digest, deduplicated, resent, links, seconds, .. } = finished;
    let digest = format!("blake3 {}", &digest.to_string()[..digits]);
    if *deduplicated {
        return format!("already there: {name} ({}), {digest}", Size(*bytes));
    }
    let (size, time) = (Size(*bytes), Span::seconds(*seconds));
    // The rate of a moment says nothing.
    let rate = Rate { bytes: *bytes, seconds: *seconds };
    let rate = if *seconds < 0.1 { String::new() } else { format!(" ({rate})") };
    let cost =
        if *links > 1 { format!(", {links} connections, {} twice", Size(*resent)) } else { String::new() };
    format!("{} {name}: {size} in {time}{rate}{cost}, {digest}", verb.then)
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

/// A name that leaves room for the bar.
pub(super) fn shortened(name: &str) -> String {
    const MOST: usize = 24;
    if name.chars().count() <= MOST {
        return name.into();
    }
    name.chars().take(MOST - 1).chain(['…']).collect()
}
