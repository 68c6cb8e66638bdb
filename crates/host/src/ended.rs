//! The end of a message stream.

use std::time::Duration;

use bowline_core::closing::{Closing, Config, End, Evidence, Kind};
use bowline_core::{Disconnect, Instant, Message, Role};

/// The longest time for which an owner that only sends, and never waits, may go without reading: short compared with
/// any heartbeat, and long enough that reading costs nothing.
pub const DEAF: Duration = Duration::from_millis(5);

/// How long a link whose end is known may take to send its last bytes.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a stream ended, and whether that was reported.
#[derive(Debug, Default)]
pub struct Ended {
    disconnect: Option<Disconnect>,
    told: bool,
}

impl Ended {
    /// Records the end.
    pub fn set(&mut self, disconnect: Disconnect) -> Disconnect {
        self.disconnect.insert(disconnect).clone()
    }

    /// How it ended, once known.
    pub fn disconnect(&self) -> Option<&Disconnect> {
        self.disconnect.as_ref()
    }

    /// Whether the stream has nothing more to yield.
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// What the stream yields for what was received: messages, then the end if it was not clean, and then nothing.
    pub fn item(&mut self, received: Result<Message, Disconnect>) -> Option<Result<Message, Disconnect>> {
        match &received {
            Ok(_) => Some(received),
            Err(disconnect) => {
                let is_news = !std::mem::replace(&mut self.told, true);
                (is_news && disconnect.kind() != Kind::Clean).then_some(received)
            }
        }
    }
}

/// The end of a connection that was dropped on this side without a record.
pub fn aborted() -> Disconnect {
    let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
    closing.handle_end(Instant::ZERO, End::LocalAbort);
    closing.poll_disconnect(&Evidence::default()).expect("an end that was reported")
}
