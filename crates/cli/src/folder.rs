//! Fetches a folder: its listing first, then each file by its name, and finally the times of the folders.

use crate::claim::Claim;
use crate::disk::on_disk;
use crate::identity::Identity;
use crate::news::{Counted, Ended, Ends, Lost, News, Subject};
use bowline_core::transfer::listing::Entry;
use bowline_core::transfer::{ByteRange, Kind, Listing, SafeName, TransferId};
use bowline_store::{Config, DiskStore, ErrorKind, FolderSpec, StoreError};
use bowline_tokio::{Client, Download, LinkState, Transfer, TransferError};
use std::path::{Path, PathBuf};
use std::{fs, io};
use tokio::sync::mpsc;

/// Fetches what a name stands for: a file, or a folder with all its contents.
pub(crate) struct Gatherer {
    pub(crate) client: Client,
    pub(crate) server: String,
    pub(crate) identity: Identity,
    pub(crate) name: SafeName,
    /// The bytes to fetch, if it is a file.
    pub(crate) range: ByteRange,
    /// Where it goes, if it is a folder.
    pub(crate) place: PathBuf,
    /// Whether a folder may go there.
    pub(crate) claim: Claim,
    pub(crate) overwrite: bool,
    /// Whether permissions, and the times of folders, are kept.
    pub(crate) preserve: bool,
    pub(crate) tell: mpsc::Sender<News>,
    pub(crate) ends: Ends,
}

/// Nobody is listening any longer: the command has ended, or the server is out of reach for good.
struct Over;

impl Gatherer {
    /// Requests what the name stands for; a file goes to `output`.
    pub(crate) async fn run(mut self, id: TransferId, output: PathBuf) {
        // If nobody is listening, the command has ended.
        let _ = self.fetch(id, output).await;
    }

    async fn fetch(&mut self, id: TransferId, output: PathBuf) -> Result<(), Over> {
        let result = self.first(id, &output).await;
        self.begun(0, result).await?;
        // The end of a file ends the command.
        let Some(Ended { listing: Some(listing), .. }) = self.ends.recv().await else { return Ok(()) };
        let totals = listing.totals();
        let (files, folders, bytes) = (totals.files, totals.folders + 1, totals.bytes);
        self.tell(News::Counted(Counted { files, folders, bytes })).await?;
        let here = self.name.as_str();
        if totals.skipped > 0 {
            let why = format!("links and devices in it: {}", totals.skipped);
            self.leave_out(here, &why, Lost::Nothing).await?;
        }
        if totals.unnamed > 0 {
            let why = format!("not readable there, or with names that are not safe: {}", totals.unnamed);
            self.leave_out(here, &why, Lost::Missed(totals.unnamed)).await?;
        }
        match self.open().await {
            Ok(store) => self.gather(&store, &listing).await,
            Err(why) => self.leave_out(here, &why, Lost::Missed(files + folders)).await,
        }
    }

    async fn first(&self, id: TransferId, output: &Path) -> Result<Transfer, TransferError> {
        let (Some(dir), Some(file)) = (output.parent(), output.file_name()) else {
            return Err(TransferError::Closed);
        };
        let store = self.store(dir.to_owned()).await.map_err(TransferError::File)?;
        let local = file.to_str().map_or(Err(bowline_core::transfer::NameError::NotUtf8), SafeName::parse);
        let local = local.map_err(|why| {
            let text = format!("{}: {why}", output.display());
            bowline_core::transfer::Failure::local(bowline_core::transfer::Code::NameInvalid, text)
        })?;
        let mut download = self.download(&store, id, self.name.clone(), local);
        download.range = self.range;
        self.client.fetch(&store, download).await
    }

    /// Opens the folder as a store, and creates it if necessary.
    async fn open(&self) -> Result<DiskStore, String> {
        let (place, claim, shown) = (self.place.clone(), self.claim.clone(), self.place.display());
        let made = move || Ok(claim.take() && made(&place, fs::create_dir(&place))?);
        match on_disk(self.name.as_str(), &self.tell, made).await {
            Ok(true) => {}
            Ok(false) => {
                return Err(format!(
                    "it is a folder, and {shown} is a folder with other things in it; write {}/ to put its contents there, \
                     or choose another place with -o",
                    self.name
                ));
            }
            Err(error) => {
                let why = error.io_error().map_or_else(|| error.reason(), io::Error::to_string);
                return Err(format!("{shown} cannot be made: {why}; choose another place with -o"));
            }
        }
        self.store(self.place.clone()).await.map_err(|error| match error.kind() {
            ErrorKind::NotAFolder => format!("{shown} is not a folder; choose another place with -o"),
            _ => error.to_string(),
        })
    }

    async fn store(&self, dir: PathBuf) -> Result<DiskStore, StoreError> {
        let mut config = Config::fetching();
        config.overwrite = self.overwrite;
        config.adopt_folders = self.preserve;
        on_disk(self.name.as_str(), &self.tell, move || {
            let store = DiskStore::open(&dir, config.clone())?;
            // Looks for what an earlier process has begun. It does so here, where waiting for a disk is fine.
            store.unfinished();
            Ok(store)
        })
        .await
    }

