//! A client that stays: it dials, dials again, and its transfers go on where they stopped.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bowline_core::closing::{CloseCode, History, Retry, Why};
use bowline_core::reconnect::{self, GiveUp};
use bowline_core::session::{self, Session};
use bowline_core::transfer::{self, Code, Failure, Offer, Offered, SUBPROTOCOL, SafeName, TransferId};
use bowline_core::{Close, Disconnect, connection};
use bowline_handshake::client::{Request, RequestError};
use bowline_store::{DiskStore, Source, StoreError};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, interval};

use crate::clock::Clock;
use crate::dial::{self, Dialed};
use crate::driver::Driver;
use crate::error::DialError;
use crate::host::{Host, let_go, seed};
use crate::transfer::{Places, Tracked, Transfer, TransferError};

/// How many transfers are under way at once; the others wait for a place. It hides the round trips of small files,
/// and keeps the number of open files low.
const PLACES: usize = 32;
/// How often progress is published.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Settings of a [`Client`].
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Heartbeat, limits and buffers of each connection.
    pub connection: connection::Config,
    /// Limits of the transfers.
    pub transfer: transfer::Config,
    /// When to dial again, and when to give up.
    pub reconnect: reconnect::Config,
    /// How long one dial may take.
    pub dial: dial::Config,
    /// What proves to the server who we are; sent as `Authorization: Bearer`, never shown.
    pub token: Option<String>,
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, transfer, reconnect, dial, token } = self;
        f.debug_struct("ClientConfig")
            .field("connection", connection)
            .field("transfer", transfer)
            .field("reconnect", reconnect)
            .field("dial", dial)
            .field("token", &token.as_ref().map(|_| ".."))
            .finish()
    }
}

/// What a client's link is doing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LinkState {
    /// It is being dialled.
    Dialing {
        /// Which attempt of this outage it is, from 1.
        attempt: u32,
    },
    /// It is up.
    Up,
    /// It is down, and will be dialled at a later time.
    Waiting {
        /// When.
        until: Instant,
        /// Why it is down, in one sentence.
        why: String,
    },
    /// It is down for good.
    Ended {
        /// Why, in one sentence.
        why: String,
    },
}

