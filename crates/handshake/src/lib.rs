//! The opening handshake of a WebSocket (RFC 6455 §4), as two state machines without I/O.
//!
//! [`client::Handshake`] sends a request and checks the answer; [`server::Handshake`] reads the request and answers.
//! Neither has a socket, a clock or a source of randomness: bytes and the time go in; bytes, a deadline and one result
//! come out. Whatever the peer sent after its part of the handshake is returned as `leftover`; it belongs to the frame
//! decoder.
//!
//! If another HTTP server has already read the request, [`server::Upgrade`] makes the answer by the same rules.
//!
//! Both are limited in bytes, headers and time ([`Config`]), behave the same however the input is split, examine each
//! byte once even if bytes arrive one by one, and never panic on what a peer sends. Their errors are written for the
//! person who has to find out why there is no connection.
//!
//! HTTP syntax is parsed by tungstenite's parser. The checks of RFC 6455 are made here: `Connection: keep-alive,
//! Upgrade` is a valid answer, while one with an extension that was not offered is not.
//!
//! ```
//! use bowline_core::Instant;
//! use bowline_handshake::{Config, client, server};
//!
//! let now = Instant::ZERO;
//! let request = client::Request::new("ws://example.org/chat")?.with_subprotocol("chat.v1")?;
//! let mut client = client::Handshake::new(&request, [7; 16], Config::default(), now);
//! let mut server = server::Handshake::new(Config::default(), now);
//!
//! // In an adapter, each of these four lines is a write at one end and a read at the other.
//! server.handle_input(now, client.output());
//! client.handle_written(now, client.output().len());
//! server.accept(now, &server::Accept::new().with_subprotocol("chat.v1"))?;
//! client.handle_input(now, server.output());
//! server.handle_written(now, server.output().len());
//!
//! let at_server = server.poll_result().unwrap()?;
//! let at_client = client.poll_result().unwrap()?;
//! assert_eq!(at_server.request.uri().path(), "/chat");
//! assert_eq!(at_client.subprotocol.as_deref(), Some("chat.v1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod config;
mod excerpt;
mod head;
mod headers;
mod question;
mod retry_after;

pub mod client;
pub mod proxy;
pub mod server;

pub use config::Config;
pub use headers::HeaderError;
