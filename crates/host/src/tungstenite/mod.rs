//! What a [`tungstenite::WebSocket`] gains without being replaced: a heartbeat, ends that are
//! explained, and messages that cross over. Feature `tungstenite`.
//!
//! | | |
//! |---|---|
//! | [`Watched`] | a WebSocket on a blocking socket, with all of it: two lines of its owner change |
//! | [`Watch`] | the same without I/O, for owners with a loop of their own |
//! | [`from_message`], [`to_message`], [`from_close`], [`to_close`] | messages and close frames, both ways |
//!
//! Files need no more than messages: `Transfers` of `bowline-core` go over any WebSocket that carries binary ones.
//!
//! # What cannot be done from outside
//! tungstenite queues what it has accepted as bytes of frames, so nothing overtakes it: a ping, a Pong or a Close
//! leaves behind all that was sent before. A [`Connection`](bowline_core::Connection) lets it pass at the next edge of
//! a fragment. Here
//!
//! - a ping's time begins when the queue has left, and a queue that shrinks is a sign of life, so that nobody is taken for
//!   dead because of it; but whoever is dead is found later by as long as the queue is stuck;
//! - a peer with a heartbeat of its own may lose patience meanwhile, since its pings are answered behind the queue;
//! - the window of `Transfers` bounds what they put there: no more is on its way than the path carries in a round trip and
//!   50 ms more, and no chunk is longer than a mebibyte, so that a ping behind a file waits for about as long as one byte
//!   of it;
//! - messages of the owner are bounded by nobody but the owner: a hundred megabytes in one are a hundred megabytes before the
//!   next ping.
//!
//! A violation of the protocol is found by tungstenite, and told by it as an error. The peer is sent the Close that
//! fits, behind what is queued.

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
