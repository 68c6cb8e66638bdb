//! A client's messages, between its application and its session.
//!
//! ```text
//!                send                           serve
//!  application ────────▶ said, at most 16 ─────────────▶ session
//!      ▲                                                   │
//!      └──────── receive ─ heard, at most 16 ◀─────────────┘
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::TryRecvError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_core::messages::{Event, MAX_MESSAGE, Messages, SendError, Why};
use bowline_core::replay::Unacknowledged;
use bowline_core::{Instant, Message};

use crate::messages::{FlushError, Heard, Wake};

#[cfg(test)]
mod tests;

/// How many messages are queued here, in each direction; those that wait for the peer are counted in the session.
const WAITING: usize = 16;
/// How many session events are queued. An application that does not poll misses some of them, but no message.
const TURNS: usize = 64;

/// A client's messages. Clones are the same one: the application has some, and the [`Keeper`](super::Keeper) has one.
/// Nothing here blocks: if something is not possible yet, try again when woken.
#[derive(Clone)]
pub struct Talk(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Wakes whoever runs the keeper.
    stir: Wake,
    /// Wakes waiting application code.
    news: Wake,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    said: VecDeque<Message>,
    heard: VecDeque<Heard>,
    /// How many entries of `heard` are messages.
    messages: usize,
    /// How many messages sessions have accepted, and how many of them are no longer pending.
    taken: u64,
    settled: u64,
    /// How many sessions were lost.
    losses: u64,
    /// The value of `settled` when the last session was lost.
    kept: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Messages are not enabled, or not yet.
    Mute,
    Open,
    /// Nothing more can be sent.
    Closing,
    /// Nothing more will be received either.
    Over,
}

/// Everything that was sent before a moment.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    said: u64,
    losses: u64,
}

