//! Peers without a runtime: a thread for each end, so only one connection.

use bowline_core::{Message, Role};
use bytes::Bytes;

use super::{Job, LEN, Sample, both};
use crate::streams::{bowline_on, tungstenite_on};

pub(super) fn bowline(job: &Job) -> Option<Sample> {
    let &Job { connections: 1, messages, .. } = job else { return None };
    let cost = both(
        *job,
        move |streams| {
            for stream in streams {
                let mut socket = bowline_on(stream, Role::Client);
                let message = Message::Binary(Bytes::from_static(&[7; LEN]));
                for _ in 0..messages {
                    socket.send(message.clone()).expect("an open connection");
                    socket.receive().expect("a message");
                }
            }
        },
        move |streams| {
            for stream in streams {
                let mut socket = bowline_on(stream, Role::Server);
                for _ in 0..messages {
                    let message = socket.receive().expect("a message");
                    socket.send(message).expect("an open connection");
                }
            }
        },
    );
    Some(Sample { cost, calls: None })
}

pub(super) fn tungstenite(job: &Job) -> Option<Sample> {
    let &Job { connections: 1, messages, .. } = job else { return None };
    let cost = both(
        *job,
        move |streams| {
            for stream in streams {
                let mut socket = tungstenite_on(stream, Role::Client);
                let message = tungstenite::Message::Binary(Bytes::from_static(&[7; LEN]));
                for _ in 0..messages {
                    socket.send(message.clone()).expect("an open connection");
                    socket.read().expect("a message");
                }
            }
        },
        move |streams| {
            for stream in streams {
                let mut socket = tungstenite_on(stream, Role::Server);
                for _ in 0..messages {
                    let message = socket.read().expect("a message");
                    socket.send(message).expect("an open connection");
                }
            }
        },
    );
    Some(Sample { cost, calls: None })
}
