//! The messages of a session, next to its files.
//!
//! On a client, the session holds its end of the message session. On a server, that end outlives the link, so frames
//! only pass through here, and [`Sessions::serve`](crate::Sessions::serve) carries them.

use super::{Event, Session};
use crate::closing::{Close, CloseCode, Disconnect, Who};
use crate::message::Parts;
use crate::messages::{self, Messages, wire};
use crate::transfer::Code;
use crate::{Instant, Rng};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use bytes::Bytes;
use core::time::Duration;

/// No more frames are accepted for a server's connection while this many bytes wait for it: enough to fill a segment or
/// two.
const STAGE: usize = 16 << 10;

/// The most that may wait to be served, where each frame counts for [`FRAME_WEIGHT`] more than its bytes. This is some
/// three times what a window and the volatile messages of one moment need, so that a host that serves after each pump
/// never loses a link.
const WAITING: usize = 4 << 20;

/// The weight of a frame besides its bytes, so that the number of short ones is limited, too.
const FRAME_WEIGHT: usize = 64;

/// The reason with which a server closes a link whose session has moved to another one.
const SUPERSEDED: &str = "superseded";

/// With the usual heartbeats, a link over which nothing crosses is found dead sooner than this.
const FOUND_DEAD: Duration = Duration::from_secs(60);

/// How far messages may get ahead of chunks, and chunks ahead of messages, while both want the link.
const MESSAGES_AHEAD: usize = 64 << 10;
const FILES_AHEAD: usize = 1 << 20;

/// Who handles messages here.
#[derive(Debug)]
pub(super) enum Speech {
    /// Nobody.
    Mute,
    /// The client's session itself.
    Own { messages: Box<Messages>, turn: Turn },
    /// The owner of the message sessions, behind a server's session.
    Passed { stage: Stage, turn: Turn },
}

/// Frames that pass through a server's session.
#[derive(Debug, Default)]
pub(super) struct Stage {
    inbound: VecDeque<Bytes>,
    inbound_weight: usize,
    outbound: VecDeque<Parts>,
    outbound_bytes: usize,
}

impl Stage {
    /// A frame arrived. Returns false, and drops it, if too much is waiting.
    fn take_in(&mut self, frame: Bytes) -> bool {
        let weight = self.inbound_weight.saturating_add(frame.len().saturating_add(FRAME_WEIGHT));
        let has_room = weight <= WAITING;
        if has_room {
            self.inbound_weight = weight;
            self.inbound.push_back(frame);
        }
        has_room
    }

    fn hand_on(&mut self) -> Option<Bytes> {
        let frame = self.inbound.pop_front()?;
        self.inbound_weight -= frame.len() + FRAME_WEIGHT;
        Some(frame)
    }
}

/// Whose turn it is. Messages go first, but not for ever: this counts how much more one side has sent than the other.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// By how many bytes messages are ahead of files.
    messages: usize,
    /// By how many bytes files are ahead of messages.
    files: usize,
}

impl Turn {
    fn is_message_first(&self) -> bool {
        self.messages < MESSAGES_AHEAD
    }

    fn count_message(&mut self, len: usize) {
        let ahead = self.messages.saturating_add(len.saturating_sub(self.files));
        self.files = self.files.saturating_sub(len);
        // A longer message must be made up for in full.
        self.messages = ahead.min(MESSAGES_AHEAD.max(len));
    }

    fn count_file(&mut self, len: usize) {
        let ahead = self.files.saturating_add(len.saturating_sub(self.messages));
        self.messages = self.messages.saturating_sub(len);
        self.files = ahead.min(FILES_AHEAD);
    }
}

impl Speech {
    pub(super) fn client(config: Option<messages::Config>, rng: &mut Rng, now: Instant) -> Self {
        config.map_or(Self::Mute, |config| Self::Own {
            messages: Box::new(Messages::new(config, rng.bytes(), now)),
            turn: Turn::default(),
        })
    }

    pub(super) fn server(config: Option<messages::Config>) -> Self {
        config.map_or(Self::Mute, |_| Self::Passed { stage: Stage::default(), turn: Turn::default() })
    }

    /// The features to announce in the HELLO.
    pub(super) fn features(&self) -> u64 {
        if matches!(self, Self::Mute) { 0 } else { wire::FEATURE }
    }

    pub(super) fn handle_link_up(&mut self, now: Instant) {
        match self {
            Self::Mute => {}
            Self::Own { messages, turn } => {
                *turn = Turn::default();
                messages.handle_link_up(now);
            }
            Self::Passed { stage, turn } => (*stage, *turn) = (Stage::default(), Turn::default()),
        }
    }