/// A turn in the life of a client's link.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LinkEvent {
    /// It is up.
    Up {
        /// Which link of this client it is, from 1.
        link: u32,
    },
    /// It is down; the disconnect says why in one sentence.
    Down {
        /// Everything known about the end.
        disconnect: Disconnect,
    },
    /// A dial has failed.
    DialFailed {
        /// Why, in one sentence.
        why: String,
    },
    /// The next dial comes after this time.
    Waiting {
        /// From now on.
        delay: Duration,
    },
    /// There will be no other dial.
    GaveUp {
        /// Why, in one sentence.
        why: String,
        /// Whether there has ever been a link.
        reached: bool,
    },
    /// Something else that the connection has noticed.
    Notice(connection::Event),
}

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

    async fn permit(&self) -> Result<tokio::sync::OwnedSemaphorePermit, TransferError> {
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
fn place_of(path: &Path) -> Result<(std::path::PathBuf, SafeName), TransferError> {
    let unusable = |text: String| TransferError::Failed(Failure::local(Code::NameInvalid, text));
    let file = path.file_name().and_then(|name| name.to_str());
    let file = file.ok_or_else(|| unusable(format!("{} does not name a file", path.display())))?;
    let name = SafeName::parse(file).map_err(|e| unusable(format!("{}: {e}", path.display())))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((dir.to_owned(), name))
}

type Dial = Pin<Box<dyn Future<Output = Result<Dialed<TcpStream>, DialError>> + Send>>;

/// The task behind a client.
struct Task {
    request: Request,
    config: ClientConfig,
    host: Host,
    driver: Option<Driver<TcpStream>>,
    dial: Option<Dial>,
    commands: mpsc::UnboundedReceiver<Command>,
    state: watch::Sender<LinkState>,
    events: broadcast::Sender<LinkEvent>,
    tracked: BTreeMap<TransferId, Tracked>,
    places: BTreeMap<TransferId, (DiskStore, SafeName)>,
    history: History,
    link: u32,
    /// Why the link is down.
    why: String,
    ended: Option<Ended>,
    closing: Vec<oneshot::Sender<()>>,
}

/// Why there will be no other link.
#[derive(Clone, Debug)]
enum Ended {
    Unreachable(String),
    Refused(String),
}

impl Task {
    fn new(
        request: Request,
        config: ClientConfig,
        commands: mpsc::UnboundedReceiver<Command>,
        state: watch::Sender<LinkState>,
        events: broadcast::Sender<LinkEvent>,
    ) -> Self {
        let clock = Clock::start();
        let mut settings = session::Config::default();
        settings.reconnect = config.reconnect;
        settings.transfer = config.transfer.clone();
        let session = Session::client(settings, seed(), clock.now());
        Self {
            request,
            config,
            host: Host::new(session, clock),
            driver: None,
            dial: None,
            commands,
            state,
            events,
            tracked: BTreeMap::new(),
            places: BTreeMap::new(),
            history: History::default(),
            link: 0,
            why: String::new(),
            ended: None,
            closing: Vec::new(),
        }
    }

    async fn run(mut self) {
        let mut progress = interval(PROGRESS_EVERY);
        progress.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut wanted = true;
        loop {
            self.handle_events();
            if !wanted && self.driver.is_none() && (self.tracked.is_empty() || !self.closing.is_empty()) {
                break;
            }
            let dialing = self.dial.is_some();
            tokio::select! {
                () = self.host.step(self.driver.as_mut()) => {}
                result = dial_result(&mut self.dial), if dialing => self.handle_dialed(result),
                command = self.commands.recv(), if wanted => match command {
                    Some(Command::Close(done)) => {
                        self.closing.push(done);
                        wanted = false;
                        self.close();
                    }
                    Some(command) => self.handle_command(command),
                    None => {
                        wanted = false;
                    }
                },
                _ = progress.tick() => self.publish(),
            }
            if !wanted && self.tracked.is_empty() && self.closing.is_empty() {
                self.close();
            }
        }
        self.host.rest().await;
        for done in self.closing {
            let _ = done.send(());
        }
    }

    fn handle_events(&mut self) {
        while let Some(event) = self.host.poll_event(self.driver.as_mut()) {
            match event {
                session::Event::Dial => self.start_dial(),
                session::Event::Waiting { until } => self.handle_waiting(until),
                session::Event::GaveUp(why) => self.give_up(why),
                session::Event::LinkDown(disconnect) => self.handle_link_down(disconnect),
                session::Event::Link(event) => {
                    tracing::debug!(?event, "link");
                    self.tell(LinkEvent::Notice(event));
                }
                session::Event::Transfer(event) => self.handle_transfer(event),
                _ => {}
            }
        }
    }

    // ----- the link -----

    fn start_dial(&mut self) {
        let attempt = self.host.session.attempts().max(1);
        self.set_state(LinkState::Dialing { attempt });
        let (request, config) = (self.request.clone(), self.config.dial.clone());
        self.dial = Some(Box::pin(async move { dial::connect_with(&request, &config).await }));
    }

    fn handle_dialed(&mut self, result: Result<Dialed<TcpStream>, DialError>) {
        self.dial = None;
        match result {
            Ok(dialed) if dialed.subprotocol.as_deref() == Some(SUBPROTOCOL) => {
                let mut config = self.config.connection.clone();
                config.history = self.history;
                let Dialed { stream, leftover, round_trip, .. } = dialed;
                match Driver::client(stream, &leftover, config, self.host.clock) {
                    Ok(driver) => self.handle_link_up(driver, round_trip),
                    Err(error) => self.dial_failed(error.to_string(), Retry::Backoff),
                }
            }
            Ok(_) => {
                let why = format!("the server speaks WebSocket, but not {SUBPROTOCOL}");
                self.dial_failed(why, Retry::No(Why::SameAgain));
            }
            Err(error) => {
                self.dial_failed(error.to_string(), error.retry());
            }
        }
    }

    fn handle_link_up(&mut self, driver: Driver<TcpStream>, round_trip: Duration) {
        self.driver = Some(driver);
        self.link += 1;
        self.host.session.handle_link_up(self.host.clock.now(), Some(round_trip));
        tracing::info!(link = self.link, ?round_trip, "connected");
        self.set_state(LinkState::Up);
        self.tell(LinkEvent::Up { link: self.link });
    }

    fn dial_failed(&mut self, why: String, retry: Retry) {
        tracing::info!(%why, "dial failed");
        self.why.clone_from(&why);
        self.tell(LinkEvent::DialFailed { why });
        let now = self.host.clock.now();
        self.host.session.handle_dial_failed(now, retry);
    }

    fn handle_waiting(&mut self, until: bowline_core::Instant) {
        self.dial = None;
        let delay = until - self.host.clock.now();
        let until = self.host.clock.deadline(until);
        self.set_state(LinkState::Waiting { until, why: self.why.clone() });
        self.tell(LinkEvent::Waiting { delay });
    }

    fn handle_link_down(&mut self, disconnect: Disconnect) {
        tracing::info!(link = self.link, %disconnect, "disconnected");
        if let Some(driver) = self.driver.take() {
            let_go(driver);
        }
        self.history.record(&disconnect);
        self.why = disconnect.to_string();
        self.tell(LinkEvent::Down { disconnect });
    }

    fn give_up(&mut self, gave_up: GiveUp) {
        self.dial = None;
        let reached = self.link > 0;
        let (why, ended) = if let GiveUp::No(_) = gave_up {
            (self.why.clone(), Ended::Refused(self.why.clone()))
        } else {
            let why = format!("{}; gave up: {gave_up}", self.why);
            (why.clone(), Ended::Unreachable(why))
        };
        tracing::info!(%why, "gave up");
        self.ended = Some(ended.clone());
        for (_, tracked) in std::mem::take(&mut self.tracked) {
            let _ = tracked.end.send(Err(ended.clone().into()));
        }
        self.set_state(LinkState::Ended { why: why.clone() });
        self.tell(LinkEvent::GaveUp { why, reached });
    }

    fn close(&mut self) {
        self.tracked.clear();
        self.dial = None;
        let now = self.host.clock.now();
        if let (Some(driver), Ok(close)) = (&mut self.driver, Close::new(CloseCode::NORMAL, "")) {
            // Already closing is as good.
            let _ = driver.conn_mut().close(now, close);
        }
    }

    // ----- transfers -----

    fn handle_command(&mut self, command: Command) {
        let now = self.host.clock.now();
        let session = &mut self.host.session;
        let (id, tracked, result) = match command {
            Command::Upload { id, source, tracked } => {
                let mut offer = Offer::new(id, tracked.name.clone(), source.length());
                offer.mtime_ms = source.mtime_ms();
                offer.validator = Some(source.validator());
                let result = session.transfers_mut().offer(now, offer);
                if result.is_ok() {
                    self.host.worker.add_source(id, source);
                }
                (id, tracked, result)
            }
            Command::Download { id, store, local, tracked } => {
                let result = session.transfers_mut().request(now, id, tracked.name.clone());
                if result.is_ok() {
                    self.places.insert(id, (store, local));
                }
                (id, tracked, result)
            }
            Command::Cancel(id) => {
                return session.transfers_mut().fail(now, id, Failure::local(Code::Cancelled, "cancelled"));
            }
            Command::Close(_) => return,
        };
        if let Some(ended) = &self.ended {
            let _ = tracked.end.send(Err(ended.clone().into()));
        } else if let Err(error) = result {
            let failure = Failure::local(Code::Busy, error.to_string());
            let _ = tracked.end.send(Err(failure.into()));
        } else {
            self.tracked.insert(id, tracked);
        }
    }

    fn handle_transfer(&mut self, event: transfer::Event) {
        match event {
            transfer::Event::Offered(offered) => self.handle_offered(offered),
            transfer::Event::Accepted { id, resume } => {
                tracing::debug!(%id, resume, "accepted");
                self.count_link(id);
            }
            transfer::Event::Retrying { id, failure, after } => {
                tracing::info!(%id, %failure, ?after, "trying again");
            }
            transfer::Event::Done { id, length, digest, deduplicated, resent } => {
                self.places.remove(&id);
                if let Some(tracked) = self.tracked.remove(&id) {
                    tracing::info!(%id, length, %digest, deduplicated, resent, "done");
                    tracked.finish(length, digest, deduplicated, resent);
                }
            }
            transfer::Event::Failed { id, failure } => {
                self.places.remove(&id);
                if let Some(tracked) = self.tracked.remove(&id) {
                    tracing::info!(%id, %failure, "failed");
                    let _ = tracked.end.send(Err(failure.into()));
                }
            }
            transfer::Event::GoingAway { code, retry_after } => {
                tracing::info!(%code, ?retry_after, "the server goes away");
            }
            transfer::Event::Requested { id, .. } => {
                let now = self.host.clock.now();
                let failure = Failure::local(Code::Unsupported, "this client gives no files away");
                self.host.session.transfers_mut().fail(now, id, failure);
            }
            other => tracing::debug!(event = ?other, "transfer"),
        }
    }

    fn handle_offered(&mut self, mut offered: Offered) {
        let id = offered.id;
        match self.places.get(&id) {
            Some((store, local)) if offered.requested => {
                offered.name = local.clone();
                self.host.worker.attach(store, offered);
                self.count_link(id);
            }
            _ => {
                let now = self.host.clock.now();
                let failure = Failure::local(Code::Rejected, "this client takes only what it asked for");
                self.host.session.transfers_mut().fail(now, id, failure);
            }
        }
    }

    fn count_link(&mut self, id: TransferId) {
        if let Some(tracked) = self.tracked.get_mut(&id) {
            tracked.count_link(self.link);
        }
    }

    fn publish(&self) {
        for (id, tracked) in &self.tracked {
            if let Some(progress) = self.host.progress(*id) {
                tracked.update(progress);
            }
        }
    }

    fn set_state(&self, state: LinkState) {
        self.state.send_replace(state);
    }

    fn tell(&self, event: LinkEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}

impl From<Ended> for TransferError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Unreachable(why) => Self::Unreachable(why),
            Ended::Refused(why) => Self::Refused(why),
        }
    }
}

async fn dial_result(dial: &mut Option<Dial>) -> Result<Dialed<TcpStream>, DialError> {
    match dial {
        Some(dial) => dial.await,
        None => std::future::pending().await,
    }
}
