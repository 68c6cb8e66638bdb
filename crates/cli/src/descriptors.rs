//! How many files, sockets and folders this process may have open.
//!
//! A connection takes one, a file that is received up to three, and a folder that is walked through a few, however
//! deep it is. The limit that most systems begin with, 1,024, is there for programs that use `select`; this one does not.

use bowline_store::{Source, StoreError};
use std::sync::OnceLock;

/// The limit, if there is one.
static LIMIT: OnceLock<Option<u64>> = OnceLock::new();

/// A client with all its files and connections stays well below this.
const PLENTY: u64 = 1024;
/// What a client keeps for its connection: a socket, and what looking up a name and reading certificates take.
const SPARE: usize = 4;
/// Into so many parts the limit is divided among transfers.
const SHARES: u64 = 8;
/// And between the connections of a server and its files.
const HALVES: u64 = 2;

/// Raises the limit as far as this process may.
pub(crate) fn raise() {
    LIMIT.get_or_init(raised);
}

/// Of so many transfers at once on a connection, or of one client on all its connections, how many there should be: so that
/// a client finds room for all that it fetches, and at a server the files of one, three for each transfer, leave more than
/// half of the limit to others. The rest wait without an open file.
pub(crate) fn share<T: TryFrom<u64> + Ord>(transfers: T) -> T {
    part(limit(), SHARES, transfers)
}

/// Of so many connections of a server, how many there should be: half of what may be open, so that files have the rest.
pub(crate) fn connections(most: usize) -> usize {
    part(limit(), HALVES, most)
}

/// One of so many parts of the limit, four at least, but not more than `most`.
fn part<T: TryFrom<u64> + Ord>(limit: Option<u64>, parts: u64, most: T) -> T {
    match limit.map(|limit| T::try_from((limit / parts).max(4))) {
        Some(Ok(part)) => part.min(most),
        _ => most,
    }
}

/// Opens a source, and leaves enough for the connection: files that wait for a link which cannot be opened because of them
/// would wait for ever.
///
/// # Errors
/// That of the source; `TooManyOpen`, too, if nothing else could be opened beside it.
pub(crate) fn sparing(open: impl FnOnce() -> Result<Source, StoreError>) -> Result<Source, StoreError> {
    let source = open()?;
    if !are_plenty() {
        // All of them at once, and all closed behind it.
        let spare: Result<Vec<_>, _> = (0..SPARE).map(|_| Source::open(source.path())).collect();
        if let Err(error) = spare {
            if error.kind() == bowline_store::ErrorKind::TooManyOpen {
                return Err(error);
            }
        }
    }
    Ok(source)
}

/// Whether a client need not count them.
pub(crate) fn are_plenty() -> bool {
    limit().is_none_or(|limit| limit >= PLENTY)
}

fn limit() -> Option<u64> {
    LIMIT.get().copied().flatten()
}

#[cfg(unix)]
fn raised() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// macOS takes no more, whatever it says.
    const MOST_OF_MACOS: u64 = 10_240;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raise = |to: Option<u64>| setrlimit(Resource::Nofile, Rlimit { current: to, maximum });
    let least = maximum.map_or(MOST_OF_MACOS, |maximum| maximum.min(MOST_OF_MACOS));
    // What cannot be raised stays as it is, and is borne.
    if current != maximum && raise(maximum).is_err() && current.is_some_and(|current| current < least) {
        let _ = raise(Some(least));
    }
    getrlimit(Resource::Nofile).current
}

#[cfg(not(unix))]
fn raised() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_invites_few_transfers_and_never_none() {
        let shares =
            [None, Some(1 << 20), Some(1024), Some(64), Some(8)].map(|limit| part(limit, SHARES, 256));
        assert_eq!(shares, [256, 256, 128, 8, 4]);
    }

    #[test]
    fn one_client_with_all_its_connections_and_files_leaves_room_for_another() {
        for limit in [64, 256, 1024, 4096] {
            let (files, links) = (3 * part(Some(limit), SHARES, 1024), part(Some(limit), HALVES, 1024));
            assert!(files + links <= limit * 7 / 8, "{limit}: {files} files, {links} connections");
        }
        assert_eq!(part(None, HALVES, 1024), 1024);
    }
}
