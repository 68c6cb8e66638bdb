//! The wiring of streams and clocks to the core.
#![allow(missing_docs)]

mod accept;
mod client;
mod common;
mod deaf;
mod dial;
mod driver;
mod ends;
mod farewell;
mod futures;
mod orders;
mod pieces;
mod reconnecting;
mod sink;
mod streams;
mod task;
mod websocket;
