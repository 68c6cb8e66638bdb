//! How earlier links on the same path ended: what happens twice in the same way has a cause.

use super::disconnect::Disconnect;
use super::kind::Kind;
use core::time::Duration;

/// A memory of earlier ends, kept by whoever connects to the same place again and again.
///
/// ```
/// use bowline_core::Instant;
/// use bowline_core::closing::{Closing, Config, End, Evidence, History};
/// use bowline_core::Role;
///
/// let mut history = History::default();
/// for _ in 0..3 {
///     let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
///     closing.handle_end(Instant::from_millis(200), End::Eof);
///     let mut evidence = Evidence::default();
///     evidence.history = history;
///     let disconnect = closing.poll_disconnect(&evidence).unwrap();
///     history.record(&disconnect);
/// }
/// assert_eq!(history.quick(), 3); // the third says: server accepts, then drops at once
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub(super) idle: Option<Duration>,
    pub(super) ages: [Option<Duration>; 2],
    pub(super) cut_at: Option<u64>,
    /// The longest message that arrived in full on any of the links, in bytes.
    pub(super) longest_message: u64,
    quick: u32,
}

/// A link that ends without a word this soon was probably never wanted.
pub(super) const QUICK: Duration = Duration::from_secs(1);

impl History {
    /// Records how one more link ended.
    pub fn record(&mut self, disconnect: &Disconnect) {
        let kind = disconnect.kind();
        if let Kind::IdleDrop { idle, .. } = kind {
            self.idle = Some(idle);
        }
        if matches!(kind, Kind::Eof | Kind::Reset | Kind::Truncated { .. } | Kind::LifetimeLimit { .. }) {
            self.ages = [Some(disconnect.age()), self.ages[0]];
        }
        if let Some(at) = disconnect.cut_at() {
            self.cut_at = Some(at);
        }
        self.longest_message = self.longest_message.max(disconnect.longest_message());
        self.quick = if disconnect.is_quick() { self.quick.saturating_add(1) } else { 0 };
    }

    /// How many links in a row, including the last, were dropped within a second without a Close frame or a message.
    pub const fn quick(&self) -> u32 {
        self.quick
    }
}
