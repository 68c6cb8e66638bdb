//! What a [`tungstenite::WebSocket`] gains without being replaced: a heartbeat, explained ends, and messages that
//! convert. Feature `tungstenite`.
//!
//! | | |
//! |---|---|
//! | [`Watched`] | a WebSocket on a blocking socket, with all of it: its owner changes two lines |
//! | [`Watch`] | the same without I/O, for owners with a loop of their own |
//! | [`from_message`], [`to_message`], [`from_close`], [`to_close`] | messages and close frames, in both directions |
//!
//! Files need only messages: `Transfers` of `bowline-core` runs over any WebSocket that carries binary ones.
//!
//! # What cannot be done from outside
//! tungstenite queues what it has accepted as bytes of frames, so nothing overtakes it: a ping, a Pong or a Close
//! leaves behind everything sent before. A [`Connection`](bowline_core::Connection) sends it at the next edge of a
//! fragment. With tungstenite,
//!
//! - a ping's clock starts when the queue has left, and a shrinking queue is a sign of life, so that nobody is declared
//!   dead because of it; but a dead peer is found later by as long as the queue is stuck;
//! - a peer with a heartbeat of its own may lose patience meanwhile, since its pings are answered behind the queue;
//! - the window of `Transfers` limits what it queues: no more is under way than the path carries in a round trip plus
//!   50 ms, and no chunk is longer than a mebibyte, so that a ping behind a file waits for about as long as one byte of
//!   it;
//! - only the owner limits its own messages: a message of a hundred megabytes puts a hundred megabytes in front of the
//!   next ping.
//!
//! Protocol violations are found by tungstenite, which reports them as errors. The peer is sent the matching Close,
//! behind what is queued.

mod convert;
mod counted;
mod patience;
mod watch;
mod watched;

#[cfg(all(test, unix))]
mod tests;

pub use convert::{from_close, from_message, to_close, to_message};
pub use counted::Counted;
pub use patience::Patience;
pub use watch::{Config, Watch};
pub use watched::Watched;
