//! Messages in both directions, by ends that work while they are called.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bowline_blocking::{Clock, Driver, Handle, Stream, Unsent, WebSocket};
use bowline_core::connection::{Config, SendError};
use bowline_core::frame::Limits;
use bowline_core::message::{Delivery, Piece};
use bowline_core::{Close, Message};

use crate::common::{Over, Socket, pair, within};

fn message(n: usize, len: usize) -> Message {
    Message::binary(vec![n as u8; len])
}

pub(crate) fn two_ends_that_send_before_they_receive_do_not_wait_for_each_other(over: Over) {
    const COUNT: usize = 64;
    const LEN: usize = 256 << 10;
    fn work(mut socket: Socket) -> usize {
        socket.set_ahead(None);
        for n in 0..COUNT {
            socket.send(message(n, LEN)).unwrap();
        }
        for n in 0..COUNT {
            assert_eq!(socket.receive().unwrap(), message(n, LEN));
        }
        // The other end has everything, and may be gone.
        let _ = socket.flush();
        COUNT
    }
    let counts = within(move || {
        let (client, server) = pair(over, Config::default(), Config::default());
        let other = thread::spawn(move || work(server));
        (work(client), other.join().unwrap())
    });
    assert_eq!(counts, (COUNT, COUNT));
}

pub(crate) fn a_sender_that_may_hold_no_more_gets_its_message_back_and_can_go_on(over: Over) {
    within(move || {
        let (mut client, mut server) = pair(over, Config::default(), Config::default());
        client.set_ahead(Some(1 << 20));
        // The server sends and never receives, until it is told to.
        let other = thread::spawn(move || {
            server.set_ahead(Some(1 << 20));
            let mut sent = 0;
            // Limited, because it would continue for as long as the client receives.
            while sent < 400 && server.send(message(sent, 64 << 10)).is_ok() {
                sent += 1;
            }
            (server, sent)
        });
        let mut sent = 0;
        // The server reads until it is full itself; until then a flush may find room where a send did not.
        let unheard = loop {
            let refused = loop {
                match client.send(message(sent, 64 << 10)) {
                    Ok(()) => sent += 1,
                    Err(error) => break error,
                }
            };
            let SendError::Full { message: refused, held, limit } = refused else { panic!("{refused:?}") };
            assert_eq!((refused, limit), (message(sent, 64 << 10), 1 << 20));
            assert!(held >= limit, "{held} bytes are held");
            if let Err(unheard) = client.flush() {
                break unheard;
            }
        };
        assert_eq!(unheard, Unsent::Unheard);

        // At least what it holds arrives, until the server is done.
        let mut received = 0;
        while received == 0 || !other.is_finished() {
            if let Some(got) = client.receive_timeout(Duration::from_millis(10)).unwrap() {
                assert_eq!(got, message(received, 64 << 10));
                received += 1;
            }
        }
        client.close(Close::normal()).unwrap();
        let (mut server, _) = other.join().unwrap();
        let closing = thread::spawn(move || client.ended());
        for n in 0..sent {
            assert_eq!(server.receive().unwrap(), message(n, 64 << 10), "nothing was lost");
        }
        server.ended();
        closing.join().unwrap();
    });
}

pub(crate) fn a_time_limit_for_receiving_is_kept(over: Over) {
    let (mut client, mut server) = pair(over, Config::default(), Config::default());
    let start = Instant::now();
    assert_eq!(client.receive_timeout(Duration::from_millis(50)).unwrap(), None);
    assert!(start.elapsed() >= Duration::from_millis(50));
    server.send(Message::text("late")).unwrap();
    assert_eq!(client.receive_timeout(Duration::from_secs(10)).unwrap(), Some(Message::text("late")));
}

pub(crate) fn a_message_of_unknown_length_goes_through_in_pieces(over: Over) {
    within(move || {
        let mut config = Config::default();
        config.delivery = Delivery::Pieces;
        config.limits = Limits::none();
        let (mut client, mut server) = pair(over, Config::default(), config);
        let sending = thread::spawn(move || {
            for _ in 0..100 {
                client.send_piece(Piece::binary(vec![7; 100_000])).unwrap();
            }
            client.send_piece(Piece::binary("").last()).unwrap();
            client.close(Close::normal()).unwrap();
            client.ended().to_string()
        });
        let (mut bytes, mut lasts) = (0, 0);
        while let Ok(piece) = server.receive_piece() {
            bytes += piece.part.len();
            lasts += usize::from(piece.is_last);
        }
        assert_eq!((bytes, lasts), (10_000_000, 1));
        assert_eq!(sending.join().unwrap(), "sent 1000 (OK); then received 1000 (OK)");
    });
}

#[cfg(unix)]
#[test]
fn a_connection_works_over_a_unix_socket_too() {
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    let client = Driver::client(near, &[], Config::default(), Clock::start()).unwrap();
    let server = Driver::server(far, &[], Config::default(), Clock::start()).unwrap();
    let (mut client, mut server) = (WebSocket::new(client), WebSocket::new(server));
    client.send(Message::text("over a file")).unwrap();
    assert_eq!(server.receive().unwrap(), Message::text("over a file"));
}

/// A frame of more bytes than anybody can wait for, which arrive as fast as they are read.
struct Endless {
    socket: TcpStream,
    header: &'static [u8],
    left: usize,
}

impl Read for Endless {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        if !self.header.is_empty() {
            return self.header.read(place);
        }
        let n = place.len().min(self.left);
        place[..n].fill(0);
        self.left -= n;
        Ok(n)
    }
}

impl Write for Endless {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Endless {
    fn set_nonblocking(&self) -> io::Result<()> {
        Ok(())
    }

    fn socket(&self) -> Handle<'_> {
        Stream::socket(&self.socket)
    }

    fn finish_writing(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn has_input(&self) -> bool {
        true
    }
}

#[test]
fn a_time_limit_for_receiving_is_kept_however_much_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for delivery in [Delivery::Whole, Delivery::Pieces] {
        let mut config = Config::default();
        config.delivery = delivery;
        config.limits = Limits::none();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let endless = Endless { socket, header: &[0x82, 0x7f, 0, 0, 1, 0, 0, 0, 0, 0], left: 512 << 20 };
        let mut client = WebSocket::new(Driver::client(endless, &[], config, Clock::start()).unwrap());
        let nothing = client.receive_timeout(Duration::from_millis(5));
        assert!(matches!(nothing, Ok(None)), "{delivery:?}");
        let read = client.stats().bytes_received;
        assert!(matches!(client.receive_timeout(Duration::ZERO), Ok(None)), "{delivery:?}");
        assert!(client.stats().bytes_received > read, "who only looks reads what is there");
    }
}
