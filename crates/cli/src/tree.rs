//! Sends a folder with all its contents: a walk finds files, transfers send them, and folders come last.
//!
//! ```text
//!  walk (a thread) ─ steps ─▶ feed ─ one at a time, as places become free ─▶ client
//!                              ▲                                               │
//!                              └──────────── ended ◀── courier ◀───────────────┘
//! ```

use crate::ahead::{self, Opened, Step};
use crate::descriptors::sparing;
use crate::disk::on_disk;
use crate::identity::Identity;
use crate::nest::{Nest, Ready};
use crate::news::{Counted, Ended, Ends, Lost, News, Subject};
use bowline_core::transfer::listing::Entry;
use bowline_core::transfer::{Batch, Kind, Offer, SafeName};
use bowline_store::{DiskStore, ErrorKind, Found, LeftOut, Source, StoreError};
use bowline_tokio::{Client, LinkState, Transfer, TransferError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A folder to send, with the name that it gets.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) name: SafeName,
    store: DiskStore,
    path: PathBuf,
}

impl Tree {
    pub(crate) fn open(path: &Path, name: SafeName) -> Result<Self, StoreError> {
        let store = DiskStore::open(path, bowline_store::Config::default())?;
        Ok(Self { name, store, path: path.to_owned() })
    }
}

/// Queues files and folders, and reports each of them.
pub(crate) struct Feeder {
    pub(crate) client: Client,
    pub(crate) server: String,
    pub(crate) identity: Arc<Identity>,
    /// Whether permissions, and the times of folders, are sent.
    pub(crate) preserve: bool,
    pub(crate) tell: mpsc::Sender<News>,
    pub(crate) ends: Ends,
    /// The number of the next transfer.
    pub(crate) next: usize,
    pub(crate) nest: Nest,
}

/// Nobody is listening any longer: the command has ended, or the server is out of reach for good.
#[derive(Debug)]
pub(crate) struct Over;

/// Numbers the transfers of one tree.
struct Counter {
    id: [u8; 16],
    index: u32,
    /// How many there are; 0 until they have been counted.
    count: Arc<AtomicU32>,
}

impl Counter {
    fn next(&mut self) -> Batch {
        let batch = Batch { id: self.id, index: self.index, count: self.count.load(Ordering::Relaxed) };
        self.index = self.index.saturating_add(1);
        batch
    }
}

impl Feeder {
    /// Queues a tree. In the end, its last folders may still wait for their contents.
    pub(crate) async fn feed(&mut self, tree: Tree) -> Result<(), Over> {
        let batch = self.identity.of_folder(&self.server, tree.name.as_str(), "batch");
        let count = Arc::new(AtomicU32::new(0));
        let counting = self.count(&tree, Arc::clone(&count));
        let mut counter = Counter { id: *batch.as_bytes(), index: 0, count };
        let store = tree.store.clone();
        let walk = match on_disk(tree.name.as_str(), &self.tell, move || store.walk(None)).await {
            Ok(walk) => walk,
            Err(error) => {
                return self.leave_out(tree.path.display().to_string(), &error, Lost::Missed(1)).await;
            }
        };
        self.nest.enter(Some(Entry {
            name: tree.name.clone(),
            kind: Kind::Folder,
            length: 0,
            mtime_ms: walk.mtime_ms(),
            unix_mode: walk.unix_mode(),
        }));
        let mut steps = ahead::walk(walk, tree.store.clone());
        loop {
            self.settle(&mut counter).await?;
            tokio::select! {
                next = steps.recv() => match next {
                    Some(next) => self.take(&tree, next, &mut counter).await?,
                    None => break,
                },
                Some(Ended { index, .. }) = self.ends.recv() => self.nest.end(index),
            }
        }
        self.nest.leave();
        // The walk has ended, so only folders are left to send.
        let all = counter.index.saturating_add(self.nest.to_send().try_into().unwrap_or(u32::MAX));
        counter.count.store(all, Ordering::Relaxed);
        self.finish(&mut counter).await?;
        // It takes the same walk. The totals that it reports show that this was everything.
        let _ = counting.await;
        Ok(())
    }

