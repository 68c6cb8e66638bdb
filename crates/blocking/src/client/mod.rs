//! A client that stays connected: it dials and reconnects, and its transfers resume where they stopped.

mod inline;
mod messages;
mod task;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use bowline_core::Message;
use bowline_core::connection::PingError;
use bowline_core::messages::{Receipt, SendError};
use bowline_core::transfer::{Offer, SafeName, Traffic, TransferId};
use bowline_handshake::client::RequestError;
use bowline_host::DialError;
use bowline_host::client::{Feed, Talk, check_token, landing, offer_of};
use bowline_host::transfer::Verb;
use bowline_store::worker::Report;
use bowline_store::{DiskStore, Pipe, Source};

use crate::dial::Dialed;
use crate::maybe_tls::MaybeTlsStream;
use crate::pings::Waiter;
use crate::post::Post;
use crate::transfer::{Place, Places, Ticket, Transfer, TransferError};
use crate::watch::{Audience, Watch};
use task::Task;

pub use bowline_host::client::{ClientConfig, Download, LinkEvent, Paths, StartError};
pub use inline::{InlineClient, Underway};

/// The state of a client's link.
pub type LinkState = bowline_host::client::LinkState<Instant>;

/// How many events may wait for a listener.
const EVENTS: usize = 256;

/// A client of one server, with a thread of its own. Clones share it; the connection is closed when the last one is
/// dropped, no transfer is running and every message has arrived. Until then it reconnects if necessary, unless
/// [`ClientConfig::reconnect`] has an end; [`close`](Self::close) waits for none of it.
///
/// ```no_run
/// use bowline_blocking::{Client, ClientConfig};
/// use bowline_core::transfer::{SafeName, TransferId};
/// use std::path::Path;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::new("ws://127.0.0.1:9000", ClientConfig::default())?;
/// let id = TransferId::from_bytes([7; 16]); // a random one, or one derived from the file
/// let mut upload = client.upload(Path::new("a.tar"), SafeName::parse("a.tar")?, id)?;
/// for progress in upload.progress() {
///     println!("{} bytes are there", progress.received);
/// }
/// let finished = upload.finished()?;
/// println!("{} bytes over {} links, BLAKE3 {}", finished.bytes, finished.links, finished.digest);
/// client.close();
/// # Ok(())
/// # }
/// ```
///
/// With [`ClientConfig::messages`], it also sends and receives messages, which outlive its links:
///
/// ```
/// use bowline_blocking::{Client, ClientConfig, Heard, Listener, Server, ServerConfig};
/// use bowline_core::Message;
/// use bowline_core::messages::{self, SessionsConfig};
/// use bowline_store::DiskStore;
/// use std::thread;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let inbox = tempfile::tempdir()?;
/// let store = DiskStore::open(inbox.path(), bowline_store::Config::default())?;
/// let mut config = ServerConfig::default();
/// config.messages = Some(SessionsConfig::default());
/// let server = Server::new(store, config);
/// let listener = Listener::bind("127.0.0.1:0")?;
/// let (url, stopper) = (format!("ws://{}", listener.local_addr()?), listener.stopper());
/// let serving = server.clone();
/// let thread = thread::spawn(move || serving.serve(listener));
///
/// let mut config = ClientConfig::default();
/// config.messages = Some(messages::Config::default());
/// let client = Client::new(&url, config)?;
/// client.send(Message::text("hello"))?; // with or without a link
/// let (session, greeting) = loop {
///     if let (session, Heard::Message(received)) = server.receive().ok_or("it has stopped")? {
///         break (session, received.message);
///     }
/// };
/// assert_eq!(greeting, Message::text("hello"));
/// server.send(session, Message::text("you too"))?; // connected or not
/// client.flush()?; // the greeting has arrived
/// client.close();
/// # stopper.stop();
/// # thread.join().expect("no panic")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    line: Arc<Line>,
    state: Watch<LinkState>,
    traffic: Watch<Traffic>,
    events: Arc<Audience<LinkEvent>>,
    places: Places,
    talk: Talk,
    /// Signals that something may be received or sent that could not be before.
    news: Watch<()>,
}

