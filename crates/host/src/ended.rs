//! The end of a stream of messages.

use std::time::Duration;

use bowline_core::closing::{Closing, Config, End, Evidence, Kind};
use bowline_core::{Disconnect, Instant, Message, Role};

/// How long an owner that only sends, and whose sends never wait, hears nothing: little beside any heartbeat, and long
/// enough that listening costs nothing.
pub const DEAF: Duration = Duration::from_millis(5);

/// How long a link whose end is known may take to say its last words.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// How it ended, and whether that was told.
#[derive(Debug, Default)]
pub struct Ended {
    disconnect: Option<Disconnect>,
    told: bool,
}

impl Ended {
    /// It has ended like this.
    pub fn set(&mut self, disconnect: Disconnect) -> Disconnect {
        self.disconnect.insert(disconnect).clone()
    }

    /// How it ended, once that is known.
    pub fn disconnect(&self) -> Option<&Disconnect> {
        self.disconnect.as_ref()
    }

    /// Whether the stream has nothing more to yield.
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// What the stream yields for what was received: messages, an end that is not clean, and then nothing.
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

/// The end of a connection that was dropped on this side, where nobody kept the account.
pub fn aborted() -> Disconnect {
    let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
    closing.handle_end(Instant::ZERO, End::LocalAbort);
    closing.poll_disconnect(&Evidence::default()).expect("an end that was reported")
}
