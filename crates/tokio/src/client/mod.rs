//! A client that stays: it dials, dials again, and its transfers go on where they stopped.

mod config;
mod task;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bowline_core::connection::PingError;
use bowline_core::transfer::{Code, Failure, SUBPROTOCOL, SafeName, TransferId};
use bowline_handshake::client::{Request, RequestError};
use bowline_store::{DiskStore, Source, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc, oneshot, watch};

use crate::host::seed;
use crate::pings::{self, Waiter};
use crate::transfer::{Places, Tracked, Transfer, TransferError};
use task::Task;

pub use config::{ClientConfig, LinkEvent, LinkState};

/// How many transfers are under way at once; the others wait for a place. It hides the round trips of small files,
/// and keeps the number of open files low.
const PLACES: usize = 32;

/// A client of one server. Clones share the connection; it is closed when the last one is dropped and no transfer is
/// left.
///
/// ```no_run
/// use bowline_core::transfer::{SafeName, TransferId};
/// use bowline_tokio::{Client, ClientConfig};
/// use std::path::Path;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::new("ws://127.0.0.1:9000", ClientConfig::default())?;
/// let id = TransferId::from_bytes([7; 16]); // a random one, or one derived from the file
/// let mut upload = client.upload(Path::new("a.tar"), SafeName::parse("a.tar")?, id).await?;
/// let finished = upload.finished().await?;
/// println!("{} bytes over {} links, BLAKE3 {}", finished.bytes, finished.links, finished.digest);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::UnboundedSender<Command>,
    state: watch::Receiver<LinkState>,
    events: broadcast::Sender<LinkEvent>,
    places: Places,
}

/// What the application asks of the task behind a client.
#[derive(Debug)]
pub(crate) enum Command {
    Upload { id: TransferId, source: Source, tracked: Tracked },
    Download { id: TransferId, store: DiskStore, local: SafeName, tracked: Tracked },
    Cancel(TransferId),
    NetworkChanged,
    Ping(Waiter),
    Close(oneshot::Sender<()>),
}

impl fmt::Debug for Tracked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracked").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Client {
    /// Starts a client of the server at this `ws://` URL. It dials at once, in a task of its own; must be called in a
    /// tokio runtime.
    ///
    /// # Errors
    /// The URL or the token is not valid.
    pub fn new(url: &str, mut config: ClientConfig) -> Result<Self, RequestError> {
        let mut request = Request::new(url)?.with_subprotocol(SUBPROTOCOL)?;
        if let Some(token) = &config.token {
            request = request.with_header("authorization", format!("Bearer {token}"))?;
        }
        config.transfer.instance.copy_from_slice(&seed()[..16]);
        let (commands, inbox) = mpsc::unbounded_channel();
        let (state, watch) = watch::channel(LinkState::Dialing { attempt: 1 });
        let (events, _) = broadcast::channel(256);
        let task = Task::new(request, config, inbox, state, events.clone());
        tokio::spawn(task.run());
        Ok(Self { commands, state: watch, events, places: Arc::new(Semaphore::new(PLACES)) })
    }

    /// Sends a file under this name. The same id goes on where an earlier process stopped.
    ///
    /// Returns when the transfer is queued; waits while too many are under way. Cancel-safe: a cancelled call has
    /// queued nothing.
    ///
    /// # Errors
    /// The file cannot be read, or the client has ended.
    pub async fn upload(
        &self,
        path: &Path,
        name: SafeName,
        id: TransferId,
    ) -> Result<Transfer, TransferError> {
        let permit = self.permit().await?;
        let path = path.to_owned();
        let source = blocking(move || Source::open(&path)).await?;
        let (tracked, transfer) = Tracked::new(id, name, self.commands.clone(), permit);
        self.send(Command::Upload { id, source, tracked })?;
        Ok(transfer)
    }

    /// Fetches the file of this name to a path. The same id goes on where an earlier process stopped.
    ///
    /// Returns when the transfer is queued; waits while too many are under way. Cancel-safe: a cancelled call has
    /// queued nothing.
    ///
    /// # Errors
    /// The path cannot be written to, or the client has ended.
    pub async fn download(
        &self,
        name: SafeName,
        to: &Path,
        id: TransferId,
        overwrite: bool,
    ) -> Result<Transfer, TransferError> {
        let permit = self.permit().await?;
        let (dir, file) = place_of(to)?;
        let store = blocking(move || {
            let mut config = bowline_store::Config::default();
            config.overwrite = overwrite;
            // Nobody will ask for this transfer again: the file is there, or it is not.
            config.keep_committed = None;
            DiskStore::open(&dir, config)
        })
        .await?;
        let (tracked, transfer) = Tracked::new(id, name, self.commands.clone(), permit);
        self.send(Command::Download { id, store, local: file, tracked })?;
        Ok(transfer)
    }

    /// The network has changed: another interface, another address. A server that could not be reached is dialled again
    /// within half a second, unless it has asked for more time.
    pub fn network_changed(&self) {
        // Whoever has ended does not dial.
        let _ = self.commands.send(Command::NetworkChanged);
    }

    /// Sends a ping, ahead of everything that waits, and says how long the answer took from the moment in which the ping
    /// left. Cancel-safe: the answer is of no interest then.
    ///
    /// # Errors
    /// [`PingError::Closing`] if there is no link, or if it ends before the answer has come.
    pub async fn ping(&self) -> Result<Duration, PingError> {
        let (waiter, waiting) = oneshot::channel();
        // An error says that the task has ended, and the waiter with it.
        let _ = self.commands.send(Command::Ping(waiter));
        pings::answered(waiting).await
    }

    /// What the link is doing.
    pub fn link(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// The turns of the link's life from now on.
    pub fn events(&self) -> broadcast::Receiver<LinkEvent> {
        self.events.subscribe()
    }

    /// Closes the connection and waits until it is closed, no longer than the close time-out. Transfers under way end
    /// with [`TransferError::Closed`].
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close(done)).is_ok() {
            // An error says that the task has ended: closed as well.
            let _ = closed.await;
        }
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, TransferError> {
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| TransferError::Closed)
    }

    fn send(&self, command: Command) -> Result<(), TransferError> {
        self.commands.send(command).map_err(|_| TransferError::Closed)
    }
}

/// Runs a job that waits for a disk where it holds nobody up.
async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, TransferError> {
    match tokio::task::spawn_blocking(job).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(TransferError::Closed),
    }
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
