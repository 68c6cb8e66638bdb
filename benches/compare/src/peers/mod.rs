//! All peers behind one trait, each used as its documentation advises.

mod bowline;
mod fastwebsockets;
mod piped;

pub use bowline::Bowline;
pub use fastwebsockets::Fast;
pub use piped::{Sockudo, TokioTungstenite, TokioWebsockets, Yawc};

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;

use crate::stream::Stream;

pub use bowline_core::Role;

/// What is sent.
#[derive(Clone)]
pub enum Body {
    /// Somebody else holds it, too, so it cannot be masked in place.
    Shared(Bytes),
    /// The peer may do with it as it likes.
    Owned(Vec<u8>),
}

impl Body {
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }

    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Owned(bytes) => bytes.into(),
        }
    }
}

/// A WebSocket, its opening handshake behind it.
#[allow(async_fn_in_trait)]
pub trait Peer: Sized + 'static {
    type Stream: Stream;
    /// As it is received, and can be sent back.
    type Message;
    /// Whether a call to receive that found nothing can be cancelled. If not, nothing can be done between two messages.
    const CAN_LOOK: bool = true;

    fn new(stream: Self::Stream, role: Role) -> Self;

    /// The next message from the other end.
    async fn receive(&mut self) -> Self::Message;
    fn len(message: &Self::Message) -> usize;

    /// Sends, and holds back nothing that the stream accepts at once.
    async fn send(&mut self, body: Body);
    /// Sends; may hold back until it is flushed.
    async fn feed(&mut self, body: Body);
    /// Sends back in the same way.
    async fn echo(&mut self, message: Self::Message);
    /// Sends back; may hold it back until it is flushed.
    async fn echo_later(&mut self, message: Self::Message);
    async fn flush(&mut self);

    /// Sends all of these, and receives meanwhile and from then on.
    async fn both(self, bodies: Vec<Body>);
}

/// What the future returns at once, if anything.
pub async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

/// The same generic function for each of them, with its name and as a pointer of the same kind.
macro_rules! each {
    ($function:ident, $stream:ty, $work:ty) => {{
        use $crate::peers::{Bowline, Fast, Sockudo, TokioTungstenite, TokioWebsockets, Yawc};
        [
            ("bowline-tokio", $function::<Bowline<$stream>> as $work),
            ("tokio-tungstenite", $function::<TokioTungstenite<$stream>>),
            ("fastwebsockets", $function::<Fast<$stream>>),
            ("tokio-websockets", $function::<TokioWebsockets<$stream>>),
            ("yawc", $function::<Yawc<$stream>>),
            ("sockudo-ws", $function::<Sockudo<$stream>>),
        ]
    }};
}
pub(crate) use each;
