//! Peers without a runtime.

use std::net::TcpStream;

use bowline_blocking::{Clock, Driver, WebSocket};
use bowline_core::connection::Config;
use bowline_core::{Message, Role};

use super::{Job, LEN, both};
use crate::cpu::Cost;

pub(super) fn bowline(job: &Job) -> Cost {
    let &Job { from, messages, .. } = job;
    both(
        job,
        move |stream, bodies| {
            let mut socket = bowline_on(stream, from);
            for body in bodies {
                socket.send(Message::Binary(body.into_bytes())).expect("an open connection");
            }
            // It is refused if the other end has everything, and is gone.
            let _ = socket.flush();
        },
        move |stream| {
            let mut socket = bowline_on(stream, other(from));
            for _ in 0..messages {
                assert_eq!(socket.receive().expect("a message").len(), LEN);
            }
        },
    )
}

pub(crate) fn bowline_on(stream: TcpStream, role: Role) -> WebSocket<TcpStream> {
    let driver = match role {
        Role::Client => Driver::client(stream, &[], Config::default(), Clock::start()),
        Role::Server => Driver::server(stream, &[], Config::default(), Clock::start()),
    };
    WebSocket::new(driver.expect("random bytes"))
}

pub(super) fn tungstenite(job: &Job) -> Cost {
    let &Job { from, messages, .. } = job;
    both(
        job,
        move |stream, bodies| {
            let mut socket = tungstenite_on(stream, from);
            for body in bodies {
                socket.send(tungstenite::Message::Binary(body.into_bytes())).expect("an open connection");
            }
        },
        move |stream| {
            let mut socket = tungstenite_on(stream, other(from));
            for _ in 0..messages {
                assert_eq!(socket.read().expect("a message").len(), LEN);
            }
        },
    )
}

pub(crate) fn tungstenite_on(stream: TcpStream, role: Role) -> tungstenite::WebSocket<TcpStream> {
    let role = match role {
        Role::Client => tungstenite::protocol::Role::Client,
        Role::Server => tungstenite::protocol::Role::Server,
    };
    tungstenite::WebSocket::from_raw_socket(stream, role, None)
}

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}
