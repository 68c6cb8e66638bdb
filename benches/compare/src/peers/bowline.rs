//! Bowline on tokio.

use std::future::poll_fn;
use std::pin::Pin;

use bowline_core::connection::{Config, SendError};
use bowline_core::{Message, Role};
use bowline_tokio::{Clock, Driver, WebSocket};
use futures_util::{Sink, SinkExt, StreamExt};

use super::{Body, Peer};
use crate::stream::Stream;

pub struct Bowline<S>(WebSocket<S>);

impl<S: Stream> Peer for Bowline<S> {
    type Stream = S;
    type Message = Message;

    fn new(stream: S, role: Role) -> Self {
        let driver = match role {
            Role::Client => Driver::client(stream, &[], Config::default(), Clock::start()),
            Role::Server => Driver::server(stream, &[], Config::default(), Clock::start()),
        };
        Self(WebSocket::new(driver.expect("random bytes")))
    }

    async fn receive(&mut self) -> Message {
        self.0.receive().await.expect("a message")
    }

    fn len(message: &Message) -> usize {
        message.len()
    }

    async fn send(&mut self, body: Body) {
        self.echo(Message::Binary(body.into_bytes())).await;
    }

    async fn feed(&mut self, body: Body) {
        self.echo_later(Message::Binary(body.into_bytes())).await;
    }

    async fn echo(&mut self, message: Message) {
        self.0.send(message).await.expect("an open connection");
    }

    async fn echo_later(&mut self, message: Message) {
        if let Err(SendError::Full { message, .. }) = self.0.try_send(message) {
            poll_fn(|cx| Pin::new(&mut self.0).poll_ready(cx)).await.expect("an open connection");
            self.0.try_send(message).expect("room");
        }
    }

    async fn flush(&mut self) {
        self.0.flush().await.expect("an open connection");
    }

    async fn both(self, bodies: Vec<Body>) {
        let (mut sink, mut stream) = self.0.split();
        let send = async {
            for body in bodies {
                sink.send(Message::Binary(body.into_bytes())).await.expect("an open connection");
            }
        };
        let receive = async { while stream.next().await.is_some() {} };
        tokio::join!(send, receive);
    }
}
