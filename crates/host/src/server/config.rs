//! Settings of a server, and what it reports.

use std::fmt;
use std::time::Duration;

use bowline_core::messages::SessionsConfig;
use bowline_core::transfer::{self, Batch, Digest, Failure, SafeName, TransferId};
use bowline_core::{Disconnect, connection};
use bowline_handshake::server::Origins;

use super::{Access, Peer};

/// Settings of a server.
#[derive(Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Heartbeat, limits and buffers of each connection. Its limits on frames and messages count only where they are
    /// below what the protocol needs for a chunk of `transfer`, or for a message of `messages`.
    pub connection: connection::Config,
    /// Limits of the transfers.
    pub transfer: transfer::Config,
    /// Whether messages are supported, and the limits of their sessions. Default: they are not.
    pub messages: Option<SessionsConfig>,
    /// Limits of the opening handshake.
    pub accept: bowline_handshake::Config,
    /// Who may connect, and what each may do. Default: anybody, everything. To change it later, tell the server.
    pub access: Access,
    /// Whose web pages may connect: the scripts of a page reach whatever its visitor's browser reaches, including this
    /// machine. Default: the server's own pages. Others are answered with 403, token or not. Programs send no `Origin`,
    /// and are not affected.
    pub origins: Origins,
    /// How many transfers one principal may have open, over all its connections; beyond it, an offer is told to wait.
    /// The same happens while twice as many jobs on files, but at least 64, are not done: a cancelled transfer leaves
    /// some behind. Default: 1024, four connections full of them. `None`: no limit but those of each connection.
    pub max_open: Option<usize>,
    /// How many bytes the clients that send at the moment may together be ahead of the disk. A link is promised at most
    /// the lesser of its share of this (but at least 64 KiB for each transfer) and [`transfer::Config::link_credit`].
    /// What was promised before others came stays promised until it has arrived. Default: 32 MiB, with which a crowd
    /// whose round trip is 100 ms still fills 2.5 Gbit/s.
    pub credit: u64,
    /// How often the store is swept of partial files that have expired. Default: every hour, in steps that keep nobody
    /// waiting; at most once a second. `None`: never, and you call
    /// [`DiskStore::sweep`](bowline_store::DiskStore::sweep) yourself.
    pub sweep_every: Option<Duration>,
    /// How many connections are served at once, by all listeners of the server together; others wait in the system's
    /// queue. While another waits, a client that connected at least [`COURTESY`](super::COURTESY) ago and has sent no
    /// request makes room. Where others may connect, a principal with a name has at most half of them; above that it is
    /// answered with 503, and comes again. Default: 1024, because each may use 52 MiB of memory at worst
    /// ([`transfer::Config`]).
    ///
    /// A stream that the application hands over itself (`serve_stream`, `serve_guest`) is not counted: the application
    /// counts it.
    pub max_connections: usize,
    /// Encrypts every connection that is accepted. Default: none is encrypted, except over encrypted streams of the
    /// application.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::tls::ServerTls>,
    /// How long clients may take to leave when the server stops. Default: 3 s, a little less than people wait before
    /// they kill.
    pub drain: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            connection: connection::Config::default(),
            transfer: transfer::Config::default(),
            messages: None,
            accept: bowline_handshake::Config::default(),
            access: Access::default(),
            origins: Origins::default(),
            max_open: Some(1024),
            credit: 32 << 20,
            sweep_every: Some(Duration::from_secs(3600)),
            max_connections: 1024,
            #[cfg(feature = "tls")]
            tls: None,
            drain: Duration::from_secs(3),
        }
    }
}

impl ServerConfig {
    /// Whether every accepted connection must be encrypted: for an adapter that cannot encrypt it, and must not serve
    /// it unencrypted.
    pub fn wants_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        return false;
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("ServerConfig");
        fields
            .field("tls", &self.wants_tls())
            .field("connection", &self.connection)
            .field("transfer", &self.transfer)
            .field("messages", &self.messages)
            .field("accept", &self.accept)
            .field("access", &self.access)
            .field("origins", &self.origins)
            .field("max_open", &self.max_open)
            .field("credit", &self.credit)
            .field("sweep_every", &self.sweep_every)
            .field("max_connections", &self.max_connections)
            .field("drain", &self.drain)
            .finish()
    }
}

/// What happens at a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A client has connected.
    Connected {
        /// Who it is.
        peer: Peer,
    },
    /// A client is gone; the disconnect says why in one sentence.
    Disconnected {
        /// Who it was.
        peer: Peer,
        /// Everything known about the end.
        disconnect: Disconnect,
    },
    /// A connection was refused: it was not from a client, or not from one of ours.
    Rejected {
        /// Its address.
        peer: String,
        /// Why, in one sentence.
        why: String,
    },
    /// A transfer has begun on a link, or resumes there. Its id is for the server's `pause` and the related calls.
    Began {
        /// The client.
        peer: Peer,
        /// The transfer.
        id: TransferId,
        /// The file, relative to the folder of the store. `None`: a listing of the store.
        name: Option<SafeName>,
    },
    /// A file has arrived.
    Received(FileEvent),
    /// A file has been fetched.
    Sent(FileEvent),
    /// A client was sent a listing: it asked for one, or asked for a folder.
    Listed {
        /// The client.
        peer: Peer,
        /// What was listed, relative to the folder of the store. `None`: the store.
        name: Option<SafeName>,
        /// How long the listing is.
        bytes: u64,
    },
    /// A transfer has ended early.
    Failed {
        /// The client.
        peer: Peer,
        /// The file, if it was known, relative to the folder of the store; a listing of the store has no name.
        name: Option<SafeName>,
        /// Only a listing was asked for: of what has that name, or of the store.
        listing: bool,
        /// Why.
        failure: Failure,
    },
}

/// A file that was transferred.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileEvent {
    /// The client.
    pub peer: Peer,
    /// The file, relative to the folder of the store, whatever part of it the client sees.
    pub name: SafeName,
    /// How many bytes it has.
    pub bytes: u64,
    /// Their digest.
    pub digest: Digest,
    /// The receiver already had it.
    pub deduplicated: bool,
    /// It is a folder, sent for its own sake.
    pub folder: bool,
    /// Which others it belongs to, if its sender has said so.
    pub batch: Option<Batch>,
}
