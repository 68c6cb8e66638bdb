//! A client that stays connected: it dials and reconnects, and its transfers resume where they stopped.

mod messages;
mod task;

use std::path::Path;
use std::time::Duration;

use bowline_core::Message;
use bowline_core::connection::PingError;
use bowline_core::messages::{Receipt, SendError};
use bowline_core::transfer::{Offer, SafeName, Traffic, TransferId};
use bowline_handshake::client::RequestError;
use bowline_host::client::{Feed, Talk, check_token, landing, offer_of};
use bowline_host::transfer::Verb;
use bowline_store::{DiskStore, Pipe, Source};
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc, oneshot, watch};

use crate::news::{News, Stir};
use crate::pings::{self, Waiter};
use crate::transfer::{Places, Ticket, Transfer, TransferError};
use task::Task;

pub use bowline_host::client::{ClientConfig, Download, LinkEvent, Paths, StartError};

/// The state of a client's link.
pub type LinkState = bowline_host::client::LinkState<tokio::time::Instant>;

/// How many events may wait for a listener.
const EVENTS: usize = 256;

/// A client of one server. Clones share the connection. It is closed when the last one is dropped, no transfer is under
/// way and every message has arrived. Until then it reconnects if necessary, unless [`ClientConfig::reconnect`] has an
/// end; [`close`](Self::close) waits for none of it.
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
/// client.close().await;
/// # Ok(())
/// # }
/// ```
///
/// With [`ClientConfig::messages`], it also sends and receives messages, which outlive its links:
///
/// ```
/// use bowline_core::Message;
/// use bowline_core::messages::{self, SessionsConfig};
/// use bowline_store::DiskStore;
/// use bowline_tokio::{Client, ClientConfig, Heard, Server, ServerConfig};
/// use tokio::net::TcpListener;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let inbox = tempfile::tempdir()?;
/// let store = DiskStore::open(inbox.path(), bowline_store::Config::default())?;
/// let mut config = ServerConfig::default();
/// config.messages = Some(SessionsConfig::default());
/// let server = Server::new(store, config);
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let url = format!("ws://{}", listener.local_addr()?);
/// let serving = server.clone();
/// tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
///
/// let mut config = ClientConfig::default();
/// config.messages = Some(messages::Config::default());
/// let client = Client::new(&url, config)?;
/// client.send(Message::text("hello")).await?; // with or without a link
/// let (session, greeting) = loop {
///     if let (session, Heard::Message(received)) = server.receive().await.ok_or("it has stopped")? {
///         break (session, received.message);
///     }
/// };
/// assert_eq!(greeting, Message::text("hello"));
/// server.send(session, Message::text("you too")).await?; // connected or not
/// client.flush().await?; // the greeting has arrived
/// client.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::UnboundedSender<Command>,
    state: watch::Receiver<LinkState>,
    traffic: watch::Receiver<Traffic>,
    /// Present until the task has ended.
    events: broadcast::WeakSender<LinkEvent>,
    places: Places,
    talk: Talk,
    news: News,
}

/// What the application asks of a client's task.
#[derive(Debug)]
pub(crate) enum Command {
    Upload { offer: Offer, feed: Feed, ticket: Ticket },
    Download { download: Download, store: DiskStore, ticket: Ticket },
    Tell(TransferId, Verb),
    Volatile(Message, oneshot::Sender<Result<(), SendError>>),
    Confirm(Receipt),
    NetworkChanged,
    Dial,
    Token(String),
    Ping(Waiter),
    Close(oneshot::Sender<()>),
}

