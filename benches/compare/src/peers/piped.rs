//! The peers that are a stream of messages and a sink for them.

use futures_util::{FutureExt, SinkExt, StreamExt};

use super::{Body, Peer, Role};
use crate::stream::Stream;

/// The longest message that is sent here.
const LIMIT: usize = 64 << 20;

macro_rules! piped {
    ($name:ident, $socket:ty, $message:ty, $new:expr, $from:expr, $len:expr) => {
        pub struct $name<S: Stream>($socket);

        impl<S: Stream> Peer for $name<S> {
            type Stream = S;
            type Message = $message;

            fn new(stream: S, role: Role) -> Self {
                let new: fn(S, Role) -> $socket = $new;
                Self(new(stream, role))
            }

            async fn receive(&mut self) -> $message {
                let item = self.0.next().await.expect("a message");
                Said::said(item)
            }

            fn len(message: &$message) -> usize {
                let len: fn(&$message) -> usize = $len;
                len(message)
            }

            async fn send(&mut self, body: Body) {
                let from: fn(Body) -> $message = $from;
                self.echo(from(body)).await;
            }

            async fn feed(&mut self, body: Body) {
                let from: fn(Body) -> $message = $from;
                self.echo_later(from(body)).await;
            }

            async fn echo(&mut self, message: $message) {
                assert!(self.0.send(message).await.is_ok());
            }

            async fn echo_later(&mut self, message: $message) {
                assert!(self.0.feed(message).await.is_ok());
            }

            async fn flush(&mut self) {
                assert!(SinkExt::<$message>::flush(&mut self.0).await.is_ok());
            }

            async fn both(self, bodies: Vec<Body>) {
                let from: fn(Body) -> $message = $from;
                let (mut sink, mut stream) = self.0.split();
                let send = async {
                    for body in bodies {
                        assert!(sink.send(from(body)).await.is_ok());
                    }
                };
                let receive = async { while stream.next().await.is_some() {} };
                tokio::join!(send, receive);
            }
        }
    };
}

/// An item of a stream if all is well.
trait Said<T> {
    fn said(self) -> T;
}

impl<T, E: std::fmt::Debug> Said<T> for Result<T, E> {
    fn said(self) -> T {
        self.expect("a message")
    }
}

impl Said<yawc::Frame> for yawc::Frame {
    fn said(self) -> yawc::Frame {
        self
    }
}

piped!(
    TokioTungstenite,
    tokio_tungstenite::WebSocketStream<S>,
    tungstenite::Message,
    |stream, role| {
        let role = match role {
            Role::Client => tungstenite::protocol::Role::Client,
            Role::Server => tungstenite::protocol::Role::Server,
        };
        tokio_tungstenite::WebSocketStream::from_raw_socket(stream, role, None)
            .now_or_never()
            .expect("nothing to wait for")
    },
    |body| tungstenite::Message::Binary(body.into_bytes()),
    |message| message.len()
);

piped!(
    TokioWebsockets,
    tokio_websockets::WebSocketStream<S>,
    tokio_websockets::Message,
    |stream, role| match role {
        Role::Client => tokio_websockets::ClientBuilder::new().take_over(stream),
        Role::Server => tokio_websockets::ServerBuilder::new().serve(stream),
    },
    |body| match body {
        Body::Shared(bytes) => tokio_websockets::Message::binary(bytes),
        Body::Owned(bytes) => tokio_websockets::Message::binary(bytes),
    },
    |message| message.as_payload().len()
);

piped!(
    Yawc,
    yawc::WebSocket<S>,
    yawc::Frame,
    |stream, role| {
        let role = match role {
            Role::Client => yawc::Role::Client,
            Role::Server => yawc::Role::Server,
        };
        let options = yawc::Options::default().with_limits(LIMIT, 2 * LIMIT);
        yawc::WebSocket::from_stream(stream, role, options).expect("these settings")
    },
    |body| yawc::Frame::binary(body.into_bytes()),
    |frame| frame.payload().len()
);

piped!(
    Sockudo,
    sockudo_ws::WebSocketStream<S>,
    sockudo_ws::Message,
    |stream, role| {
        let role = match role {
            Role::Client => sockudo_ws::Role::Client,
            Role::Server => sockudo_ws::Role::Server,
        };
        let config =
            sockudo_ws::Config { max_message_size: LIMIT, max_frame_size: LIMIT, ..Default::default() };
        sockudo_ws::WebSocketStream::from_raw(stream, role, config)
    },
    |body| sockudo_ws::Message::Binary(body.into_bytes()),
    |message| message.as_bytes().len()
);
