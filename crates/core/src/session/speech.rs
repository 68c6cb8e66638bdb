//! The messages of a session, beside its files.
//!
//! A client's session holds the end of its message session itself. On a server that end outlives the link, so there the
//! frames only pass through, and [`Sessions::serve`](crate::Sessions::serve) carries them.

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

/// So many bytes of frames wait at the most to be taken by a server's connection: enough to fill a segment or two.
const STAGE: usize = 16 << 10;

/// So much that came waits at the most to be served, each frame counted as [`FRAME_WEIGHT`] more than it has: some three
/// times what a window and the volatile messages of one moment take, so that nobody is cut whose host serves after each pump.
const WAITING: usize = 4 << 20;

/// What a frame counts for beside its bytes, so that short ones are bounded, too.
const FRAME_WEIGHT: usize = 64;

/// How a server closes a link whose session is on another one.
const SUPERSEDED: &str = "superseded";

/// A link over which nothing crosses is found dead in less, with the usual heartbeats.
const FOUND_DEAD: Duration = Duration::from_secs(60);

/// How far messages may get ahead of chunks, and chunks of messages, while both want the link.
const MESSAGES_AHEAD: usize = 64 << 10;
const FILES_AHEAD: usize = 1 << 20;

/// Who speaks of messages here.
#[derive(Debug)]
pub(super) enum Speech {
    /// Nobody.
    Mute,
    /// The client itself.
    Own { messages: Box<Messages>, turn: Turn },
    /// Somebody behind the session of a server's link.
    Passed { stage: Stage, turn: Turn },
}

/// What passes through.
#[derive(Debug, Default)]
pub(super) struct Stage {
    inbound: VecDeque<Bytes>,
    inbound_weight: usize,
    outbound: VecDeque<Parts>,
    outbound_bytes: usize,
}

impl Stage {
    /// A frame came. False if too much waits: it is dropped.
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

/// Whose turn it is. A message goes first, but not for ever: what one side has sent more than the other is counted.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// How many bytes messages are ahead of files.
    messages: usize,
    /// Or files of messages.
    files: usize,
}

impl Turn {
    fn is_message_first(&self) -> bool {
        self.messages < MESSAGES_AHEAD
    }

    fn count_message(&mut self, len: usize) {
        let ahead = self.messages.saturating_add(len.saturating_sub(self.files));
        self.files = self.files.saturating_sub(len);
        // One that is longer has to be paid for all the same.
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

    /// What the HELLO says.
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

    /// Since when messages wait to be acknowledged, as far as that is the path's fault: a peer may take its time before it
    /// takes one.
    pub(super) fn awaits_since(&self, now: Instant) -> Option<Instant> {
        self.is_busy().then(|| now.saturating_sub(FOUND_DEAD))
    }

    /// Whether the server says that somebody else has resumed the session. Who that was it does not know, and the next
    /// link tells.
    pub(super) fn is_superseded(&self, disconnect: &Disconnect) -> bool {
        let by_peer = disconnect.received().filter(|_| disconnect.who() == Who::Peer);
        let is_told = |close: &Close| close.code() == CloseCode::NORMAL && close.reason() == SUPERSEDED;
        matches!(self, Self::Own { .. }) && by_peer.is_some_and(is_told)
    }

    /// Whether messages are under way.
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
    /// A client's messages: they are sent and received here. `None` for a server, and where they are not
    /// [configured](super::Config::messages).
    pub fn messages_mut(&mut self) -> Option<&mut Messages> {
        if let Speech::Own { messages, .. } = &mut self.speech { Some(messages) } else { None }
    }

    /// A client's messages, to look at.
    pub fn messages(&self) -> Option<&Messages> {
        if let Speech::Own { messages, .. } = &self.speech { Some(messages) } else { None }
    }

    /// A binary message came: it is for the messages, for the transfers, or for nobody.
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
                    // Our host's mistake: the peer may come again.
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

    /// What the messages tell is told on, and what they find wrong breaks the link.
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

    /// The next frame that came.
    pub(crate) fn take_frame(&mut self) -> Option<Bytes> {
        if let Speech::Passed { stage, .. } = &mut self.speech { stage.hand_on() } else { None }
    }

    /// Whether another frame may be put here.
    pub(crate) fn has_frame_room(&self) -> bool {
        matches!(&self.speech, Speech::Passed { stage, .. } if stage.outbound_bytes < STAGE)
    }

    /// A frame to send.
    pub(crate) fn put_frame(&mut self, frame: Parts) {
        if let Speech::Passed { stage, .. } = &mut self.speech {
            stage.outbound_bytes += frame.len();
            stage.outbound.push_back(frame);
        }
    }

    /// The link cannot go on.
    pub(crate) fn break_link(&mut self, code: Code, text: String) {
        self.transfers.break_link(code, text);
        self.collect();
    }

    /// Another link has taken over.
    pub(crate) fn supersede(&mut self) {
        self.close = Close::new(CloseCode::NORMAL, SUPERSEDED).ok();
    }
}
