//! Clients and servers of every adapter behind one interface, so that each test runs over all of them.

mod blocking;
mod tokio;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bowline_core::Message;
use bowline_core::connection::PingError;
use bowline_core::messages::{Receipt, SendError, SessionId};
use bowline_core::replay::Unacknowledged;
use bowline_core::transfer::{Leftover, SafeName, Traffic, TransferId};
use bowline_host::client::{ClientConfig, Download, LinkEvent};
use bowline_host::messages::{FlushError, Heard};
use bowline_host::server::{Access, ServerConfig, ServerEvent};
use bowline_host::transfer::{Finished, TransferError, TransferProgress};
use bowline_store::{DiskStore, Pipe};

use crate::papers::Over;

/// Generous: no test waits this long if all is well.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// Who moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapter {
    Tokio,
    Blocking,
}

/// A client and a server, perhaps of different adapters, and what is between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) client: Adapter,
    pub(crate) server: Adapter,
    pub(crate) over: Over,
}

pub(crate) type Begun = Result<Box<dyn Transfer>, TransferError>;

/// A client; waiting calls give up after the limit.
pub(crate) trait Client {
    fn upload(&self, path: &Path, name: SafeName, id: TransferId) -> Begun;
    fn pipe(&self, pipe: Pipe, name: SafeName, id: TransferId) -> Begun;
    fn download(&self, name: SafeName, to: &Path, id: TransferId, overwrite: bool) -> Begun;
    fn fetch(&self, store: &DiskStore, download: Download) -> Begun;
    fn ping(&self) -> Result<Duration, PingError>;
    fn network_changed(&self);
    fn dial(&self);
    fn traffic(&self) -> Traffic;
    fn set_token(&self, token: &str);
    fn until_up(&self);
    /// The next event of the link since the client was made.
    fn event(&mut self) -> LinkEvent;
    /// One that has already happened.
    fn try_event(&mut self) -> Option<LinkEvent>;
    /// Messages to and from the server, also from other threads.
    fn talk(&self) -> Arc<dyn Talk>;
    fn close(self: Box<Self>);
}

/// The messages of a client; waiting calls give up after the limit.
pub(crate) trait Talk: Send + Sync {
    fn send(&self, message: Message) -> Result<(), SendError>;
    /// `None` if there is no room for it within this time.
    fn send_within(&self, message: Message, time: Duration) -> Option<Result<(), SendError>>;
    fn send_volatile(&self, message: Message) -> Result<(), SendError>;
    fn flush(&self) -> Result<(), FlushError>;
    fn flush_within(&self, time: Duration) -> Option<Result<(), FlushError>>;
    fn receive(&self) -> Option<Heard>;
    fn confirm(&self, receipt: Receipt);
}

/// The messages of a server; waiting calls give up after the limit.
pub(crate) trait Talks: Send + Sync {
    fn send(&self, session: SessionId, message: Message) -> Result<(), SendError>;
    fn send_within(
        &self,
        session: SessionId,
        message: Message,
        time: Duration,
    ) -> Option<Result<(), SendError>>;
    fn send_volatile(&self, session: SessionId, message: Message) -> Result<(), SendError>;
    fn receive(&self) -> Option<(SessionId, Heard)>;
    fn confirm(&self, receipt: Receipt);
    fn end_session(&self, session: SessionId) -> Vec<Unacknowledged>;
}

/// A transfer; waiting calls give up after the limit.
pub(crate) trait Transfer: Send {
    fn finished(&mut self) -> Result<Finished, TransferError>;
    fn progress(&self) -> TransferProgress;
    fn until(&mut self, enough: &mut dyn FnMut(&TransferProgress) -> bool) -> TransferProgress;
    fn pause(&self);
    fn resume(&self);
    fn cancel(&self, leftover: Leftover);
}

/// A server; waiting calls give up after the limit.
pub(crate) trait Server {
    fn address(&self) -> SocketAddr;
    fn event(&mut self) -> ServerEvent;
    fn set_access(&self, access: Access);
    fn pause(&self, id: TransferId);
    fn resume(&self, id: TransferId);
    fn cancel(&self, id: TransferId, leftover: Leftover);
    /// Messages to and from its clients, also from other threads.
    fn talks(&self) -> Arc<dyn Talks>;
    /// Tells it to stop, and does not wait.
    fn tell_to_stop(&mut self);
    /// Waits until it has stopped, and returns why, if it was not told to.
    fn ended(&mut self) -> io::Result<()>;
    fn stop(&mut self) {
        self.tell_to_stop();
        self.ended().expect("it stops");
    }
}

impl Adapter {
    pub(crate) fn client(self, url: &str, config: ClientConfig) -> Box<dyn Client> {
        match self {
            Self::Tokio => Box::new(tokio::Client::new(url, config)),
            Self::Blocking => Box::new(blocking::Client::new(url, config)),
        }
    }

    /// A server at this address; port 0 is a free one.
    pub(crate) fn server(self, at: SocketAddr, store: DiskStore, config: ServerConfig) -> Box<dyn Server> {
        self.server_of(TcpListener::bind(at).expect("a port"), store, config)
    }

    pub(crate) fn server_of(
        self,
        listener: TcpListener,
        store: DiskStore,
        config: ServerConfig,
    ) -> Box<dyn Server> {
        match self {
            Self::Tokio => Box::new(tokio::Server::new(listener, store, config)),
            Self::Blocking => Box::new(blocking::Server::new(listener, store, config)),
        }
    }
}