impl Talk {
    /// Messages are disabled until a [`Keeper`](super::Keeper) enables them. `stir` wakes whoever runs the keeper, who
    /// must then [pump](super::Keeper::pump). `news` wakes waiting application code, which must then try again.
    pub fn new(stir: Wake, news: Wake) -> Self {
        let state = State {
            stage: Stage::Mute,
            said: VecDeque::new(),
            heard: VecDeque::new(),
            messages: 0,
            taken: 0,
            settled: 0,
            losses: 0,
            kept: 0,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), stir, news }))
    }

    // ----- the application -----

    /// Accepts a message, which is passed to the session as soon as that has room.
    ///
    /// # Errors
    /// If the message is too long, too many wait ([`SendError::Full`]: try again), nothing more can be sent, or
    /// messages are not enabled ([`SendError::Mute`]). The message is returned.
    pub fn send(&self, message: Message) -> Result<(), SendError> {
        if message.len() > MAX_MESSAGE {
            return Err(SendError::TooLong(message));
        }
        let mut state = self.lock();
        match state.stage {
            Stage::Open => {}
            Stage::Mute => return Err(SendError::Mute(message)),
            Stage::Closing | Stage::Over => return Err(SendError::Unknown(message)),
        }
        if state.said.len() >= WAITING {
            return Err(SendError::Full(message));
        }
        state.said.push_back(message);
        drop(state);
        (self.0.stir)();
        Ok(())
    }

    /// The next message, or the next event of the session.
    ///
    /// # Errors
    /// There is none yet: try again. Or there will be none.
    pub fn receive(&self) -> Result<Heard, TryRecvError> {
        let mut state = self.lock();
        let Some(heard) = state.heard.pop_front() else {
            let is_over = matches!(state.stage, Stage::Mute | Stage::Over);
            return Err(if is_over { TryRecvError::Disconnected } else { TryRecvError::Empty });
        };
        if let Heard::Message(_) = heard {
            state.messages -= 1;
            let wants_more = state.messages == WAITING / 2;
            drop(state);
            if wants_more {
                (self.0.stir)();
            }
        }
        Ok(heard)
    }

    /// Everything that was sent so far.
    ///
    /// # Errors
    /// If nothing more can be received, or messages are not enabled.
    pub fn mark(&self) -> Result<Mark, FlushError> {
        let state = self.lock();
        match state.stage {
            Stage::Open | Stage::Closing => {
                Ok(Mark { said: state.taken + state.said.len() as u64, losses: state.losses })
            }
            Stage::Mute => Err(FlushError::Mute),
            Stage::Over => Err(FlushError::Lost),
        }
    }

    /// Whether everything up to this mark has arrived; `None` if it still may: try again. If a further session was lost
    /// before this call, the answer is unknown and counts as lost.
    pub fn flushed(&self, mark: Mark) -> Option<Result<(), FlushError>> {
        let state = self.lock();
        let has_arrived = match state.losses - mark.losses {
            0 => state.settled >= mark.said,
            // It arrived before that session was lost.
            1 => state.kept >= mark.said,
            _ => false,
        };
        if has_arrived {
            return Some(Ok(()));
        }
        let will_not = state.losses != mark.losses || state.stage == Stage::Over;
        will_not.then_some(Err(FlushError::Lost))
    }

    /// Whether messages are not enabled: then nothing is ever received.
    pub fn is_mute(&self) -> bool {
        self.lock().stage == Stage::Mute
    }

    /// Whether as many messages are queued as allowed: the peer is held back until some are received.
    pub fn is_full(&self) -> bool {
        self.lock().messages >= WAITING
    }

    // ----- the keeper -----

    pub(super) fn open(&self) {
        self.lock().stage = Stage::Open;
    }

    /// Moves what can move between the application and the session. Returns whether there is something to send: a
    /// message, or an acknowledgement.
    pub(super) fn serve(&self, now: Instant, session: &mut Messages) -> bool {
        let mut state = self.lock();
        let before = (state.said.len(), state.heard.len(), state.settled);
        while let Some(message) = state.said.pop_front() {
            if let Err(error) = session.send(now, message) {
                state.said.push_front(error.into_inner());
                break;
            }
            state.taken += 1;
        }
        while state.messages < WAITING {
            let Some(received) = session.poll_received(now) else { break };
            state.messages += 1;
            state.heard.push_back(Heard::Message(received));
        }
        state.settled = state.taken - session.unacknowledged() as u64;
        let after = (state.said.len(), state.heard.len(), state.settled);
        drop(state);
        if before != after {
            (self.0.news)();
        }
        (before.0, before.1) != (after.0, after.1)
    }

    pub(super) fn tell(&self, event: Event) {
        self.lock().tell(event);
        (self.0.news)();
    }

    /// Whether no message waits for the session.
    pub(super) fn is_silent(&self) -> bool {
        self.lock().said.is_empty()
    }

    /// Nothing more can be sent.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if state.stage == Stage::Open {
            state.stage = Stage::Closing;
            drop(state);
            (self.0.news)();
        }
    }

    /// There will be no more sessions: messages that the last one has not delivered are returned, and so are those that
    /// had not entered it.
    pub(super) fn end(&self, mut messages: Vec<Unacknowledged>) {
        let mut state = self.lock();
        if !matches!(state.stage, Stage::Open | Stage::Closing) {
            return;
        }
        state.stage = Stage::Over;
        state.lose(messages.len());
        let unsent = std::mem::take(&mut state.said).into_iter();
        messages.extend(unsent.map(|message| Unacknowledged { message, maybe_delivered: false }));
        state.hear(Event::Lost { why: Why::Closed, messages });
        drop(state);
        (self.0.news)();
    }

    /// Nothing panics halfway while holding this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&mut self, event: Event) {
        if let Event::Lost { messages, .. } = &event {
            self.lose(messages.len());
        }
        self.hear(event);
    }

    /// A session is lost, and with it this many messages.
    fn lose(&mut self, unacknowledged: usize) {
        self.losses += 1;
        self.kept = self.taken.saturating_sub(unacknowledged as u64);
    }

    fn hear(&mut self, event: Event) {
        match (self.heard.back_mut(), event) {
            // The application need not hear of each link.
            (
                Some(Heard::Session(Event::Resumed { replayed, duplicates })),
                Event::Resumed { replayed: more, duplicates: all },
            ) => (*replayed, *duplicates) = (*replayed + more, all),
            (_, event) => self.heard.push_back(Heard::Session(event)),
        }
        if self.heard.len() - self.messages > TURNS {
            if let Some(oldest) = self.heard.iter().position(Heard::is_passing) {
                self.heard.remove(oldest);
            }
        }
    }
}

impl fmt::Debug for Talk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Talk")
            .field("stage", &state.stage)
            .field("said", &state.said.len())
            .field("heard", &state.heard.len())
            .finish_non_exhaustive()
    }
}

/// The keeper's clone. When it is dropped, waiting application code is told.
#[derive(Debug)]
pub(super) struct Anchor(pub(super) Talk);

impl Drop for Anchor {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.stage != Stage::Mute {
            state.stage = Stage::Over;
        }
        drop(state);
        (self.0.0.news)();
    }
}
