//! Blocking WebSockets over real sockets.

mod common;
mod files;
mod listener;
mod patience;
mod sending;
mod spawned;