    pub(super) fn handle_link_down(&mut self, now: Instant) {
        if let Self::Own { messages, .. } = self {
            messages.handle_link_down(now);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Self::Own { messages, .. } = self {
            messages.handle_timeout(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if let Self::Own { messages, .. } = self { messages.poll_timeout() } else { None }
    }

    /// Whether this link has carried messages.
    pub(super) fn has_carried(&self) -> bool {
        matches!(self, Self::Own { messages, .. } if messages.carried() > 0)
    }

    /// Since when messages have been waiting as far as the path may be to blame: for at most [`FOUND_DEAD`], because
    /// the peer may take its time to acknowledge a message.
    pub(super) fn awaits_since(&self, now: Instant) -> Option<Instant> {
        self.is_busy().then(|| now.saturating_sub(FOUND_DEAD))
    }

    /// Whether the server says that the session was resumed on another link. It does not know by whom; the next link
    /// will tell.
    pub(super) fn is_superseded(&self, disconnect: &Disconnect) -> bool {
        let by_peer = disconnect.received().filter(|_| disconnect.who() == Who::Peer);
        let is_told = |close: &Close| close.code() == CloseCode::NORMAL && close.reason() == SUPERSEDED;
        matches!(self, Self::Own { .. }) && by_peer.is_some_and(is_told)
    }

    /// Whether messages are unacknowledged.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Own { messages, .. } if messages.unacknowledged() > 0)
    }

    fn poll_frame(&mut self, now: Instant) -> Option<Parts> {
        match self {
            Self::Mute => None,
            Self::Own { messages, .. } => messages.poll_frame(now),
            Self::Passed { stage, .. } => {
                let frame = stage.outbound.pop_front()?;
                stage.outbound_bytes -= frame.len();
                Some(frame)
            }
        }
    }

    fn turn(&mut self) -> Option<&mut Turn> {
        match self {
            Self::Mute => None,
            Self::Own { turn, .. } | Self::Passed { turn, .. } => Some(turn),
        }
    }
}

impl Session {
    /// A client's messages, to send and receive. `None` on a server, and if they are not
    /// [configured](super::Config::messages).
    pub fn messages_mut(&mut self) -> Option<&mut Messages> {
        if let Speech::Own { messages, .. } = &mut self.speech { Some(messages) } else { None }
    }

    /// A client's messages, to inspect.
    pub fn messages(&self) -> Option<&Messages> {
        if let Speech::Own { messages, .. } = &self.speech { Some(messages) } else { None }
    }

    /// A binary message arrived. It is for the messages or for the transfers; otherwise it is returned.
    pub(super) fn hear(&mut self, now: Instant, message: Bytes) -> Option<Bytes> {
        if matches!(self.speech, Speech::Mute) || !wire::is_ours(&message) {
            let was_greeted = self.transfers.peer().is_some();
            let foreign = self.transfers.handle_message(now, message);
            let hello = self.transfers.peer().filter(|_| !was_greeted);
            if let (Some(hello), Speech::Own { messages, .. }) = (hello, &mut self.speech) {
                messages.handle_peer(now, hello.features & wire::FEATURE != 0);
            }
            return foreign;
        }
        if self.transfers.is_broken() {
            return None;
        }
        let Some(hello) = self.transfers.peer() else {
            self.transfers.break_link(Code::Protocol, "the first frame is not a HELLO");
            return None;
        };
        if hello.features & wire::FEATURE == 0 {
            self.transfers.break_link(Code::Protocol, "a frame of a feature that was not announced");
            return None;
        }
        match &mut self.speech {
            Speech::Mute => {}
            Speech::Own { messages, .. } => messages.handle_frame(now, message),
            Speech::Passed { stage, .. } => {
                if !stage.take_in(message) {
                    // A mistake of our own host: the peer may reconnect.
                    let why =
                        format!("{} MiB of messages wait, and the host does not serve them", WAITING >> 20);
                    self.transfers.break_link(Code::Internal, why);
                }
            }
        }
        None
    }

    /// The next message to send.
    pub(super) fn speak(&mut self, now: Instant) -> Option<Parts> {
        let control = self.transfers.poll_control(now);
        if control.is_some() || self.transfers.is_broken() || self.close.is_some() {
            return control;
        }
        if self.speech.turn().is_some_and(|turn| !turn.is_message_first()) {
            self.speak_file().or_else(|| self.speak_message(now))
        } else {
            self.speak_message(now).or_else(|| self.speak_file())
        }
    }

    fn speak_message(&mut self, now: Instant) -> Option<Parts> {
        let frame = self.speech.poll_frame(now)?;
        if let Some(turn) = self.speech.turn() {
            turn.count_message(frame.len());
        }
        Some(frame)
    }

    fn speak_file(&mut self) -> Option<Parts> {
        let chunk = self.transfers.poll_file()?;
        if let Some(turn) = self.speech.turn() {
            turn.count_file(chunk.len());
        }
        Some(chunk)
    }

    /// Passes on the events of the messages. An error that they find breaks the link.
    pub(super) fn collect_messages(&mut self) {
        let Speech::Own { messages, .. } = &mut self.speech else { return };
        while let Some(event) = messages.poll_event() {
            if let messages::Event::Broken { code, text } = event {
                self.transfers.break_link(code, text);
            } else {
                self.events.push_back(Event::Messages(event));
            }
        }
    }

    // ----- what passes through a server's session -----

    /// The next frame that arrived.
    pub(crate) fn take_frame(&mut self) -> Option<Bytes> {
        if let Speech::Passed { stage, .. } = &mut self.speech { stage.hand_on() } else { None }
    }

    /// Whether another frame is accepted.
    pub(crate) fn has_frame_room(&self) -> bool {
        matches!(&self.speech, Speech::Passed { stage, .. } if stage.outbound_bytes < STAGE)
    }

    /// Queues a frame to send.
    pub(crate) fn put_frame(&mut self, frame: Parts) {
        if let Speech::Passed { stage, .. } = &mut self.speech {
            stage.outbound_bytes += frame.len();
            stage.outbound.push_back(frame);
        }
    }

    /// Ends a link that cannot continue.
    pub(crate) fn break_link(&mut self, code: Code, text: String) {
        self.transfers.break_link(code, text);
        self.collect();
    }

    /// Ends the link because another one has taken over.
    pub(crate) fn supersede(&mut self) {
        self.close = Close::new(CloseCode::NORMAL, SUPERSEDED).ok();
    }
}