    async fn gather(&mut self, store: &DiskStore, listing: &Listing) -> Result<(), Over> {
        // The folder itself.
        self.tell(News::FolderMade).await?;
        let (mut next, mut open, mut folders) = (1, 0_usize, Vec::new());
        for entry in listing.entries() {
            while self.ends.try_recv().is_ok() {
                open -= 1;
            }
            let name = match self.name.child(entry.name.as_str()) {
                Ok(name) => name,
                Err(why) => {
                    self.leave_out(&format!("{}/{}", self.name, entry.name), &why, Lost::Missed(1)).await?;
                    continue;
                }
            };
            let subject = Subject {
                name: name.as_str().into(),
                bytes: entry.length,
                folder: entry.kind == Kind::Folder,
            };
            if subject.folder {
                // Its time is set last, and its mode might keep its own files out.
                let plain = FolderSpec::new(entry.name.clone());
                match self.make(store, &name, plain).await {
                    Ok(()) => {
                        self.tell(News::FolderMade).await?;
                        folders.push((name, entry));
                    }
                    Err(error) => self.leave_out(name.as_str(), &error, Lost::Missed(1)).await?,
                }
                continue;
            }
            self.tell(News::Found { index: next, subject }).await?;
            let place = self.place.join(entry.name.as_str());
            let id = self.identity.of_fetch(&self.server, name.as_str(), ByteRange::WHOLE, &place);
            let mut download = self.download(store, id, name, entry.name);
            download.length = Some(entry.length);
            let result = self.client.fetch(store, download).await;
            self.begun(next, result).await?;
            next += 1;
            open += 1;
        }
        while open > 0 {
            self.ends.recv().await.ok_or(Over)?;
            open -= 1;
        }
        if self.preserve {
            // The innermost first, so that no change affects the time of a folder that is done.
            for (shown, Entry { name, mtime_ms, unix_mode, .. }) in folders.into_iter().rev() {
                let mut dressed = FolderSpec::new(name);
                (dressed.mtime_ms, dressed.unix_mode) = (mtime_ms, unix_mode);
                if let Err(error) = self.make(store, &shown, dressed).await {
                    self.leave_out(shown.as_str(), &error, Lost::Missed(1)).await?;
                }
            }
            let (store, mtime_ms, unix_mode) = (store.clone(), listing.mtime_ms(), listing.unix_mode());
            let name = self.name.as_str();
            if let Err(error) = on_disk(name, &self.tell, move || store.dress(mtime_ms, unix_mode)).await {
                self.leave_out(name, &error, Lost::Missed(1)).await?;
            }
        }
        Ok(())
    }

    fn download(&self, store: &DiskStore, id: TransferId, name: SafeName, local: SafeName) -> Download {
        let mut download = Download::new(id, name, local);
        download.unix_mode = self.preserve;
        download.begun = store.has_begun(id);
        download
    }

    /// Creates a folder, or gives an existing one these attributes; `name` is its name in the store.
    async fn make(&self, store: &DiskStore, name: &SafeName, spec: FolderSpec) -> Result<(), StoreError> {
        let store = store.clone();
        on_disk(name.as_str(), &self.tell, move || store.make_folder(&spec).map(|_| ())).await
    }

    async fn begun(&self, index: usize, result: Result<Transfer, TransferError>) -> Result<(), Over> {
        self.tell(News::Begun { index, result }).await?;
        if let LinkState::Ended { .. } = *self.client.link().borrow() { Err(Over) } else { Ok(()) }
    }

    async fn leave_out(&self, name: &str, why: &impl ToString, lost: Lost) -> Result<(), Over> {
        self.tell(News::LeftOut { name: name.into(), why: why.to_string(), lost }).await
    }

    async fn tell(&self, news: News) -> Result<(), Over> {
        self.tell.send(news).await.map_err(|_| Over)
    }
}

/// Evaluates what the system says about creating a folder.
fn made(place: &Path, outcome: io::Result<()>) -> Result<bool, StoreError> {
    match outcome {
        // The store looks at whatever exists there.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(StoreError::io(place, error)),
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_room_is_waited_for_and_one_that_is_there_is_not() {
        let kind =
            |error: io::ErrorKind| made(Path::new("back"), Err(error.into())).map_err(|error| error.kind());
        // Work on a disk waits for these errors to pass.
        assert_eq!(kind(io::ErrorKind::StorageFull), Err(ErrorKind::NoSpace));
        assert_eq!(kind(io::ErrorKind::QuotaExceeded), Err(ErrorKind::NoSpace));
        assert_eq!(kind(io::ErrorKind::AlreadyExists), Ok(true));
        assert_eq!(kind(io::ErrorKind::PermissionDenied), Err(ErrorKind::Denied));
        assert_eq!(made(Path::new("back"), Ok(())).map_err(|error| error.kind()), Ok(true));
    }
}
