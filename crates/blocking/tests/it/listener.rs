//! A thread for each client.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bowline_blocking::{Door, Handle, Listener, WebSocket};
use bowline_core::{Close, Message};
use bowline_host::accept::PAUSE;

use crate::common::{LIMIT, within};

#[test]
fn one_client_too_many_waits_for_a_place() {
    within(|| {
        let listener = Listener::bind("127.0.0.1:0").unwrap().with_most(1);
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let stopper = listener.stopper();
        let (came, coming) = mpsc::channel();
        let server = thread::spawn(move || {
            listener.serve(move |stream, _| {
                let mut socket = WebSocket::accept(stream).unwrap();
                came.send(()).unwrap();
                while let Ok(message) = socket.receive() {
                    socket.send(message).unwrap();
                }
            })
        });
        let mut first = WebSocket::connect(&url).unwrap();
        coming.recv_timeout(LIMIT).unwrap();
        let second = thread::spawn({
            let url = url.clone();
            move || WebSocket::connect(&url).unwrap()
        });
        assert!(coming.recv_timeout(Duration::from_millis(200)).is_err(), "there is one place");
        first.close(Close::normal()).unwrap();
        first.ended();
        coming.recv_timeout(LIMIT).unwrap();

        // Clients that are connected when it stops are still served.
        let mut second = second.join().unwrap();
        stopper.stop();
        let left = server.join().unwrap().unwrap();
        assert_eq!(left.count(), 1);
        assert!(WebSocket::connect(&url).is_err(), "nothing is listening");
        second.send(Message::text("still there?")).unwrap();
        assert_eq!(second.receive().unwrap(), Message::text("still there?"));
        assert!(!left.wait(Duration::from_millis(10)));
        drop(second);
        assert!(left.wait(LIMIT));
    });
}

/// Many clients have connected that were gone again, before one that is not.
struct Flooded {
    door: TcpListener,
    gone: Mutex<usize>,
}

impl Door for Flooded {
    type Stream = TcpStream;
    type Address = SocketAddr;

    fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let mut gone = self.gone.lock().unwrap();
        let Some(left) = gone.checked_sub(1) else { return Door::accept(&self.door) };
        *gone = left;
        // The other error is what the standard library makes of a macOS client that no longer has an address.
        let kind = if left % 2 == 0 { io::ErrorKind::ConnectionAborted } else { io::ErrorKind::InvalidInput };
        Err(kind.into())
    }

    fn set_nonblocking(&self) -> io::Result<()> {
        Door::set_nonblocking(&self.door)
    }

    fn socket(&self) -> Handle<'_> {
        Door::socket(&self.door)
    }
}

#[test]
fn clients_that_reset_their_connections_do_not_delay_others() {
    within(|| {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(door.local_addr().unwrap()).unwrap();
        let listener = Listener::new(Flooded { door, gone: Mutex::new(1000) }).unwrap();
        let (stopper, (came, coming)) = (listener.stopper(), mpsc::channel());
        let server = thread::spawn(move || listener.serve(move |_, _| came.send(()).unwrap()));
        // With a pause for each of them, it would take more than a minute and a half.
        coming.recv_timeout(LIMIT).unwrap();
        stopper.stop();
        server.join().unwrap().unwrap();
    });
}

/// Takes a while to be dropped.
struct Slow(#[expect(dead_code, reason = "it is counted")] Arc<()>);

impl Drop for Slow {
    fn drop(&mut self) {
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn nothing_of_the_service_is_left_once_all_clients_are_gone() {
    within(|| {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let (address, stopper) = (listener.local_addr().unwrap(), listener.stopper());
        let service = Arc::new(());
        let slow = Slow(Arc::clone(&service));
        let (came, coming) = mpsc::channel();
        let server = thread::spawn(move || {
            listener.serve(move |mut stream, _| {
                let _slow = &slow;
                came.send(()).unwrap();
                let _ = stream.read(&mut [0]);
            })
        });
        let client = TcpStream::connect(address).unwrap();
        coming.recv_timeout(LIMIT).unwrap();
        stopper.stop();
        let left = server.join().unwrap().unwrap();
        assert_eq!(Arc::strong_count(&service), 2);
        drop(client);
        assert!(left.wait(LIMIT));
        assert_eq!(Arc::strong_count(&service), 1);
    });
}

/// A door that reports every client as gone.
struct Useless {
    door: TcpListener,
    asked: mpsc::Sender<Instant>,
}

impl Door for Useless {
    type Stream = TcpStream;
    type Address = SocketAddr;

    fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        // The test may have received enough.
        let _ = self.asked.send(Instant::now());
        Err(io::ErrorKind::InvalidInput.into())
    }

    fn set_nonblocking(&self) -> io::Result<()> {
        self.door.set_nonblocking(true)
    }

    fn socket(&self) -> Handle<'_> {
        Door::socket(&self.door)
    }
}

#[test]
fn a_door_that_always_fails_is_not_asked_all_the_time() {
    within(|| {
        let (tell, asked) = mpsc::channel();
        let door = Useless { door: TcpListener::bind("127.0.0.1:0").unwrap(), asked: tell };
        let listener = Listener::new(door).unwrap();
        let stopper = listener.stopper();
        let server = thread::spawn(move || listener.serve(|_, _| {}));
        let times: Vec<_> = asked.iter().take(1004).collect();
        assert!(times[1003] - times[1001] >= 2 * PAUSE);
        stopper.stop();
        server.join().unwrap().unwrap();
    });
}