/// A letter to a client's thread.
#[derive(Debug)]
pub(crate) enum Letter {
    Upload {
        offer: Offer,
        feed: Feed,
        ticket: Ticket,
    },
    Download {
        download: Download,
        store: DiskStore,
        ticket: Ticket,
    },
    Tell(TransferId, Verb),
    Volatile(Message, mpsc::Sender<Result<(), SendError>>),
    Confirm(Receipt),
    NetworkChanged,
    Dial,
    Token(String),
    Ping(Waiter),
    Close(mpsc::Sender<()>),
    /// No handle of the client is left.
    Released,
    /// The result of the dial with this number.
    Dialed(u64, Result<Dialed<MaybeTlsStream>, DialError>),
    Report(Report),
}

/// The way to the thread, shared by all handles.
#[derive(Debug)]
pub(crate) struct Line(Post<Letter>);

impl Line {
    /// Returns false if the client has ended.
    pub(crate) fn send(&self, letter: Letter) -> bool {
        self.0.send(letter)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.send(Letter::Released);
    }
}

impl Client {
    /// Starts a client of the server at this `ws://` URL, or with feature `tls` a `wss://` one. It dials at once.
    ///
    /// # Errors
    /// If the URL or the token is not valid, or the system provides no random bytes, no thread, or no way to wake it.
    pub fn new(url: &str, config: ClientConfig) -> Result<Self, StartError> {
        InlineClient::new(url, config)?.spawn()
    }

    /// Sends a file under this name. The same id resumes where an earlier process stopped.
    ///
    /// Returns when the transfer is queued; waits while too many are under way.
    ///
    /// # Errors
    /// If the file cannot be read, or the client was closed.
    pub fn upload(&self, path: &Path, name: SafeName, id: TransferId) -> Result<Transfer, TransferError> {
        let (offer, source) = offer_of(path, name, id)?;
        self.offer(offer, Some(source))
    }

    /// Sends what this offer says: a file with its source, or a folder without one. [`upload`](Self::upload) makes the
    /// offer by itself.
    ///
    /// Returns when the transfer is queued; waits while too many are under way.
    ///
    /// # Errors
    /// If the client was closed.
    pub fn offer(&self, offer: Offer, source: Option<Source>) -> Result<Transfer, TransferError> {
        let place = self.places.take(offer.length);
        self.begin(place, offer, source.into())
    }

    /// Sends what comes through a pipe, under this name. Its length need not be known; the server must support the
    /// feature, or the transfer fails. It outlives its links, but not this process: what has come through a pipe cannot
    /// be read again, so give it an id that is used once.
    ///
    /// Returns when the transfer is queued; waits while too many are under way.
    ///
    /// # Errors
    /// If the client was closed.
    pub fn pipe(&self, pipe: Pipe, name: SafeName, id: TransferId) -> Result<Transfer, TransferError> {
        let place = self.places.take(None);
        self.begin(place, Offer::of_unknown_length(id, name), Feed::Pipe(pipe))
    }

    /// Fetches the file of this name to a path; for a folder, see [`fetch`](Self::fetch). The same id resumes where an
    /// earlier process stopped. If a different file is there already, `overwrite` replaces it at the end; otherwise the
    /// transfer fails, and that file stays.
    ///
    /// Returns when the transfer is queued; waits while too many are under way.
    ///
    /// # Errors
    /// If the path cannot be written to, or the client was closed.
    pub fn download(
        &self,
        name: SafeName,
        to: &Path,
        id: TransferId,
        overwrite: bool,
    ) -> Result<Transfer, TransferError> {
        let (store, download) = landing(id, name, to, overwrite)?;
        self.fetch(&store, download)
    }

    /// Fetches a file into a store. Files of one folder must go into one store, or clones of it.
    ///
    /// If the name is that of a folder, nothing is written: the transfer brings
    /// [`Finished::listing`](crate::Finished::listing), and you fetch each file by itself. [`Download::listing`] asks
    /// only for the listing, of a folder or of everything that there is.
    ///
    /// Returns when the transfer is queued; waits while too many are under way.
    ///
    /// # Errors
    /// If the client was closed.
    pub fn fetch(&self, store: &DiskStore, download: Download) -> Result<Transfer, TransferError> {
        let place = self.places.take(download.length);
        self.begin_download(place, store, download)
    }

    /// Presents another token from the next dial on: if the server ends a link because its token is no longer valid,
    /// the next link has this one. The current link stays as it is.
    ///
    /// # Errors
    /// If the token cannot be sent in an HTTP header.
    pub fn set_token(&self, token: &str) -> Result<(), RequestError> {
        check_token(token)?;
        // A client that has ended needs none.
        self.line.send(Letter::Token(token.to_owned()));
        Ok(())
    }

