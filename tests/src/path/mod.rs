//! How well a sender uses a path: how much of the line, and how long a control frame would have to wait.
//!
//! The simulator of [`sim`](crate::sim) is exact to the segment and slow. Here a path is a queue and a line of which
//! every arrival is computed, so that a gigabit passes in a moment: enough to compare policies over many paths.
//!
//! ```text
//!  sender ─▶ buffer (a kernel's, and a proxy's if there is one) ─▶ line (rate, outages) ─▶ latency ─▶ receiver
//!               ▲───────────── room again when the far end's acknowledgement is back ─────────────────┘
//! ```

mod fixed;
mod line;
mod real;
mod route;
mod scene;

pub use fixed::fixed;
pub use line::Line;
pub use real::{Adaptive, adaptive};
pub use route::Route;
pub use scene::{Buffers, Scene, Weather};

use bowline_core::Instant;
use std::time::Duration;

/// The results of a sender on a path.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The share of what the line could have carried.
    pub used: f64,
    /// The longest wait of a control frame, beyond the time that a lone one takes.
    pub worst_wait: Duration,
    /// The time after which control frames never had to wait long.
    pub calm_since: Instant,
    /// The average length of a chunk.
    pub mean_chunk: u64,
}
