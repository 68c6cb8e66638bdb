#![doc = include_str!("../README.md")]
//!
//! # The levels
//!
//! `bowline-core` makes all decisions; this crate gives it sockets and clocks. It consists of thin levels, each usable
//! alone and over any `AsyncRead + AsyncWrite`:
//!
//! | level | one job |
//! |---|---|
//! | [`dial`], [`accept`] | a stream, and the opening handshake on it |
//! | [`Driver`] | moves the bytes of one [`Connection`](bowline_core::Connection) and keeps its time |
//! | [`WebSocket`] | messages in, messages out, polled by its owner or driven by a task |
//! | [`ReconnectingWebSocket`] | the same to any server, reconnecting whenever the connection is lost |
//! | [`Client`], [`Server`] | files, and messages of sessions, over as many links as it takes |
//!
//! # The runtime
//!
//! Deadlines are tokio timers, and tokio panics if the runtime has none. A runtime that you build by hand needs
//! [`enable_all`](tokio::runtime::Builder::enable_all), or `enable_time` over streams that are not sockets.
//! `#[tokio::main]` enables everything.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod accept;
mod client;
mod clock;
pub mod dial;
mod dialing;
mod driver;
mod exchange;
mod maybe_tls;
pub mod tcp;
#[cfg(feature = "tls")]
pub mod tls;
mod websocket;

pub use bowline_host::proxy;
#[cfg(unix)]
pub use bowline_host::unix;
pub use bowline_host::{AcceptError, DialError, SleepWatch, Stage, Unsent};
pub use clock::Clock;
pub use driver::Driver;
pub use maybe_tls::MaybeTlsStream;
pub use websocket::{Receiver, Sender, SinkError, WebSocket};

mod host;
mod news;
mod pings;
mod reconnecting;
mod server;
mod transfer;

pub use bowline_host::client::{GaveUp, ReconnectingConfig};
pub use bowline_host::messages::{FlushError, Heard};
pub use client::{Client, ClientConfig, Download, LinkEvent, LinkState, Paths, StartError};
pub use reconnecting::ReconnectingWebSocket;
pub use server::{
    Access, Figures, FileEvent, Grant, Guest, Origins, Peer, Secret, Server, ServerConfig, ServerEvent,
};
pub use transfer::{Control, Finished, Transfer, TransferError, TransferProgress};