impl Client {
    /// Starts a client of the server at this `ws://` URL, or with feature `tls` a `wss://` one. It dials at once, in a
    /// task of its own.
    ///
    /// # Errors
    /// If the URL or the token is not valid, or the system provides no random bytes.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(url: &str, config: ClientConfig) -> Result<Self, StartError> {
        let request = config.request(url)?;
        let (commands, inbox) = mpsc::unbounded_channel();
        let (state, watch) = watch::channel(LinkState::Dialing { attempt: 1 });
        let (traffic, carried) = watch::channel(Traffic::default());
        let (teller, _) = broadcast::channel(EVENTS);
        let events = teller.downgrade();
        let (stir, news) = (Stir::default(), News::default());
        let talk = Talk::new(stir.waker(), news.teller());
        let task = Task::new(request, config, inbox, (talk.clone(), stir), state, traffic, teller)?;
        tokio::spawn(task.run());
        Ok(Self { commands, state: watch, traffic: carried, events, places: Places::new(), talk, news })
    }

    /// Sends a file under this name. The same id resumes where an earlier process stopped.
    ///
    /// Returns when the transfer is queued; waits while too many are under way. Cancel-safe: a cancelled call has
    /// queued nothing.
    ///
    /// # Errors
    /// If the file cannot be read, or the client was closed.
    pub async fn upload(
        &self,
        path: &Path,
        name: SafeName,
        id: TransferId,
    ) -> Result<Transfer, TransferError> {
        let path = path.to_owned();
        let (offer, source) = blocking(move || Ok(offer_of(&path, name, id)?)).await?;
        self.offer(offer, Some(source)).await
    }

    /// Sends what this offer says: a file with its source, or a folder without one. [`upload`](Self::upload) makes the
    /// offer by itself.
    ///
    /// Returns when the transfer is queued; waits while too many are under way. Cancel-safe: a cancelled call has
    /// queued nothing.
    ///
    /// # Errors
    /// If the client was closed.
    pub async fn offer(&self, offer: Offer, source: Option<Source>) -> Result<Transfer, TransferError> {
        let permit = self.permit(offer.length).await?;
        let (ticket, transfer) = Ticket::new(offer.id, self.commands.clone(), permit);
        self.command(Command::Upload { offer, feed: source.into(), ticket })?;
        Ok(transfer)
    }

    /// Sends what comes through a pipe, under this name. Its length need not be known; the server must support the
    /// feature, or the transfer fails. It outlives its links, but not this process: what has come through a pipe cannot
    /// be read again, so give it an id that is used once.
    ///
    /// Returns when the transfer is queued; waits while too many are under way. Cancel-safe: a cancelled call has
    /// queued nothing, and the pipe is gone.
    ///
    /// # Errors
    /// If the client was closed.
    pub async fn pipe(&self, pipe: Pipe, name: SafeName, id: TransferId) -> Result<Transfer, TransferError> {
        let permit = self.permit(None).await?;
        let (ticket, transfer) = Ticket::new(id, self.commands.clone(), permit);
        let offer = Offer::of_unknown_length(id, name);
        self.command(Command::Upload { offer, feed: Feed::Pipe(pipe), ticket })?;
        Ok(transfer)
    }

    /// Fetches the file of this name to a path; for a folder, see [`fetch`](Self::fetch). The same id resumes where an
    /// earlier process stopped. If a different file is there already, `overwrite` replaces it at the end; otherwise the
    /// transfer fails, and that file stays.
    ///
    /// Returns when the transfer is queued; waits while too many are under way. Cancel-safe: a cancelled call has
    /// queued nothing.
    ///
    /// # Errors
    /// If the path cannot be written to, or the client was closed.
    pub async fn download(
        &self,
        name: SafeName,
        to: &Path,
        id: TransferId,
        overwrite: bool,
    ) -> Result<Transfer, TransferError> {
        let to = to.to_owned();
        let (store, download) = blocking(move || landing(id, name, &to, overwrite)).await?;
        self.fetch(&store, download).await
    }

    /// Fetches a file into a store. Files of one folder must go into one store, or clones of it.
    ///
    /// If the name is that of a folder, nothing is written: the transfer brings
    /// [`Finished::listing`](crate::Finished::listing), and you fetch each file by itself. [`Download::listing`] asks
    /// only for the listing, of a folder or of everything that there is.
    ///
    /// Returns when the transfer is queued; waits while too many are under way. Cancel-safe: a cancelled call has
    /// queued nothing.
    ///
    /// # Errors
    /// If the client was closed.
    pub async fn fetch(&self, store: &DiskStore, download: Download) -> Result<Transfer, TransferError> {
        let permit = self.permit(download.length).await?;
        let (ticket, transfer) = Ticket::new(download.id, self.commands.clone(), permit);
        self.command(Command::Download { download, store: store.clone(), ticket })?;
        Ok(transfer)
    }

    /// Presents another token from the next dial on: if the server ends a link because its token is no longer valid,
    /// the next link has this one. The current link stays as it is.
    ///
    /// # Errors
    /// If the token cannot be sent in an HTTP header.
    pub fn set_token(&self, token: &str) -> Result<(), RequestError> {
        check_token(token)?;
        // A client that has ended needs none.
        let _ = self.commands.send(Command::Token(token.to_owned()));
        Ok(())
    }

    /// The network has changed: another interface, another address. A server that could not be reached is dialled again
    /// within half a second, unless it has asked for more time.
    pub fn network_changed(&self) {
        // A client that has ended does not dial.
        let _ = self.commands.send(Command::NetworkChanged);
    }

    /// Dials now, if it is waiting to dial again: the user has pressed a button, or knows that the server is back. The
    /// time after which it gives up starts again. It does not affect a link that is up, a dial that is under way, or a
    /// client that has given up.
    pub fn dial(&self) {
        // A client that has ended does not dial.
        let _ = self.commands.send(Command::Dial);
    }

    /// Sends a ping, ahead of everything queued, and returns how long the answer took, from when the ping left. Waits
    /// as long as the link lives. Cancel-safe: the answer is then ignored.
    ///
    /// # Errors
    /// [`PingError::Closing`] if there is no link, or if it ends before the answer; [`PingError::Unanswered`] if a
    /// server that does not answer every ping has answered a later one, or got 8 more.
    pub async fn ping(&self) -> Result<Duration, PingError> {
        let (waiter, waiting) = oneshot::channel();
        // An error means that the task has ended, and the waiter with it.
        let _ = self.commands.send(Command::Ping(waiter));
        pings::answered(waiting).await
    }

    /// The state of the link: [`LinkState::Ended`] in the end, even if the client was closed.
    pub fn link(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// What the links carry, reported ten times a second while a transfer is under way, and when one has ended.
    pub fn traffic(&self) -> watch::Receiver<Traffic> {
        self.traffic.clone()
    }

    /// Events of the link from now on, until the client has ended. A listener that is too slow misses some of them. The
    /// client dials as soon as it exists, so the very first ones may have passed; [`link`](Self::link) has the state.
    pub fn events(&self) -> broadcast::Receiver<LinkEvent> {
        match self.events.upgrade() {
            Some(events) => events.subscribe(),
            None => broadcast::channel(1).1,
        }
    }

    /// Closes the connection, and waits until it is closed and what was received is durable. What is queued leaves
    /// first, however long that takes, unless the server accepts nothing for the stall timeout. Once the Close may have
    /// arrived, the server has the close timeout to answer, at most three times as long while it still sends, and the
    /// end timeout to let go ([`closing::Config`](bowline_core::closing::Config)). Once the future has been polled, the
    /// connection closes even if the future is dropped.
    ///
    /// Transfers under way end with [`TransferError::Closed`]. Messages may not have arrived, so [`flush`](Self::flush)
    /// them first. Those that are not known to have arrived are handed to whoever still [receives](Self::receive).
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close(done)).is_ok() {
            // An error means that the task has ended: closed as well.
            let _ = closed.await;
        }
    }

    /// Waits for a place for a file of this length.
    async fn permit(&self, length: Option<u64>) -> Result<OwnedSemaphorePermit, TransferError> {
        self.places.take(length).await.ok_or(TransferError::Closed)
    }

    fn command(&self, command: Command) -> Result<(), TransferError> {
        self.commands.send(command).map_err(|_| TransferError::Closed)
    }
}

/// Runs a job that blocks on a disk on another thread.
async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, TransferError> + Send + 'static,
) -> Result<T, TransferError> {
    tokio::task::spawn_blocking(job).await.unwrap_or(Err(TransferError::Closed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::broadcast::error::RecvError;

    #[tokio::test]
    async fn a_listener_hears_the_end_of_a_client_even_if_there_are_clones() {
        let client = Client::new("ws://127.0.0.1:1", ClientConfig::default()).unwrap();
        let mut events = client.events();
        client.clone().close().await;
        while events.recv().await.is_ok() {}
        let late = client.events().recv().await;
        assert!(matches!(late, Err(RecvError::Closed)), "nothing else will happen");
    }
}
