//! A client that works while its owner calls.

mod messages;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, TryRecvError};
use std::time::Duration;

use bowline_core::Instant;
use bowline_core::connection::PingError;
use bowline_core::transfer::{Leftover, Offer, SafeName, Traffic, TransferId};
use bowline_handshake::client::RequestError;
use bowline_host::client::{Feed, Talk, landing, offer_of};
use bowline_store::{DiskStore, Pipe, Source};

use super::{Client, ClientConfig, Download, Line, LinkEvent, LinkState, StartError, Task};
use crate::post::Post;
use crate::transfer::{Control, Finished, Place, Places, Transfer, TransferError, TransferProgress};
use crate::wait::waker;
use crate::watch::{Audience, watch};

/// A client of one server that works while its owner calls: it dials, pings, and moves files and messages inside the
/// calls that wait. [`Client`] has a thread of its own, and pings whatever its owner does; [`spawn`](Self::spawn) turns
/// this client into one.
///
/// ```no_run
/// use bowline_blocking::{ClientConfig, InlineClient};
/// use bowline_core::transfer::{SafeName, TransferId};
/// use std::path::Path;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = InlineClient::new("ws://127.0.0.1:9000", ClientConfig::default())?;
/// let id = TransferId::from_bytes([7; 16]); // a random one, or one derived from the file
/// let finished = client.upload(Path::new("a.tar"), SafeName::parse("a.tar")?, id)?.finished()?;
/// println!("{} bytes, BLAKE3 {}", finished.bytes, finished.digest);
/// client.close();
/// # Ok(())
/// # }
/// ```
///
/// Files are read and written on a few threads meanwhile; the socket and all decisions are on the caller's. Dropping
/// the client ends the connection without a word; [`close`](Self::close) closes it properly.
#[derive(Debug)]
pub struct InlineClient {
    client: Client,
    task: Task,
}

/// A transfer of an [`InlineClient`]. It moves while one of its methods waits, or one of another transfer or of the
/// client.
#[derive(Debug)]
pub struct Underway<'a> {
    task: &'a mut Task,
    transfer: Transfer,
}

impl InlineClient {
    /// A client of the server at this `ws://` URL, or with feature `tls` a `wss://` one. It dials as soon as a call
    /// waits.
    ///
    /// # Errors
    /// If the URL or the token is not valid, the system provides no random bytes, or nothing to wait with.
    pub fn new(url: &str, config: ClientConfig) -> Result<Self, StartError> {
        let request = config.request(url)?;
        let (waker, wakened) = waker().map_err(StartError::Thread)?;
        let post = Post::new(waker);
        let (teller, state) = watch(LinkState::Dialing { attempt: 1 });
        let events = Arc::new(Audience::default());
        let (traffic, carried) = watch(Traffic::default());
        let (news, changes) = watch(());
        let talk = Talk::new(post.waker(), news.into_wake());
        let inbox = (post.clone(), wakened);
        let task = Task::new(request, config, inbox, teller, traffic, Arc::clone(&events), talk.clone())?;
        let (line, places) = (Arc::new(Line(post)), Places::default());
        let client = Client { line, state, traffic: carried, events, places, talk, news: changes };
        Ok(Self { client, task })
    }

    /// Lets a thread do the work from here on. Running transfers continue.
    ///
    /// # Errors
    /// [`StartError::Thread`].
    pub fn spawn(self) -> Result<Client, StartError> {
        Client::start(self.task)?;
        Ok(self.client)
    }

