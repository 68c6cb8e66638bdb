//! What a sender makes of a path: how much of the line it uses, and how long a control frame would have to wait.
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

/// What a sender made of a path.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The part of what the line could have carried.
    pub used: f64,
    /// The longest that a control frame would have had to wait, beyond the time a lone one takes.
    pub worst_wait: Duration,
    /// Since when control frames have not had to wait long.
    pub calm_since: Instant,
    /// How long a chunk was on average.
    pub mean_chunk: u64,
}
