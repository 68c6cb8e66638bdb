//! The client's end of a session.

mod hear;

use super::channel::Channel;
use super::turns::Turns;
use super::wire::{self, Frame, Resume};
use super::{Config, Event, Receipt, Received, Secret, SendError, SessionId};
use crate::message::Parts;
use crate::replay::Unacknowledged;
use crate::transfer::Code;
use crate::{Instant, Message, Rng};
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

/// How many events in the life of a session are kept while nobody polls them.
const TURNS: usize = 64;

/// The least time before a server without room is asked again.
const MIN_WAIT: Duration = Duration::from_secs(1);

/// The client's end of a session, across all of its links. See the [module](super).
///
/// ```
/// use bowline_core::messages::{Config, LinkId, Messages, Sessions, SessionsConfig};
/// use bowline_core::{Instant, Message};
///
/// let now = Instant::ZERO;
/// let mut client = Messages::new(Config::default(), [1; 32], now);
/// let mut server = Sessions::new(SessionsConfig::default(), [2; 32], now);
/// // Sent before there is a link, so it is kept.
/// client.send(now, Message::text("hello"))?;
///
/// // A link comes up, on which both sides say that they support messages.
/// let link = LinkId(1);
/// client.handle_link_up(now);
/// client.handle_peer(now, true);
/// server.handle_link_up(now, link, b"somebody");
/// loop {
///     let (there, back) = (client.poll_frame(now), server.poll_frame(now, link));
///     if there.is_none() && back.is_none() {
///         break;
///     }
///     there.into_iter().for_each(|frame| server.handle_frame(now, link, frame.into_bytes()));
///     back.into_iter().for_each(|frame| client.handle_frame(now, frame.into_bytes()));
/// }
/// let (session, received) = server.poll_received(now).unwrap();
/// assert_eq!((session, received.message), (client.session(), Message::text("hello")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Messages {
    config: Config,
    rng: Rng,
    now: Instant,
    session: SessionId,
    secret: Secret,
    /// The epoch that the server gave last; 0 until it has the session.
    epoch: u32,
    link: Link,
    channel: Channel,
    events: Turns<Event>,
    /// How many messages this link has carried, as far as both ends know.
    carried: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// There is no link, or no useful one: the peer does not speak the message protocol, or violated it.
    Down,
    /// The peer has not said what it supports.
    Greet,
    /// The session must be requested.
    Ask,
    /// The session was requested at this time.
    Asked { since: Instant },
    Up {
        /// Whether anything was sent that shows the server that its answer arrived.
        shown: bool,
    },
    /// The server has no room until this time.
    Refused { until: Instant },
}