    /// Sends a file under this name. The same id resumes where an earlier process stopped.
    ///
    /// # Errors
    /// If the file cannot be read, or the client was closed.
    pub fn upload(
        &mut self,
        path: &Path,
        name: SafeName,
        id: TransferId,
    ) -> Result<Underway<'_>, TransferError> {
        let (offer, source) = offer_of(path, name, id)?;
        self.offer(offer, Some(source))
    }

    /// Sends what this offer says, as [`Client::offer`] does.
    ///
    /// # Errors
    /// If the client was closed.
    pub fn offer(&mut self, offer: Offer, source: Option<Source>) -> Result<Underway<'_>, TransferError> {
        let place = self.place(offer.length)?;
        let transfer = self.client.begin(place, offer, source.into())?;
        Ok(Underway { task: &mut self.task, transfer })
    }

    /// Sends what comes through a pipe, as [`Client::pipe`] does.
    ///
    /// # Errors
    /// If the client was closed.
    pub fn pipe(
        &mut self,
        pipe: Pipe,
        name: SafeName,
        id: TransferId,
    ) -> Result<Underway<'_>, TransferError> {
        let place = self.place(None)?;
        let transfer = self.client.begin(place, Offer::of_unknown_length(id, name), Feed::Pipe(pipe))?;
        Ok(Underway { task: &mut self.task, transfer })
    }

    /// Fetches the file of this name to a path. The same id resumes where an earlier process stopped.
    ///
    /// # Errors
    /// If the path cannot be written to, or the client was closed.
    pub fn download(
        &mut self,
        name: SafeName,
        to: &Path,
        id: TransferId,
        overwrite: bool,
    ) -> Result<Underway<'_>, TransferError> {
        let (store, download) = landing(id, name, to, overwrite)?;
        self.fetch(&store, download)
    }

    /// Fetches a file into a store, or the listing of a folder, as [`Client::fetch`] does.
    ///
    /// # Errors
    /// If the client was closed.
    pub fn fetch(&mut self, store: &DiskStore, download: Download) -> Result<Underway<'_>, TransferError> {
        let place = self.place(download.length)?;
        let transfer = self.client.begin_download(place, store, download)?;
        Ok(Underway { task: &mut self.task, transfer })
    }

    /// Works for this long: keeps the connection alive, and moves messages and running transfers. With zero time, it
    /// does what can be done at once. Returns false if the client has ended.
    pub fn drive(&mut self, time: Duration) -> bool {
        let until = self.task.now() + time;
        while self.task.work() {
            let is_last = self.task.now() >= until;
            self.task.wait(Some(until));
            if is_last {
                return self.task.work();
            }
        }
        false
    }

    /// Presents another token from the next dial on; see [`Client::set_token`].
    ///
    /// # Errors
    /// If the token cannot be sent in an HTTP header.
    pub fn set_token(&self, token: &str) -> Result<(), RequestError> {
        self.client.set_token(token)
    }

    /// The network has changed; see [`Client::network_changed`].
    pub fn network_changed(&self) {
        self.client.network_changed();
    }

    /// Dials now, if it is waiting to dial again; see [`Client::dial`].
    pub fn dial(&self) {
        self.client.dial();
    }

    /// Sends a ping, and returns how long the answer took; see [`Client::ping`]. Works as long as the link lives.
    ///
    /// # Errors
    /// [`PingError::Closing`] if there is no link, or if it ends before the answer; [`PingError::Unanswered`] if a
    /// server that does not answer every ping has answered a later one, or got 8 more.
    pub fn ping(&mut self) -> Result<Duration, PingError> {
        self.answered(None).unwrap_or(Err(PingError::Closing))
    }

    /// Sends a ping, and works for its answer no longer than this; `None` if it has not arrived.
    ///
    /// # Errors
    /// As for [`ping`](Self::ping).
    pub fn ping_timeout(&mut self, time: Duration) -> Result<Option<Duration>, PingError> {
        self.answered(Some(time)).transpose()
    }

    /// The state of the link: [`LinkState::Ended`] in the end, even if the client was closed.
    pub fn link(&self) -> LinkState {
        self.client.state.get()
    }

    /// What the links carry.
    pub fn traffic(&self) -> Traffic {
        self.client.traffic.get()
    }

    /// Events of the link from now on. A receiver that is too slow misses some of them.
    pub fn events(&self) -> mpsc::Receiver<LinkEvent> {
        self.client.events()
    }

    /// Closes the connection, and works until it is closed and what was received is durable: as long as
    /// [`Client::close`] may wait. Transfers that have not ended fail.
    pub fn close(self) {
        let Self { client, mut task } = self;
        drop(client.hang_up());
        // Until the client has ended.
        task.work_until(None, || None::<()>);
        task.end();
    }

    /// The answer to a ping; `None` if it has not arrived within this time, or never will.
    fn answered(&mut self, time: Option<Duration>) -> Option<Result<Duration, PingError>> {
        let Self { client, task } = self;
        let (until, answer) = (time.map(|time| task.now() + time), client.ask());
        task.work_until(until, || match answer.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Disconnected) => Some(Err(PingError::Closing)),
            Err(TryRecvError::Empty) => None,
        })
    }

    /// Works until there is a free place for a transfer.
    fn place(&mut self, length: Option<u64>) -> Result<Place, TransferError> {
        let Self { client, task } = self;
        task.work_until(None, || client.places.try_take(length)).ok_or(TransferError::Closed)
    }
}

impl Underway<'_> {
    /// Its id on the wire. It is a secret of the two ends.
    pub fn id(&self) -> TransferId {
        self.transfer.id()
    }

    /// Works until its progress has changed; `None` when it has ended.
    pub fn progress(&mut self) -> Option<TransferProgress> {
        let Self { task, transfer } = self;
        let news = task.work_until(None, || match transfer.news() {
            None if transfer.is_over() => Some(None),
            news => news.map(Some),
        });
        news.flatten()
    }

    /// Works until its end.
    ///
    /// # Errors
    /// Why the file has not arrived.
    pub fn finished(mut self) -> Result<Finished, TransferError> {
        let Self { task, transfer } = &mut self;
        task.work_until(None, || transfer.end()).unwrap_or(Err(TransferError::Closed))
    }

    /// A handle that can pause, resume and cancel it from anywhere.
    pub fn control(&self) -> Control {
        self.transfer.control()
    }

    /// Stops its bytes until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.transfer.pause();
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self) {
        self.transfer.resume();
    }

    /// Ends it early; see [`Transfer::cancel`].
    pub fn cancel(&self, leftover: Leftover) {
        self.transfer.cancel(leftover);
    }
}

impl Task {
    /// Works until this finds something; `None` if the client or the time is over before.
    fn work_until<T>(&mut self, until: Option<Instant>, mut find: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            let is_over = !self.work() || until.is_some_and(|until| self.now() >= until);
            let found = find();
            if found.is_some() || is_over {
                return found;
            }
            self.wait(until);
        }
    }
}
