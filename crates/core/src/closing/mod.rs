//! The closing handshake: who said what when, what ended the connection, and what to do about it.
//!
//! [`Closing`] never touches a frame. Its owner reports facts (a Close came, ours has left, the transport ended, the
//! heartbeat found the peer dead) and does what the answers say: write this payload, deliver that message, keep or drop
//! the transport. It ends with exactly one [`Disconnect`].
//!
//! ```text
//!           close, fail           Close received
//!    ┌──────┐        ┌──────┐              ┌──────┐
//!    │ Open ├───────▶│ Sent ├─────────────▶│ Both │
//!    └┬─┬─┬─┘        └──┬───┘              └▲──┬──┘
//!     │ │ └─────────────┼─ Close received ──┘  │
//!     │ │               │                      │
//!     │ │ a write fails │    ┌───────┐         │
//!     │ └───────────────┼───▶│ Drain │         │
//!     │                 │    └───┬───┘         │
//!     │ the transport has ended, nobody is there, or the wait is over
//!     │                 │        │             │
//!     │             ┌───▼────────▼─────────────▼──┐ poll_disconnect ┌──────┐
//!     └────────────▶│           Ending            ├────────────────▶│ Over │
//!                   └─────────────────────────────┘                 └──────┘
//! ```
//!
//! In Sent, whatever the peer still sends is delivered; in Both it is ignored and counted. In Drain nothing can be
//! written, but the peer's last words may be in the receive buffer; a Close found there ends the wait.
//!
//! Between Open and Both, an owner may stay in Held: the peer's Close has arrived, but it is not answered until the
//! application has seen what came before it and has had a chance to reply. The answer may wait behind queued data (RFC
//! 6455 §5.5.1). Both waits are limited: half the close timeout for the application, and a fifth of it for the data.

mod clause;
mod close;
mod code;
mod config;
mod diagnosis;
mod disconnect;
mod evidence;
mod exchange;
mod explain;
mod history;
mod kind;
mod machine;
mod retry;
mod rules;
mod state;
mod suspect;
mod traffic;
mod unopened;

#[cfg(test)]
mod tests;

pub use close::{Close, CloseError, Flaw, MAX_REASON};
pub use code::{CloseCode, retry_status};
pub use config::Config;
pub use disconnect::Disconnect;
pub use evidence::{Cut, End, Evidence, Ping};
pub use exchange::Exchange;
pub use explain::Explanation;
pub use history::History;
pub use kind::{Kind, Obstacle, Who};
pub use machine::Closing;
pub(crate) use retry::LONGEST;
pub use retry::{Change, Retry, Why};
pub use state::{Overdue, Transport};
pub use suspect::Suspect;

pub use crate::words::{Span, is_active, plain};
