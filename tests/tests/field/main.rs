//! Programs as they run in the field, on real sockets of this machine: slow links, slow receivers, busy senders, a proxy
//! that cuts what is idle, paths that fall silent, processes that stand still.
//!
//! They take up to two minutes each and are ignored. `tests/interop/field` installs the foreign programs that some of them
//! talk to, and runs all of them side by side.

#![allow(clippy::print_stdout)]

mod busy;
mod ends;
mod lost;
mod proxy;
mod relay;
mod stopped;
mod storm;

#[path = "../peer/mod.rs"]
mod peer;
