//! WebSockets that are driven by a thread.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use bowline_blocking::{Clock, Driver, Stream, WebSocket};
use bowline_core::closing::Kind;
use bowline_core::connection::{Config, PingError, SendError};
use bowline_core::message::Piece;
use bowline_core::{Close, Message};

use crate::common::{LIMIT, Over, heartbeat, pair, streams, within};

pub(crate) fn messages_go_both_ways_in_order_between_threads(over: Over) {
    const COUNT: usize = 5000;
    within(move || {
        let (client, server) = pair(over, Config::default(), Config::default());
        let (sender, mut receiver) = server.spawn().unwrap();
        let echo = thread::spawn(move || {
            while let Ok(message) = receiver.receive() {
                sender.send(message).unwrap();
            }
            receiver.ended().to_string()
        });
        let (sender, mut receiver) = client.spawn().unwrap();
        let sending = thread::spawn(move || {
            for n in 0..COUNT {
                sender.send(Message::text(n.to_string())).unwrap();
            }
            sender
        });
        for n in 0..COUNT {
            assert_eq!(receiver.receive().unwrap(), Message::text(n.to_string()));
        }
        sending.join().unwrap().close(Close::normal()).unwrap();
        assert_eq!(receiver.ended().to_string(), "sent 1000 (OK); then received 1000 (OK)");
        assert_eq!(echo.join().unwrap(), "received 1000 (OK); then sent 1000 (OK)");
    });
}

pub(crate) fn pings_are_answered_while_the_owner_sleeps(over: Over) {
    within(move || {
        let (mut client, server) = pair(over, heartbeat(50, 60_000), Config::default());
        let halves = server.spawn().unwrap();
        // Nobody touches the halves.
        while client.stats().pongs < 20 {
            assert_eq!(client.receive_timeout(Duration::from_millis(100)).unwrap(), None);
        }
        assert!(client.rtt().is_some());
        drop(halves);
    });
}

pub(crate) fn accepted_messages_leave_before_the_answer_to_a_close(over: Over) {
    const ROUNDS: usize = 30;
    within(move || {
        for round in 0..ROUNDS {
            let mut config = Config::default();
            config.closing.close_timeout = 10 * LIMIT;
            let (mut client, server) = pair(over, config.clone(), config);
            let (sender, mut receiver) = server.spawn().unwrap();
            let talks = thread::spawn(move || {
                let mut accepted = 0;
                while sender.send(Message::text("talk")).is_ok() {
                    accepted += 1;
                }
                accepted
            });
            let listens = thread::spawn(move || receiver.ended());
            let mut heard = 0;
            let end = loop {
                if heard == round {
                    client.close(Close::normal()).unwrap();
                }
                match client.receive() {
                    Ok(_) => heard += 1,
                    Err(end) => break end,
                }
            };
            assert_eq!(heard, talks.join().unwrap(), "round {round}, {end}");
            listens.join().unwrap();
        }
    });
}

pub(crate) fn the_answer_to_the_last_message_leaves_before_the_answer_to_a_close(over: Over) {
    within(move || {
        // However long the answer takes.
        let mut config = Config::default();
        config.closing.close_timeout = 10 * LIMIT;
        let (mut client, server) = pair(over, config.clone(), config);
        let (sender, mut receiver) = server.spawn().unwrap();
        client.send(Message::text("question")).unwrap();
        client.close(Close::normal()).unwrap();
        let waiting = thread::spawn(move || (client.receive(), client.ended().to_string()));
        assert_eq!(receiver.receive().unwrap(), Message::text("question"));
        // The Close has arrived by now, and waits for us.
        thread::sleep(Duration::from_millis(100));
        sender.send(Message::text("answer")).unwrap();
        assert_eq!(receiver.ended().to_string(), "received 1000 (OK); then sent 1000 (OK)");
        let (answer, end) = waiting.join().unwrap();
        assert_eq!(answer.unwrap(), Message::text("answer"));
        assert_eq!(end, "sent 1000 (OK); then received 1000 (OK)");
    });
}

pub(crate) fn dropping_both_halves_closes_the_connection(over: Over) {
    within(move || {
        let (mut client, server) = pair(over, Config::default(), Config::default());
        let (sender, receiver) = server.spawn().unwrap();
        sender.send(Message::text("farewell")).unwrap();
        let other = sender.clone();
        drop((sender, receiver));
        assert_eq!(client.receive().unwrap(), Message::text("farewell"));
        assert_eq!(client.receive_timeout(Duration::from_millis(100)).unwrap(), None, "one sender is left");
        drop(other);
        assert_eq!(client.ended().to_string(), "received 1000 (OK); then sent 1000 (OK)");
    });
}