impl Messages {
    /// A session that begins with the first link. Its name and secret are made from `seed`, which must be random.
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let mut rng = Rng::from_seed(seed);
        let (session, secret) = (SessionId::from_bytes(rng.bytes()), Secret::from_bytes(rng.bytes()));
        Self {
            config,
            rng,
            now,
            session,
            secret,
            epoch: 0,
            link: Link::Down,
            channel: Channel::new(config),
            events: Turns::new(TURNS),
            carried: 0,
        }
    }

    // ----- facts -----

    /// A link is up.
    pub fn handle_link_up(&mut self, now: Instant) {
        self.handle_link_down(now);
        self.link = Link::Greet;
    }

    /// The peer has said hello, and whether it [supports](wire::FEATURE) messages.
    pub fn handle_peer(&mut self, now: Instant, speaks: bool) {
        self.advance(now);
        if self.link == Link::Greet {
            if speaks {
                self.link = Link::Ask;
            } else {
                self.link = Link::Down;
                self.tell(Event::Unsupported);
            }
        }
    }

    /// A frame of the session arrived.
    pub fn handle_frame(&mut self, now: Instant, frame: Bytes) {
        self.advance(now);
        if self.link == Link::Down {
            return;
        }
        match wire::decode(frame) {
            Ok(frame) => self.handle(frame),
            Err(error) => self.break_link(error.fault.code(), &error.to_string()),
        }
    }

    /// The link is gone. Unacknowledged messages are kept for the next one.
    pub fn handle_link_down(&mut self, now: Instant) {
        self.advance(now);
        self.link = Link::Down;
        self.carried = 0;
        self.channel.handle_link_down(self.now);
    }

    /// Time has passed. Early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        match self.link {
            Link::Asked { since } if since + self.config.resume_timeout <= self.now => {
                self.break_link(Code::Stalled, "the session was asked for, but there is no answer");
            }
            Link::Refused { until } if until <= self.now => self.link = Link::Ask,
            _ => {}
        }
    }

    // ----- commands -----

    /// Accepts a message, with or without a link, and returns its number in this session.
    ///
    /// # Errors
    /// If it is too long, or too many wait for their acknowledgement. The message is returned.
    pub fn send(&mut self, now: Instant, message: Message) -> Result<u64, SendError> {
        self.advance(now);
        self.channel.send(message)
    }

    /// Sends a message now or never: it is not repeated if the link is lost.
    ///
    /// # Errors
    /// If it is too long, no session is established on a link, or too many wait. The message is returned.
    pub fn send_volatile(&mut self, now: Instant, message: Message) -> Result<(), SendError> {
        self.advance(now);
        if self.is_up() { self.channel.send_volatile(message) } else { Err(SendError::Down(message)) }
    }

    /// Everything up to this message has been processed and may be acknowledged: for
    /// [`AckOn::Confirmation`](crate::replay::AckOn::Confirmation). A receipt of an earlier session has no effect.
    pub fn confirm(&mut self, now: Instant, receipt: Receipt) {
        self.advance(now);
        if receipt.session == self.session {
            self.channel.confirm(self.now, receipt.number);
        }
    }

    /// Gives up the session, and begins a new one with the next link. Returns the messages that are not known to have
    /// arrived.
    pub fn reset(&mut self, now: Instant) -> Vec<Unacknowledged> {
        self.advance(now);
        self.link = Link::Down;
        self.rename();
        self.channel.reset(self.now)
    }

    // ----- outputs -----

    /// The next frame to send.
    pub fn poll_frame(&mut self, now: Instant) -> Option<Parts> {
        self.advance(now);
        match self.link {
            Link::Ask => {
                self.link = Link::Asked { since: self.now };
                let Self { session, secret, epoch, .. } = *self;
                let (last, window) = (self.channel.handle_link_up(self.now), self.channel.window());
                Some(Frame::Resume(Resume { session, secret, epoch, window, last }).encode())
            }
            Link::Up { shown } => {
                self.link = Link::Up { shown: true };
                let frame = self.channel.poll_frame(self.now);
                // From this frame on, anyone who resumes with an older epoch, even a copy of this process, has lost the
                // session.
                if shown { frame } else { frame.or_else(|| Some(self.channel.acknowledge())) }
            }
            _ => None,
        }
    }

    /// The next message that arrived. It counts as delivered once taken here.
    pub fn poll_received(&mut self, now: Instant) -> Option<Received> {
        self.advance(now);
        self.channel.poll_received(self.now, self.session)
    }

    /// The next event. If nobody polls, events beyond 64 are forgotten, the oldest first, except those that return
    /// messages.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and then [`poll_frame`](Self::poll_frame).
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.link {
            Link::Asked { since } => Some(since + self.config.resume_timeout),
            Link::Refused { until } => Some(until),
            Link::Up { .. } => self.channel.poll_timeout().filter(|_| !self.channel.has_frame(self.now)),
            _ => None,
        }
    }

    // ----- looks -----

    /// The name of the session.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Whether the session is established on the link.
    pub fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// How many messages wait for their acknowledgement; 0 if everything sent has arrived.
    pub fn unacknowledged(&self) -> usize {
        self.channel.unacknowledged()
    }

    /// The total size of those messages in bytes.
    pub fn unacknowledged_bytes(&self) -> usize {
        self.channel.unacknowledged_bytes()
    }

    /// Whether a message waits to be [received](Self::poll_received).
    pub fn has_received(&self) -> bool {
        self.channel.has_received()
    }

    /// How many messages this link has carried, as far as both ends know.
    pub fn carried(&self) -> u64 {
        self.carried
    }

    // ----- inside -----

    /// Queues an event for the application.
    fn tell(&mut self, event: Event) {
        self.events.push(event, Event::is_passing);
    }

    /// If time steps back, it stands still.
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}
