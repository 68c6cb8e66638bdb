//! The handshake from outside: duties, words, limits, splits, peers.

mod client_duties;
mod client_errors;
mod common;
mod ends;
mod limits;
mod peers;
mod server_duties;
mod splits;