pub(crate) fn queued_messages_leave_before_a_close(over: Over) {
    within(move || {
        let (mut client, server) = pair(over, Config::default(), Config::default());
        let (sender, mut receiver) = server.spawn().unwrap();
        let message = Message::binary(vec![7; 1 << 20]);
        let mut sent = 0;
        // The peer reads nothing, so not all of it is in the connection.
        while sender.try_send(message.clone()).is_ok() {
            sent += 1;
        }
        sender.close(Close::normal()).unwrap();
        for _ in 0..sent {
            assert_eq!(client.receive().unwrap(), message);
        }
        assert_eq!(client.ended().to_string(), "received 1000 (OK); then sent 1000 (OK)");
        receiver.ended();
    });
}

pub(crate) fn an_idle_connection_can_be_dropped_at_once(over: Over) {
    within(move || {
        // Nothing else wakes the thread.
        let mut config = Config::default();
        config.heartbeat.interval = 10 * LIMIT;
        let (_client, server) = pair(over, config.clone(), config);
        let (sender, mut receiver) = server.spawn().unwrap();
        sender.abort();
        assert!(sender.is_closed());
        assert_eq!(receiver.ended().kind(), Kind::LocalAbort);
    });
}

pub(crate) fn a_dropped_receiver_is_not_waited_for(over: Over) {
    within(move || {
        // Nothing else wakes the thread.
        let mut config = Config::default();
        config.closing.close_timeout = 10 * LIMIT;
        config.heartbeat.interval = 10 * LIMIT;
        let (mut client, server) = pair(over, config.clone(), config);
        let (sender, receiver) = server.spawn().unwrap();
        client.send(Message::text("unheard")).unwrap();
        client.close(Close::normal()).unwrap();
        let waiting = thread::spawn(move || client.ended().to_string());
        // The Close has arrived by now, and waits for the message to be received.
        thread::sleep(Duration::from_millis(100));
        drop(receiver);
        assert_eq!(waiting.join().unwrap(), "sent 1000 (OK); then received 1000 (OK)");
        drop(sender);
    });
}

pub(crate) fn a_receiver_that_does_not_receive_makes_the_sender_wait(over: Over) {
    within(move || {
        let (client, server) = pair(over, Config::default(), Config::default());
        let (sender, _receiver) = server.spawn().unwrap();
        let (_client, mut client) = client.spawn().unwrap();
        let sending = thread::spawn(move || {
            for n in 0..400 {
                sender.send(Message::binary(vec![n as u8; 256 << 10])).unwrap();
            }
        });
        thread::sleep(Duration::from_millis(300));
        assert!(!sending.is_finished(), "100 MB are in nobody's memory");
        for n in 0..400 {
            assert_eq!(client.receive().unwrap(), Message::binary(vec![n as u8; 256 << 10]));
        }
        sending.join().unwrap();
    });
}

pub(crate) fn after_the_end_messages_come_back_and_questions_have_no_answer(over: Over) {
    within(move || {
        let (client, server) = pair(over, Config::default(), Config::default());
        let (sender, mut receiver) = server.spawn().unwrap();
        let unanswered = sender.ping_timeout(b"there?", Duration::from_millis(50));
        assert_eq!(unanswered, Ok(None), "nobody drives the client");
        drop(client);
        receiver.ended();
        assert_eq!(sender.send(Message::text("late")), Err(SendError::Closing(Message::text("late"))));
        assert_eq!(sender.send_piece(Piece::text("late")), Err(SendError::Closing(Piece::text("late"))));
        assert!(sender.is_closed() && sender.stats().is_none() && sender.rtt().is_none());
        assert_eq!(sender.try_send_piece(Piece::text("late")), Err(SendError::Closing(Piece::text("late"))));
        assert!(receiver.timeline().is_none() && receiver.stats().is_none() && receiver.rtt().is_none());
        assert_eq!(sender.ping(b"late"), Err(PingError::Closing));
        assert_eq!(sender.ping_timeout(b"late", LIMIT), Err(PingError::Closing));
    });
}

pub(crate) fn a_ping_is_answered_while_messages_wait_for_their_owner(over: Over) {
    within(move || {
        let (client, server) = pair(over, Config::default(), Config::default());
        let (talker, _receiver) = client.spawn().unwrap();
        let (sender, mut receiver) = server.spawn().unwrap();
        for n in 0..100 {
            talker.send(Message::text(n.to_string())).unwrap();
        }
        talker.flush().unwrap();
        assert!(sender.ping_timeout(b"there?", LIMIT).unwrap().is_some());
        for n in 0..100 {
            assert_eq!(receiver.receive().unwrap(), Message::text(n.to_string()));
        }
    });
}

