//! Blocking WebSockets over real sockets.

mod common;
mod listener;
mod patience;
mod sending;
mod spawned;
