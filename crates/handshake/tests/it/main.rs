//! The handshake from outside: requests, answers, messages, limits, splits, peers.

mod answers;
mod client_errors;
mod common;
mod ends;
mod limits;
mod peers;
mod proxies;
mod requests;
mod splits;
mod upgrade;