pub(crate) fn questions_are_answered_while_nothing_else_happens(over: Over) {
    within(move || {
        let (client, server) = pair(over, Config::default(), Config::default());
        let (_sender, _receiver) = client.spawn().unwrap();
        let (sender, receiver) = server.spawn().unwrap();
        let rtt = sender.ping_timeout(b"there?", LIMIT).unwrap();
        assert!(rtt.is_some_and(|rtt| rtt < LIMIT));
        assert!(sender.ping(b"and now?").is_ok_and(|rtt| rtt < LIMIT));
        assert!(sender.timeline().is_some());
        assert!(receiver.timeline().is_some_and(|timeline| !timeline.to_string().is_empty()));
        assert!(receiver.stats().is_some_and(|stats| stats.bytes_received > 0));
        assert_eq!(receiver.rtt(), sender.rtt());
        assert_eq!(sender.stats().unwrap().clock_regressions, 0);
    });
}

pub(crate) fn a_receiver_that_polls_without_waiting_learns_of_the_end_at_once(over: Over) {
    within(move || {
        let mut config = Config::default();
        // It waits for an owner who does not ask for more, and nothing else happens.
        config.closing.close_timeout = 10 * LIMIT;
        config.heartbeat.interval = 10 * LIMIT;
        let (mut client, server) = pair(over, config.clone(), config);
        let (sender, mut receiver) = server.spawn().unwrap();
        client.send(Message::text("last")).unwrap();
        client.close(Close::normal()).unwrap();
        let waiting = thread::spawn(move || client.ended().to_string());
        assert_eq!(receiver.receive().unwrap(), Message::text("last"));
        // The Close has arrived by now, and nothing moves.
        thread::sleep(Duration::from_millis(100));
        let end = loop {
            match receiver.receive_timeout(Duration::ZERO) {
                Ok(nothing) => assert_eq!(nothing, None),
                Err(end) => break end,
            }
            thread::sleep(Duration::from_millis(1));
        };
        assert_eq!(end.to_string(), "received 1000 (OK); then sent 1000 (OK)");
        assert_eq!(waiting.join().unwrap(), "sent 1000 (OK); then received 1000 (OK)");
        drop(sender);
    });
}

pub(crate) fn a_time_without_end_is_waited_for(over: Over) {
    within(move || {
        let (mut client, server) = pair(over, Config::default(), Config::default());
        let (sender, mut receiver) = server.spawn().unwrap();
        client.send(Message::text("hello")).unwrap();
        assert_eq!(receiver.receive_timeout(Duration::MAX).unwrap(), Some(Message::text("hello")));
        sender.send(Message::text("hello")).unwrap();
        assert_eq!(client.receive_timeout(Duration::MAX).unwrap(), Some(Message::text("hello")));
    });
}

/// A foreign stream with a fault in it.
struct Faulty<S>(S);

impl<S: Read> Read for Faulty<S> {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(place)?;
        panic!("on purpose, at {n} bytes")
    }
}

impl<S: Write> Write for Faulty<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<S: Stream> Stream for Faulty<S> {
    fn set_nonblocking(&self) -> io::Result<()> {
        self.0.set_nonblocking()
    }

    fn socket(&self) -> bowline_blocking::Handle<'_> {
        self.0.socket()
    }

    fn finish_writing(&mut self) -> io::Result<()> {
        self.0.finish_writing()
    }
}

#[test]
fn a_thread_that_has_panicked_is_not_waited_for() {
    within(|| {
        let (dialed, accepted) = streams(Over::Tcp);
        let driver = Driver::server(Faulty(accepted.stream), &[], Config::default(), Clock::start()).unwrap();
        let (sender, mut receiver) = WebSocket::new(driver).spawn().unwrap();
        let (message, waiting) = (Message::binary(vec![7; 1 << 20]), sender.clone());
        while sender.try_send(message.clone()).is_ok() {}
        let waiting = thread::spawn(move || {
            // There is no room, or soon there will be none.
            while waiting.send(message.clone()).is_ok() {}
        });
        let asking = thread::spawn(move || (sender.ping(b"there?"), sender.send(Message::text("late"))));
        let mut client = WebSocket::client(dialed, Config::default()).unwrap();
        thread::sleep(Duration::from_millis(100));
        client.send(Message::text("hello")).unwrap();
        assert_eq!(receiver.ended().kind(), Kind::LocalAbort);
        waiting.join().unwrap();
        let (ping, late) = asking.join().unwrap();
        assert_eq!(ping, Err(PingError::Closing));
        assert!(late.is_ok() || late == Err(SendError::Closing(Message::text("late"))));
    });
}
