//! fastwebsockets: frames, written as they are given, and a read that must not be cancelled.

use std::rc::Rc;

use bytes::BytesMut;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, WebSocket, WebSocketError};
use tokio::sync::Mutex;

use super::{Body, Peer, Role};
use crate::stream::Stream;

pub struct Fast<S>(FragmentCollector<S>);

fn owned(body: Body) -> Frame<'static> {
    Frame::binary(match body {
        Body::Shared(bytes) => Payload::Bytes(BytesMut::from(bytes)),
        Body::Owned(bytes) => Payload::Owned(bytes),
    })
}

fn role(role: Role) -> fastwebsockets::Role {
    match role {
        Role::Client => fastwebsockets::Role::Client,
        Role::Server => fastwebsockets::Role::Server,
    }
}

impl<S: Stream> Peer for Fast<S> {
    type Stream = S;
    type Message = Frame<'static>;
    const CAN_LOOK: bool = false;

    fn new(stream: S, of: Role) -> Self {
        Self(FragmentCollector::new(WebSocket::after_handshake(stream, role(of))))
    }

    async fn receive(&mut self) -> Frame<'static> {
        self.0.read_frame().await.expect("a frame")
    }

    fn len(message: &Frame<'static>) -> usize {
        message.payload.len()
    }

    async fn send(&mut self, body: Body) {
        self.feed(body).await;
    }

    async fn feed(&mut self, body: Body) {
        let frame = match &body {
            Body::Shared(bytes) => Frame::binary(Payload::Borrowed(bytes)),
            Body::Owned(_) => return self.0.write_frame(owned(body)).await.expect("an open connection"),
        };
        self.0.write_frame(frame).await.expect("an open connection");
    }

    async fn echo(&mut self, message: Frame<'static>) {
        // A received frame is sent without its mask.
        self.0.write_frame(Frame::binary(message.payload)).await.expect("an open connection");
    }

    async fn echo_later(&mut self, message: Frame<'static>) {
        self.echo(message).await;
    }

    async fn flush(&mut self) {}

    async fn both(self, bodies: Vec<Body>) {
        let (read, write) = tokio::io::split(self.0.into_inner());
        let (mut read, write) = fastwebsockets::after_handshake_split(read, write, role(Role::Server));
        let write = Rc::new(Mutex::new(write));
        let send = async {
            for body in bodies {
                let frame = owned(body);
                write.lock().await.write_frame(frame).await.expect("an open connection");
            }
        };
        let receive = async {
            let mut answer = |frame: Frame<'static>| {
                let write = Rc::clone(&write);
                async move { write.lock().await.write_frame(frame).await }
            };
            while let Ok(frame) = read.read_frame::<_, WebSocketError>(&mut answer).await {
                if frame.opcode == OpCode::Close {
                    break;
                }
            }
        };
        tokio::join!(send, receive);
    }
}
