//! How many files, sockets and folders this process may have open.
//!
//! A connection takes one, a file that is received up to three, and a folder that is walked through one for each level. The
//! limit that most systems begin with, 1,024, is there for programs that use `select`; this one does not.

use bowline_store::{Source, StoreError};
use std::sync::OnceLock;

/// The limit, if there is one.
static LIMIT: OnceLock<Option<u64>> = OnceLock::new();

/// A client with all its files and connections stays well below this.
const PLENTY: u64 = 1024;
/// What a client keeps for its connection: a socket, and what looking up a name and reading certificates take.
const SPARE: usize = 4;

/// Raises the limit as far as this process may.
pub(crate) fn raise() {
    LIMIT.get_or_init(raised);
}

/// Of so many transfers at once on a connection, how many there should be: so that a client finds room for all that it
/// fetches, and a server for some connections. The others wait without an open file.
pub(crate) fn share(transfers: u32) -> u32 {
    share_of(limit(), transfers)
}

/// Of so many transfers that one client may have at a server, on all its connections, how many there should be: their files
/// leave more than half of the limit to others, who could not even connect without.
pub(crate) fn share_of_one(transfers: usize) -> usize {
    share_of(limit(), u32::try_from(transfers).unwrap_or(u32::MAX)) as usize
}

/// Of so many connections of a server, how many there should be: half of what may be open, so that files have the rest.
pub(crate) fn connections(most: usize) -> usize {
    connections_of(limit(), most)
}

fn connections_of(limit: Option<u64>, most: usize) -> usize {
    let half = limit.map_or(u64::MAX, |limit| (limit / 2).max(4));
    usize::try_from(half).unwrap_or(usize::MAX).min(most)
}

fn share_of(limit: Option<u64>, transfers: u32) -> u32 {
    let share = limit.map_or(u64::MAX, |limit| (limit / 8).max(4));
    u32::try_from(share).unwrap_or(u32::MAX).min(transfers)
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
        let shares = [None, Some(1 << 20), Some(1024), Some(64), Some(8)].map(|limit| share_of(limit, 256));
        assert_eq!(shares, [256, 256, 128, 8, 4]);
    }

    #[test]
    fn one_client_with_all_its_connections_and_files_leaves_room_for_another() {
        for limit in [64, 256, 1024, 4096] {
            let (files, links) =
                (3 * u64::from(share_of(Some(limit), 1024)), connections_of(Some(limit), 1024));
            assert!(files + links as u64 <= limit * 7 / 8, "{limit}: {files} files, {links} connections");
        }
        assert_eq!(connections_of(None, 1024), 1024);
    }
}
