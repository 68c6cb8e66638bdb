//! The files of a client's transfers: where they come from, and where they go.

use std::path::{Path, PathBuf};

use bowline_core::transfer::{ByteRange, Code, Failure, Offer, SafeName, TransferId, What};
use bowline_store::{DiskStore, Pipe, Source, StoreError};

use crate::transfer::TransferError;

/// A file to fetch, or a part of one, or a listing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Download {
    /// The transfer: the same id resumes where an earlier process stopped.
    pub id: TransferId,
    /// What the server is asked for.
    pub what: What,
    /// The name that it gets locally.
    pub local: SafeName,
    /// Which bytes of it. A part is a transfer with an id of its own, and a local file of its own. A folder has no
    /// parts.
    pub range: ByteRange,
    /// How many bytes it is expected to have. Small files wait less for a place.
    pub length: Option<u64>,
    /// Whether it gets the permissions that it has on the server.
    pub unix_mode: bool,
    /// Whether an earlier process has begun it; [`DiskStore::has_begun`](bowline_store::DiskStore::has_begun) tells. If
    /// so, the server waits to hear what is already here before it sends the beginning of a small file once more.
    pub begun: bool,
}

impl Download {
    /// The file of this name, under another local name. Set everything else afterwards.
    pub fn new(id: TransferId, name: SafeName, local: SafeName) -> Self {
        Self::of(id, What::Named(name), local)
    }

    /// A listing, and not a file: of the folder of this name, or of the file, which has one line; without a name, of
    /// everything that this client may fetch. Servers that do not know the question end the transfer with
    /// [`Code::Unsupported`].
    pub fn listing(id: TransferId, name: Option<SafeName>) -> Self {
        let what = What::Listing(name);
        let local = what.label();
        Self::of(id, what, local)
    }

    fn of(id: TransferId, what: What, local: SafeName) -> Self {
        Self { id, what, local, range: ByteRange::WHOLE, length: None, unix_mode: false, begun: false }
    }
}

/// Where the bytes of an upload come from.
#[derive(Debug)]
pub enum Feed {
    /// A folder has none.
    Nothing,
    /// A file.
    Source(Source),
    /// What comes through a pipe.
    Pipe(Pipe),
}

impl From<Option<Source>> for Feed {
    fn from(source: Option<Source>) -> Self {
        source.map_or(Self::Nothing, Self::Source)
    }
}

/// The offer of a file under this name, and its source. Waits for the disk.
///
/// # Errors
/// The file cannot be read.
pub fn offer_of(path: &Path, name: SafeName, id: TransferId) -> Result<(Offer, Source), StoreError> {
    let source = Source::open(path)?;
    let mut offer = Offer::new(id, name, source.length());
    offer.mtime_ms = source.mtime_ms();
    offer.validator = Some(source.validator());
    Ok((offer, source))
}

/// A store that only serves a fetch to this path, the download to fetch into it, and whether an earlier process has
/// begun it. Waits for the disk.
///
/// # Errors
/// The path does not name a file, or the folder cannot be written to.
pub fn landing(
    id: TransferId,
    name: SafeName,
    to: &Path,
    overwrite: bool,
) -> Result<(DiskStore, Download), TransferError> {
    let (dir, file) = place_of(to)?;
    let mut config = bowline_store::Config::fetching();
    config.overwrite = overwrite;
    let store = DiskStore::open(&dir, config)?;
    let mut download = Download::new(id, name, file);
    download.begun = store.has_begun(id);
    Ok((store, download))
}

/// The folder of a path, and the last part of it as a name.
fn place_of(path: &Path) -> Result<(PathBuf, SafeName), TransferError> {
    let unusable = |text: String| TransferError::Failed(Failure::local(Code::NameInvalid, text));
    let file = path.file_name().and_then(|name| name.to_str());
    let file = file.ok_or_else(|| unusable(format!("{} does not name a file", path.display())))?;
    let name = SafeName::parse(file).map_err(|e| unusable(format!("{}: {e}", path.display())))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((dir.to_owned(), name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_store::{Attach, Mode, Spec};
    use std::time::SystemTime;

    #[test]
    fn a_download_begun_by_an_earlier_process_is_found_at_its_destination() {
        let dir = tempfile::tempdir().unwrap();
        let (to, id) = (dir.path().join("file"), TransferId::from_bytes([1; 16]));
        let name = || SafeName::parse("there").unwrap();
        let (store, download) = landing(id, name(), &to, false).unwrap();
        assert!(!download.begun);
        let (spec, attach) =
            (Spec::new(download.local, Some(10)), Attach::new(Mode::AttachOrCreate, [1; 16]));
        drop((store.attach(id, &spec, attach, SystemTime::now()).unwrap(), store));
        assert!(landing(id, name(), &to, false).unwrap().1.begun);
        let other = TransferId::from_bytes([2; 16]);
        assert!(!landing(other, name(), &to, false).unwrap().1.begun);
    }

    #[test]
    fn a_path_is_a_folder_and_a_name_in_it() {
        let (dir, name) = place_of(Path::new("a/b.txt")).unwrap();
        assert_eq!((dir.as_path(), name.as_str()), (Path::new("a"), "b.txt"));
        assert_eq!(place_of(Path::new("b.txt")).unwrap().0, Path::new("."));
        for bad in ["..", "/", "a/nul\u{1}"] {
            let error = place_of(Path::new(bad)).unwrap_err();
            assert!(matches!(error, TransferError::Failed(f) if f.code == Code::NameInvalid), "{bad}");
        }
    }
}
