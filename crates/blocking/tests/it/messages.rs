//! Messages through a client that works while its owner calls. What both kinds of clients have in common is tested over
//! all adapters, in the tests of the workspace.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use bowline_blocking::{ClientConfig, FlushError, Heard, InlineClient, ServerConfig};
use bowline_core::Message;
use bowline_core::messages::{Config, Event, SendError, SessionId, SessionsConfig};

use crate::common::{LIMIT, Over, within};
use crate::files::Serving;

const MOMENT: Duration = Duration::from_millis(50);

fn start() -> (Serving, InlineClient) {
    let mut config = ServerConfig::default();
    config.messages = Some(SessionsConfig::default());
    let serving = Serving::of(Over::Tcp, config);
    let mut config = ClientConfig::default();
    config.messages = Some(Config::default());
    let client = serving.client_of(config);
    (serving, client)
}

fn message(client: &mut InlineClient) -> Message {
    loop {
        if let Heard::Message(received) = client.receive_timeout(LIMIT).unwrap() {
            return received.message;
        }
    }
}

/// What the client has queued and not sent yet, at the server.
fn first_message_there(serving: &Serving, client: &mut InlineClient) -> (SessionId, Message) {
    loop {
        assert!(client.drive(MOMENT));
        if let Ok((session, Heard::Message(received))) = serving.server().receive_timeout(Duration::ZERO) {
            return (session, received.message);
        }
    }
}

fn message_there(serving: &Serving) -> (SessionId, Message) {
    loop {
        if let (session, Heard::Message(received)) = serving.server().receive_timeout(LIMIT).unwrap() {
            return (session, received.message);
        }
    }
}

#[test]
fn the_owners_calls_carry_messages_both_ways() {
    within(|| {
        let (serving, mut client) = start();
        client.send(Message::text("early")).unwrap();
        assert_eq!(client.flush_timeout(MOMENT), Err(FlushError::TimedOut), "nobody has taken it");
        let (session, early) = first_message_there(&serving, &mut client);
        assert_eq!(early, Message::text("early"));
        // The link is up, so this leaves within the call.
        client.send(Message::text("at once")).unwrap();
        assert_eq!(message_there(&serving), (session, Message::text("at once")));
        client.send_volatile(Message::text("or never")).unwrap();
        assert_eq!(message_there(&serving), (session, Message::text("or never")));
        serving.server().send(session, Message::text("you too")).unwrap();
        assert_eq!(message(&mut client), Message::text("you too"));
        client.flush().unwrap();
        client.close();
        assert!(matches!(serving.server().receive(), Some((_, Heard::Session(Event::Lost { .. })))));
    });
}

#[test]
fn a_wait_for_a_message_ends_on_time() {
    within(|| {
        let (serving, mut client) = start();
        assert!(matches!(client.receive_timeout(LIMIT), Ok(Heard::Session(Event::Began(_)))));
        let start = Instant::now();
        assert_eq!(client.receive_timeout(MOMENT), Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() >= MOMENT);
        client.send(Message::text("a")).unwrap();
        let waiting = client.spawn().unwrap();
        assert_eq!(waiting.receive_timeout(MOMENT), Err(RecvTimeoutError::Timeout));
        assert_eq!(message_there(&serving).1, Message::text("a"));
        waiting.flush().unwrap();
    });
}

/// Both ends send, and neither receives: they would wait for each other.
#[test]
fn a_client_that_has_to_receive_first_is_told() {
    within(|| {
        let (serving, mut client) = start();
        client.send(Message::text("here I am")).unwrap();
        let (session, _) = first_message_there(&serving, &mut client);
        for n in 0..20 {
            serving.server().send(session, Message::text(n.to_string())).unwrap();
        }
        let big = Message::binary(vec![0; 100_000]);
        let refused = loop {
            if let Err(error) = client.send(big.clone()) {
                break error;
            }
        };
        assert_eq!(refused, SendError::Full(big.clone()));
        assert_eq!(client.flush(), Err(FlushError::Unheard));
        for n in 0..20 {
            assert_eq!(message(&mut client), Message::text(n.to_string()));
        }
        // Nobody waits for this end any longer, but the other one does not receive either.
        assert_eq!(client.send_timeout(big.clone(), MOMENT), Err(SendError::Full(big)));
        assert_eq!(client.flush_timeout(MOMENT), Err(FlushError::TimedOut));
    });
}

#[test]
fn a_client_that_does_not_speak_of_messages_says_so() {
    within(|| {
        let serving = Serving::of(Over::Tcp, ServerConfig::default());
        let mut client = serving.client_of(ClientConfig::default());
        let said = Message::text("a");
        assert_eq!(client.send(said.clone()), Err(SendError::Mute(said.clone())));
        assert_eq!(client.send_volatile(said.clone()), Err(SendError::Mute(said)));
        assert_eq!((client.flush(), client.receive()), (Err(FlushError::Mute), None));
    });
}
