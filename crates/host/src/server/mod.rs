//! A server of files and messages, without I/O: who may connect, what a link serves, and what it reports.

mod access;
mod config;
mod crowd;
mod figures;
mod guest;
mod house;
mod often;
mod orders;
mod pauses;
mod peer;
mod porch;
mod rates;
mod seats;
mod served;
mod talks;
#[cfg(test)]
mod tests;

pub use bowline_handshake::server::Origins;

pub use access::{Access, Grant, Pass, Secret};
pub use config::{FileEvent, ServerConfig, ServerEvent};
pub use figures::{Figures, Moved, ROUND_TRIPS, Refusal, Stages, Traffic};
pub use guest::Guest;
pub use house::House;
pub use often::Often;
pub use peer::Peer;
pub use porch::{COURTESY, Hurry, Porch};
pub use served::{Output, Served};
pub use talks::Talks;
