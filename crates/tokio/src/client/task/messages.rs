//! The messages of a client: between its application and its session.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use bowline_core::Message;
use bowline_core::messages::{Event, Messages, SendError, Why};
use bowline_core::replay::Unacknowledged;
use tokio::sync::{mpsc, oneshot};

use super::Task;
use crate::client::messages::{Far, Said};
use crate::messages::Heard;

/// What is on its way between the application and the session.
pub(super) struct Talk {
    pub(super) line: Far,
    /// Nothing else will be said.
    silent: bool,
    /// For which there is no room yet.
    waiting: Option<Message>,
    /// What was told and not heard.
    told: VecDeque<Event>,
    /// Who waits until the message of this number has arrived.
    flushing: Vec<(u64, oneshot::Sender<()>)>,
    /// The number of the last message of the session.
    last: u64,
}

impl Talk {
    /// A client that does not speak of messages hangs up.
    pub(super) fn new(mut line: Far, speaks: bool) -> Self {
        if !speaks {
            line.said.close();
        }
        Self { line, silent: false, waiting: None, told: VecDeque::new(), flushing: Vec::new(), last: 0 }
    }

    /// Whether the next thing that is said can be heard.
    pub(super) fn listens(&self) -> bool {
        self.waiting.is_none() && !self.silent
    }

    fn tell(&mut self, event: Event) {
        match (self.told.back_mut(), event) {
            // Nobody need hear of each link.
            (
                Some(Event::Resumed { replayed, duplicates }),
                Event::Resumed { replayed: more, duplicates: all },
            ) => (*replayed, *duplicates) = (*replayed + more, all),
            (_, event) => self.told.push_back(event),
        }
    }
}

impl Task {
    pub(super) fn handle_said(&mut self, said: Option<Said>) {
        let now = self.host.clock.now();
        let messages = self.keeper.messages_mut();
        match (said, messages) {
            (None, _) | (_, None) => self.talk.silent = true,
            (Some(Said::Message(message)), _) => self.talk.waiting = Some(message),
            (Some(Said::Volatile(message, done)), Some(messages)) => {
                // Nobody may be waiting for the answer.
                let _ = done.send(messages.send_volatile(now, message));
            }
            (Some(Said::Flush(losses, done)), Some(_)) => {
                // Who has waited for what was lost hears that it was.
                if losses == self.talk.line.losses.load(Ordering::Acquire) {
                    self.talk.flushing.push((self.talk.last, done));
                }
            }
        }
        self.say();
    }

    /// Puts into the session what waits, and tells those who wait what has arrived. Says whether there is something to
    /// bring on its way.
    pub(super) fn say(&mut self) -> bool {
        let now = self.host.clock.now();
        let Some(messages) = self.keeper.messages_mut() else { return false };
        let mut is_news = false;
        if let Some(message) = self.talk.waiting.take() {
            match messages.send(now, message) {
                Ok(number) => (self.talk.last, is_news) = (number, true),
                Err(SendError::Full(message)) => self.talk.waiting = Some(message),
                Err(error) => tracing::error!(%error, "a message that cannot be sent"),
            }
        }
        let arrived = self.talk.last.saturating_sub(messages.unacknowledged() as u64);
        let flushing = std::mem::take(&mut self.talk.flushing);
        let (done, flushing): (Vec<_>, _) = flushing.into_iter().partition(|(number, _)| *number <= arrived);
        self.talk.flushing = flushing;
        for (_, done) in done {
            // Nobody may be waiting any more.
            let _ = done.send(());
        }
        is_news
    }

    pub(super) fn handle_messages(&mut self, event: Event) {
        tracing::debug!(?event, "messages");
        if let Event::Lost { .. } = event {
            self.talk.line.losses.fetch_add(1, Ordering::AcqRel);
            self.talk.flushing.clear();
            self.talk.last = 0;
        }
        self.talk.tell(event);
    }

    /// There will be no other link: what has not arrived is handed back.
    pub(super) fn end_messages(&mut self) {
        let now = self.host.clock.now();
        self.talk.line.said.close();
        let Some(messages) = self.keeper.messages_mut() else { return };
        let mut messages = messages.reset(now);
        let unsent = |message| Unacknowledged { message, maybe_delivered: false };
        messages.extend(self.talk.waiting.take().map(unsent));
        while let Ok(said) = self.talk.line.said.try_recv() {
            if let Said::Message(message) = said {
                messages.push(unsent(message));
            }
        }
        self.handle_messages(Event::Lost { why: Why::Closed, messages });
    }

    /// Whether there is something to hear.
    pub(super) fn has_news(&self) -> bool {
        !self.talk.told.is_empty() || self.keeper.messages().is_some_and(Messages::has_received)
    }

    pub(super) fn deliver(&mut self, place: mpsc::OwnedPermit<Heard>) {
        let now = self.host.clock.now();
        if let Some(event) = self.talk.told.pop_front() {
            place.send(Heard::Session(event));
        } else if let Some(received) =
            self.keeper.messages_mut().and_then(|messages| messages.poll_received(now))
        {
            place.send(Heard::Message(received));
        }
    }

    /// Whether everything that was said has arrived.
    pub(super) fn is_silent(&self) -> bool {
        self.talk.waiting.is_none()
            && self.keeper.messages().is_none_or(|messages| messages.unacknowledged() == 0)
            && (self.talk.silent || self.talk.line.said.is_empty())
    }
}
