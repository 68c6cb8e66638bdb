//! How many files, sockets and folders this process may have open.
//!
//! A connection takes one, a file that is being received up to three, and a walk through a folder a few, however deep
//! the folder is. The limit with which most systems start, 1,024, is for the sake of programs that use `select`; this
//! one does not.

use bowline_store::{Source, StoreError};
use std::sync::OnceLock;

/// The limit, if there is one.
static LIMIT: OnceLock<Option<u64>> = OnceLock::new();

/// A client with all its files and connections stays well below this.
const PLENTY: u64 = 1024;
/// What a client keeps free for its connection: a socket, and what looking up a name and reading certificates need.
const SPARE: usize = 4;
/// The limit is divided by this among transfers.
const SHARES: u64 = 8;
/// On a server, the limit is divided by this between connections and files.
const HALVES: u64 = 2;

/// Raises the limit as far as this process is allowed to.
pub(crate) fn raise() {
    LIMIT.get_or_init(raised);
}

/// How many transfers at once a connection should have, or one client on all its connections, if this many are wanted.
/// A client then has room for everything that it fetches. On a server, the files of one client, three for each
/// transfer, leave more than half of the limit to others. The rest wait without an open file.
pub(crate) fn share<T: TryFrom<u64> + Ord>(transfers: T) -> T {
    part(limit(), SHARES, transfers)
}

/// How many connections a server should have, if this many are wanted: half of the limit, so that files get the rest.
pub(crate) fn connections(most: usize) -> usize {
    part(limit(), HALVES, most)
}

/// The limit divided by `parts`: at least four, but at most `most`.
fn part<T: TryFrom<u64> + Ord>(limit: Option<u64>, parts: u64, most: T) -> T {
    match limit.map(|limit| T::try_from((limit / parts).max(4))) {
        Some(Ok(part)) => part.min(most),
        _ => most,
    }
}

/// Opens a source, but leaves enough descriptors for the connection. Otherwise, files could wait for a link that cannot
/// be opened because of them.
///
/// # Errors
/// That of the source, or `TooManyOpen` if nothing else could be opened next to it.
pub(crate) fn sparing(open: impl FnOnce() -> Result<Source, StoreError>) -> Result<Source, StoreError> {
    let source = open()?;
    if !are_plenty() {
        // All of them at once. All are closed afterwards.
        let spare: Result<Vec<_>, _> = (0..SPARE).map(|_| Source::open(source.path())).collect();
        if let Err(error) = spare {
            if error.kind() == bowline_store::ErrorKind::TooManyOpen {
                return Err(error);
            }
        }
    }
    Ok(source)
}

/// Whether a client need not count its descriptors.
pub(crate) fn are_plenty() -> bool {
    limit().is_none_or(|limit| limit >= PLENTY)
}

fn limit() -> Option<u64> {
    LIMIT.get().copied().flatten()
}

#[cfg(unix)]
fn raised() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// macOS allows no more, whatever it claims.
    const MOST_OF_MACOS: u64 = 10_240;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raise = |to: Option<u64>| setrlimit(Resource::Nofile, Rlimit { current: to, maximum });
    let least = maximum.map_or(MOST_OF_MACOS, |maximum| maximum.min(MOST_OF_MACOS));
    // If the limit cannot be raised, it stays as it is.
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
    fn a_low_limit_allows_few_transfers_but_never_none() {
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
