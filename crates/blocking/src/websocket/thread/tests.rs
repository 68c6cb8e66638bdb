use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bowline_core::connection::{Config, PingError};
use bowline_core::{Instant, Message};
use bowline_host::DEAF;

use super::*;
use crate::clock::Clock;
use crate::wait::{Interest, Wakened, Waker, wait, waker};
use crate::websocket::{Receiver, Sender, WebSocket};

/// What a thread would run, controlled by a test, and the halves of its owner.
struct Scene {
    thread: Thread<TcpStream>,
    sender: Sender,
    receiver: Receiver,
    waker: Waker,
    wakened: Wakened,
    far: Option<TcpStream>,
}

impl Scene {
    /// One whose owner has taken a first message, and is working on it.
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let far = Some(listener.accept().unwrap().0);
        let driver = Driver::client(near, b"\x81\x04work", config, Clock::start()).unwrap();
        let (waker, wakened) = waker().unwrap();
        let socket = WebSocket::new(driver);
        let (mut thread, sender, mut receiver) = socket.halves(waker.clone(), wakened.clone());
        assert!(thread.exchange().is_none());
        assert_eq!(receiver.receive().unwrap(), Message::text("work"));
        Self { thread, sender, receiver, waker, wakened, far }
    }

    /// The peer goes, and the thread notices.
    fn end(&mut self) {
        self.far = None;
        while !self.thread.driver.is_over() {
            self.thread.wait();
        }
    }

    /// The owner asks for more.
    fn ask(&mut self) {
        assert_eq!(self.receiver.receive_timeout(Duration::ZERO), Ok(None));
    }

    /// Whether the thread was called and has not noticed yet.
    fn is_called(&self) -> bool {
        self.wakened.wait(Some(Duration::ZERO)).unwrap()
    }
}

#[test]
fn a_thread_whose_connection_is_over_waits_for_its_owner() {
    let mut scene = Scene::new();
    scene.end();
    assert!(scene.thread.exchange().is_none(), "the end comes behind what the owner works on");
    scene.waker.wake();
    scene.thread.wait();
    assert!(!scene.is_called(), "it has waited for that");
    scene.ask();
    scene.thread.wait();
    assert!(scene.thread.exchange().is_some());
}

#[test]
fn a_message_sent_to_a_finished_connection_does_not_delay_its_end() {
    let mut scene = Scene::new();
    scene.ask();
    scene.end();
    scene.sender.send(Message::text("done")).unwrap();
    assert!(scene.thread.exchange().is_some(), "nobody calls any more");
}

#[test]
fn a_ping_ends_with_the_connection_before_the_owner_has_read_to_the_end() {
    let mut scene = Scene::new();
    let (answer, answered) = mpsc::channel();
    scene.thread.answer(Ask::Ping(b"?".to_vec(), answer));
    scene.end();
    assert_eq!(answered.try_recv(), Err(mpsc::TryRecvError::Empty));
    assert!(scene.thread.exchange().is_none(), "the end comes behind what the owner works on");
    assert_eq!(answered.try_recv(), Ok(Err(PingError::Closing)));
}

#[test]
fn flushes_that_come_together_are_all_answered() {
    for between in 0..3 {
        let scene = Scene::new();
        let mut thread = scene.thread;
        let answers = [0; 3].map(|_| {
            let (answer, answered) = mpsc::channel();
            let mut state = thread.mailbox.lock();
            state.commands.extend((0..between).map(|_| Command::Send(Message::text("between"))));
            state.commands.push_back(Command::Flush(answer));
            answered
        });
        assert!(thread.exchange().is_none());
        // Nothing else happens that would make the thread come back here.
        for answered in answers {
            assert_eq!(answered.try_recv(), Ok(Ok(())), "{between} messages between them");
        }
        assert!(thread.mailbox.lock().commands.is_empty() && !thread.driver.has_output());
    }
}

#[test]
fn nothing_is_read_that_would_be_left_unnoticed() {
    let mut scene = Scene::new();
    scene.far.as_mut().unwrap().write_all(b"\x81\x04more").unwrap();
    let socket = scene.thread.driver.stream().unwrap();
    wait(Some(Stream::socket(socket)), Interest { read: true, write: false }, None, None).unwrap();
    // An owner who drives the connection would read now.
    thread::sleep(DEAF);
    let (answer, answered) = mpsc::channel();
    scene.thread.mailbox.lock().commands.push_back(Command::Flush(answer));
    assert!(scene.thread.exchange().is_none());
    assert_eq!(answered.try_recv(), Ok(Ok(())));
    assert!(!scene.thread.driver.conn().has_events(), "the thread would wait, and not look here again");
    scene.thread.wait();
    assert!(scene.thread.exchange().is_none());
    assert_eq!(scene.receiver.receive().unwrap(), Message::text("more"));
}

#[test]
fn no_more_than_the_receive_buffer_and_a_message_waits_for_a_slow_owner() {
    let mut config = Config::default();
    config.receive_buffer = 1000;
    let mut scene = Scene::with(config);
    let frame = [&b"\x82\x7e\x01\x90"[..], &[7; 400]].concat();
    scene.thread.driver.conn_mut().handle_input(Instant::ZERO, &frame.repeat(10));
    let mut taken = 0;
    while scene.thread.driver.conn().has_messages() {
        assert!(scene.thread.exchange().is_none());
        let state = scene.thread.mailbox.lock();
        assert!(!state.has_place() || !scene.thread.driver.conn().has_messages());
        drop(state);
        let mut waiting = 0;
        while scene.receiver.receive_timeout(Duration::ZERO).unwrap().is_some() {
            waiting += 1;
        }
        assert!(waiting <= 3, "{waiting} times 400 bytes");
        taken += waiting;
    }
    assert_eq!(taken, 10);
}