    /// Waits until every folder has its contents and has been sent.
    async fn finish(&mut self, counter: &mut Counter) -> Result<(), Over> {
        loop {
            self.settle(counter).await?;
            if self.nest.is_empty() {
                return Ok(());
            }
            let Ended { index, .. } = self.ends.recv().await.ok_or(Over)?;
            self.nest.end(index);
        }
    }

    /// Records which transfers have ended, and sends the folders that waited for them.
    async fn settle(&mut self, counter: &mut Counter) -> Result<(), Over> {
        self.heed_ends();
        while let Some(ready) = self.nest.take_ready() {
            self.send_folder(ready, counter).await?;
        }
        Ok(())
    }

    fn heed_ends(&mut self) {
        while let Ok(Ended { index, .. }) = self.ends.try_recv() {
            self.nest.end(index);
        }
    }

    async fn take(&mut self, tree: &Tree, step: Step<Found>, counter: &mut Counter) -> Result<(), Over> {
        match step.found {
            Found::End(_) => self.nest.leave(),
            Found::File(entry) => match tree.name.child(entry.name.as_str()) {
                Ok(name) => return self.send_file(tree, entry, step.opened, name, counter).await,
                Err(why) => return self.leave_out(shown(tree, &entry), &why, Lost::Missed(1)).await,
            },
            Found::Folder(entry) => match tree.name.child(entry.name.as_str()) {
                Ok(name) => self.nest.enter(Some(Entry { name, ..entry })),
                Err(why) => {
                    self.nest.enter(None);
                    return self.leave_out(shown(tree, &entry), &why, Lost::Missed(1)).await;
                }
            },
            // The walk pauses, and tries again.
            Found::LeftOut { path, why: LeftOut::Unreadable(error) }
                if error.kind() == ErrorKind::TooManyOpen =>
            {
                let name = tree.path.join(path).display().to_string();
                return self.tell(News::put_off(name, &error, ahead::STANDSTILL)).await;
            }
            Found::LeftOut { path, why } => {
                let lost = if why.is_by_nature() { Lost::Nothing } else { Lost::Missed(1) };
                let path = tree.path.join(path).display().to_string();
                let why = match why {
                    LeftOut::Name(_) => format!("{why}; rename it, for not every system accepts such a name"),
                    LeftOut::Reserved => format!("{why}; rename it"),
                    why => why.to_string(),
                };
                return self.leave_out(path, &why, lost).await;
            }
        }
        Ok(())
    }

    async fn send_file(
        &mut self,
        tree: &Tree,
        entry: Entry,
        opened: Option<Opened>,
        name: SafeName,
        counter: &mut Counter,
    ) -> Result<(), Over> {
        let subject = Subject { name: name.as_str().into(), bytes: entry.length, folder: false };
        let index = self.found(subject).await?;
        let (store, batch) = (tree.store.clone(), counter.next());
        self.nest.begin(index);
        // Opened below the tree, even if something else has taken the place of its folders by now.
        self.send_source(index, name, Some(batch), opened, move || store.source(&entry.name)).await
    }

    /// Opens a file if it is not open yet, and sends what was opened, so that the id, the time and the bytes are from
    /// one version.
    pub(crate) async fn send_source(
        &mut self,
        index: usize,
        name: SafeName,
        batch: Option<Batch>,
        opened: Option<Opened>,
        open: impl Fn() -> Result<Source, StoreError> + Send + Sync + 'static,
    ) -> Result<(), Over> {
        // With files that are named one by one, nobody waits for the ends, and they must not pile up.
        self.heed_ends();
        let source = match opened.and_then(Opened::if_fresh) {
            Some(source) => Ok(source),
            None => on_disk(name.as_str(), &self.tell, move || sparing(&open)).await,
        };
        let result = match source {
            Err(error) => Err(TransferError::File(error)),
            Ok(source) => self.send_opened(name, batch, source).await,
        };
        self.begun(index, result).await
    }

