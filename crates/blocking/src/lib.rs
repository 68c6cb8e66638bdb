//! WebSocket connections on blocking sockets of the standard library, without a runtime.
//!
//! All rules of the protocol, of heartbeats and of closing are in [`bowline_core`]; this crate moves the bytes, reads the
//! clock, and waits: for the socket and for the connection's next deadline at once, by `poll` of the system. So pings leave
//! while a call waits for a peer that takes nothing, a dead peer is found on time, and a close never takes longer than its
//! time-out.
//!
//! | level | one job |
//! |---|---|
//! | [`dial`], [`accept`] | a stream, and the opening handshake on it |
//! | [`Driver`] | moves the bytes of one [`Connection`](bowline_core::Connection) and keeps its time |
//! | [`WebSocket`] | messages in, messages out, while its owner calls or by a thread of its own |
//! | [`Listener`] | a thread for each client that comes |

pub mod accept;
mod clock;
pub mod dial;
mod driver;
mod exchange;
mod listener;
mod stream;
mod wait;
mod websocket;

pub use bowline_host::socket::tune;
pub use bowline_host::{AcceptError, DialError, Stage};
pub use clock::Clock;
pub use driver::{Driven, Driver};
pub use listener::{Left, Listener, Stopper};
pub use stream::{Handle, Stream};
pub use websocket::{Receiver, Sender, WebSocket};
