#![doc = include_str!("../README.md")]
//!
//! # The levels
//!
//! All rules of the protocol, of heartbeats and of closing are in [`bowline_core`]. This crate moves the bytes, reads
//! the clock, and waits: for the socket and for the connection's next deadline at once, by the system's `poll`. So
//! pings leave while a call waits for a peer that accepts nothing, a dead peer is found on time, and a close takes no
//! longer than its timeouts allow. [`WebSocket`] says how long each of its calls may wait.
//!
//! | level | one job |
//! |---|---|
//! | [`dial`], [`accept`] | a stream, and the opening handshake on it |
//! | [`Driver`] | moves the bytes of one [`Connection`](bowline_core::Connection) and keeps its time |
//! | [`WebSocket`] | messages in, messages out, while its owner calls or with a thread of its own |
//! | [`ReconnectingWebSocket`] | the same to any server, reconnecting whenever the connection is lost |
//! | [`Listener`] | a thread for each client that comes, by whatever [`Door`] |
//! | [`Client`], [`InlineClient`], [`Server`] | files, and messages of sessions, over as many links as it takes |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod accept;
mod client;
mod clock;
mod count;
pub mod dial;
mod dialing;
mod door;
mod driver;
mod exchange;
mod listener;
mod maybe_tls;
mod pings;
mod places;
mod pool;
mod post;
mod reconnecting;
mod server;
mod stream;
pub mod tcp;
#[cfg(feature = "tls")]
pub mod tls;
mod transfer;
mod wait;
mod watch;
mod websocket;

pub use bowline_host::client::{GaveUp, ReconnectingConfig};
pub use bowline_host::messages::{FlushError, Heard};
pub use bowline_host::proxy;
#[cfg(unix)]
pub use bowline_host::unix;
pub use bowline_host::{AcceptError, DialError, SleepWatch, Stage, Unsent};
pub use client::{
    Client, ClientConfig, Download, InlineClient, LinkEvent, LinkState, Paths, StartError, Underway,
};
pub use clock::Clock;
pub use door::Door;
pub use driver::{Driven, Driver};
pub use listener::{Left, Listener, Stopper};
pub use maybe_tls::MaybeTlsStream;
pub use reconnecting::ReconnectingWebSocket;
pub use server::{
    Access, Figures, FileEvent, Grant, Guest, Origins, Peer, Secret, Server, ServerConfig, ServerEvent,
};
pub use stream::{Handle, Stream};
pub use transfer::{Control, Finished, Transfer, TransferError, TransferProgress};
pub use watch::Watch;
pub use websocket::{Receiver, Sender, WebSocket};