    async fn send_opened(
        &self,
        name: SafeName,
        batch: Option<Batch>,
        source: Source,
    ) -> Result<Transfer, TransferError> {
        let id = self.identity.of_send(&self.server, name.as_str(), &source.identity());
        let mut offer = Offer::new(id, name, source.length());
        offer.mtime_ms = source.mtime_ms();
        offer.unix_mode = source.unix_mode().filter(|_| self.preserve);
        offer.validator = Some(source.validator());
        offer.batch = batch;
        self.client.offer(offer, Some(source)).await
    }

    async fn send_folder(&mut self, ready: Ready, counter: &mut Counter) -> Result<(), Over> {
        let Entry { name, mtime_ms, unix_mode, .. } = ready.entry.clone();
        let subject = Subject { name: name.as_str().into(), bytes: 0, folder: true };
        let index = self.found(subject).await?;
        self.nest.begin_ready(&ready, index);
        let id = self.identity.of_folder(&self.server, name.as_str(), "folder");
        let mut offer = Offer::folder(id, name);
        if self.preserve {
            (offer.mtime_ms, offer.unix_mode) = (mtime_ms, unix_mode);
        }
        offer.batch = Some(counter.next());
        let result = self.client.offer(offer, None).await;
        self.begun(index, result).await
    }

    /// Reports a transfer. If the server is out of reach for good, this transfer reports that, and no other need be
    /// tried.
    async fn begun(&self, index: usize, result: Result<Transfer, TransferError>) -> Result<(), Over> {
        self.tell(News::Begun { index, result }).await?;
        if let LinkState::Ended { .. } = *self.client.link().borrow() { Err(Over) } else { Ok(()) }
    }

    /// Counts what there is, in parallel with the walk that sends it, because a large tree need not wait for that.
    /// Stops once the sending has ended.
    fn count(&self, tree: &Tree, count: Arc<AtomicU32>) -> JoinHandle<()> {
        let (store, tell) = (tree.store.clone(), self.tell.downgrade());
        tokio::task::spawn_blocking(move || {
            let Ok(walk) = store.walk(None) else { return };
            // The folder itself.
            let (mut files, mut folders, mut bytes) = (0_u64, 1_u64, 0_u64);
            for found in walk {
                match found {
                    Found::File(entry) => {
                        files += 1;
                        bytes = bytes.saturating_add(entry.length);
                    }
                    Found::Folder(_) => folders += 1,
                    // A wrong count is worse than none.
                    Found::LeftOut { why, .. } if why.is_passing() => return,
                    Found::End(_) | Found::LeftOut { .. } => {}
                }
                if tell.upgrade().is_none_or(|tell| tell.is_closed()) {
                    return;
                }
            }
            count.store((files + folders).try_into().unwrap_or(0), Ordering::Relaxed);
            if let Some(tell) = tell.upgrade() {
                let _ = tell.blocking_send(News::Counted(Counted { files, folders, bytes }));
            }
        })
    }

    /// Reports a new transfer; returns its number.
    async fn found(&mut self, subject: Subject) -> Result<usize, Over> {
        let index = self.next;
        self.next += 1;
        self.tell(News::Found { index, subject }).await?;
        Ok(index)
    }

    async fn leave_out(&self, name: String, why: &impl ToString, lost: Lost) -> Result<(), Over> {
        self.tell(News::LeftOut { name, why: why.to_string(), lost }).await
    }

    async fn tell(&self, news: News) -> Result<(), Over> {
        self.tell.send(news).await.map_err(|_| Over)
    }
}

fn shown(tree: &Tree, entry: &Entry) -> String {
    tree.path.join(entry.name.as_str()).display().to_string()
}

#[cfg(all(test, unix))]
mod tests;