    /// The network has changed: another interface, another address. A server that could not be reached is dialled again
    /// within half a second, unless it has asked for more time.
    pub fn network_changed(&self) {
        // A client that has ended does not dial.
        self.line.send(Letter::NetworkChanged);
    }

    /// Dials now, if it is waiting to dial again: the user has pressed a button, or knows that the server is back. The
    /// time after which it gives up starts again. It does not affect a link that is up, a dial that is under way, or a
    /// client that has given up.
    pub fn dial(&self) {
        // A client that has ended does not dial.
        self.line.send(Letter::Dial);
    }

    /// Sends a ping, ahead of everything queued, and returns how long the answer took, from when the ping left. Waits
    /// as long as the link lives.
    ///
    /// # Errors
    /// [`PingError::Closing`] if there is no link, or if it ends before the answer; [`PingError::Unanswered`] if a
    /// server that does not answer every ping has answered a later one, or got 8 more.
    pub fn ping(&self) -> Result<Duration, PingError> {
        self.ask().recv().unwrap_or(Err(PingError::Closing))
    }

    /// Sends a ping, and waits for its answer no longer than this; `None` if it has not arrived.
    ///
    /// # Errors
    /// As for [`ping`](Self::ping).
    pub fn ping_timeout(&self, time: Duration) -> Result<Option<Duration>, PingError> {
        match self.ask().recv_timeout(time) {
            Ok(answer) => answer.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(PingError::Closing),
        }
    }

    /// The state of the link: [`LinkState::Ended`] in the end, even if the client was closed.
    pub fn link(&self) -> Watch<LinkState> {
        self.state.clone()
    }

    /// What the links carry, reported ten times a second while a transfer is under way, and when one has ended.
    pub fn traffic(&self) -> Watch<Traffic> {
        self.traffic.clone()
    }

    /// Events of the link from now on. A receiver that is too slow misses some of them. To get the very first ones,
    /// call this on an [`InlineClient`] before it is [spawned](InlineClient::spawn).
    pub fn events(&self) -> mpsc::Receiver<LinkEvent> {
        self.events.join(EVENTS)
    }

    /// Closes the connection, and waits until it is closed and what was received is durable. What is queued leaves
    /// first, however long that takes, unless the server accepts nothing for the stall timeout. Once the Close may have
    /// arrived, the server has the close timeout to answer, at most three times as long while it still sends, and the
    /// end timeout to let go ([`closing::Config`](bowline_core::closing::Config)).
    ///
    /// Transfers under way end with [`TransferError::Closed`]. Messages may not have arrived, so [`flush`](Self::flush)
    /// them first. Those that are not known to have arrived are handed to whoever still [receives](Self::receive).
    pub fn close(self) {
        // An error means that the thread has ended: closed as well.
        let _ = self.hang_up().recv();
    }

    // ----- inside -----

    fn begin(&self, place: Place, offer: Offer, feed: Feed) -> Result<Transfer, TransferError> {
        let (ticket, transfer) = Ticket::new(offer.id, Arc::clone(&self.line), place);
        self.command(Letter::Upload { offer, feed, ticket }).map(|()| transfer)
    }

    fn begin_download(
        &self,
        place: Place,
        store: &DiskStore,
        download: Download,
    ) -> Result<Transfer, TransferError> {
        let (ticket, transfer) = Ticket::new(download.id, Arc::clone(&self.line), place);
        self.command(Letter::Download { download, store: store.clone(), ticket }).map(|()| transfer)
    }

    fn command(&self, letter: Letter) -> Result<(), TransferError> {
        if self.line.send(letter) { Ok(()) } else { Err(TransferError::Closed) }
    }

    /// If there is no thread to answer, the question is dropped, which the caller notices.
    fn ask(&self) -> mpsc::Receiver<Result<Duration, PingError>> {
        let (waiter, answer) = mpsc::channel();
        self.line.send(Letter::Ping(waiter));
        answer
    }

    fn hang_up(&self) -> mpsc::Receiver<()> {
        let (done, closed) = mpsc::channel();
        self.line.send(Letter::Close(done));
        closed
    }

    fn start(task: Task) -> Result<(), StartError> {
        let thread = thread::Builder::new().name("bowline client".into()).spawn(move || task.run());
        thread.map(drop).map_err(StartError::Thread)
    }
}
