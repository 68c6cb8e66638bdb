//! The settings of a store.

use std::path::PathBuf;
use std::time::Duration;

/// How a [`DiskStore`](crate::DiskStore) treats the folder it serves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where partial files and journals live, relative to the served folder. Default `.bowline`: on the same file
    /// system as the finished files, so that a commit is a rename, and hidden from a plain listing.
    pub staging: PathBuf,
    /// Whether a finished file replaces a different one of its name. Default `false`: a sender must not destroy what it
    /// did not write.
    pub overwrite: bool,
    /// How long the journal of a committed transfer is kept, so that a sender that missed the confirmation gets it
    /// when it asks again. Default one day: a laptop that was shut at the last byte is opened again by then. `None`
    /// removes journals at commit, and the staging folders as soon as they are empty.
    pub keep_committed: Option<Duration>,
    /// How long after its last progress a partial file expires: it is swept away, and its id is unknown. Default seven
    /// days: long enough for a holiday weekend, short enough that abandoned uploads do not fill the disk. Only bytes
    /// that became safe count as progress. `None` keeps them for good.
    pub expire_after: Option<Duration>,
    /// How long after its beginning it expires, whatever progress it makes. Default 30 days: a sender of one byte a day
    /// does not mean to finish. `None` sets no such end.
    pub max_age: Option<Duration>,
    /// What each principal may keep in partial files.
    pub quota: Quota,
    /// Whether an attach fails with [`NoSpace`](crate::ErrorKind::NoSpace) when the rest of the file is larger than the
    /// free space, or the whole file larger than that of another disk that it goes to. Default `true`: better refused
    /// at the first byte than stopped at the last. Switch it off where the file system compresses or reports no sizes.
    pub check_space: bool,
    /// Whether a folder that was there before gets the time and the mode that a sender announces. Default `false`: they
    /// are applied only to what this process has made for that sender. Set it to `true` where a user fetches for
    /// themselves.
    pub adopt_folders: bool,
    /// How many bytes of memory the listings of folders that are being sent may hold together. Default 64 MiB: a
    /// million files with names of ordinary length. A principal with a name takes at most half of it, unless by a
    /// single listing.
    pub listings: usize,
    /// Whether what has arrived of a listing when a link ends is kept in staging, so that another process can resume
    /// it. Default `true`: the listing of a large tree may have taken a while. Within a process it is resumed in either
    /// case.
    pub keep_listings: bool,
    /// What a durable byte has to survive. Default [`Durability::Full`].
    pub fsync: Durability,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            staging: PathBuf::from(".bowline"),
            overwrite: false,
            keep_committed: Some(Duration::from_secs(24 * 3600)),
            expire_after: Some(Duration::from_secs(7 * 24 * 3600)),
            max_age: Some(Duration::from_secs(30 * 24 * 3600)),
            quota: Quota::default(),
            check_space: true,
            adopt_folders: false,
            listings: 64 << 20,
            keep_listings: true,
            fsync: Durability::Full,
        }
    }
}

impl Config {
    /// For files that this program fetches itself: there are no quotas, since nobody has to be limited; what has
    /// arrived is kept until it is requested again; and the journal of a complete file is removed.
    pub fn fetching() -> Self {
        let quota = Quota { bytes: None, partials: None };
        Self { keep_committed: None, expire_after: None, max_age: None, quota, ..Self::default() }
    }
}

/// What a principal may keep in partial files. Beyond it, an attach fails with [`Quota`](crate::ErrorKind::Quota); with
/// [`QuotaBusy`](crate::ErrorKind::QuotaBusy) if there will be room once open transfers have ended; and with
/// [`OverQuota`](crate::ErrorKind::OverQuota) if there will never be. Finished files are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// How many bytes. A file under way counts with its whole length, one at rest with what is safe. Default 1 TiB:
    /// more than is sent in a week of [`Config::expire_after`] over 10 Mbit/s, and less than a whole archive. `None`:
    /// no limit.
    pub bytes: Option<u64>,
    /// How many files. Default 10,000: a link leaves up to 256 of them behind each time it is cut. `None`: no limit.
    pub partials: Option<u64>,
}

impl Quota {
    pub(crate) fn is_none(&self) -> bool {
        self.bytes.is_none() && self.partials.is_none()
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self { bytes: Some(1 << 40), partials: Some(10_000) }
    }
}

/// What a byte that is reported as durable has to survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// A power cut: every promise is synchronised to the device first.
    Full,
    /// A crash of the process only: nothing is synchronised. For tests, and for folders that live in memory.
    None,
}
