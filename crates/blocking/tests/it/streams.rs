//! Foreign streams with faults in them.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bowline_blocking::{Handle, Stream, WebSocket};

use crate::common::within;

/// Behaves as told, this many times.
struct Stubborn(TcpStream, AtomicUsize);

impl Read for Stubborn {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        self.0.read(place)
    }
}

impl Write for Stubborn {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Stubborn {
    fn set_nonblocking(&self) -> io::Result<()> {
        match self.1.load(Ordering::Relaxed) {
            0 => Err(io::Error::other("enough is enough")),
            left => {
                self.1.store(left - 1, Ordering::Relaxed);
                Stream::set_nonblocking(&self.0)
            }
        }
    }

    fn socket(&self) -> Handle<'_> {
        Stream::socket(&self.0)
    }

    fn finish_writing(&mut self) -> io::Result<()> {
        self.0.finish_writing()
    }
}

#[test]
fn a_stream_that_cannot_be_made_nonblocking_is_named_as_the_cause() {
    within(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let client = thread::spawn(move || WebSocket::connect(&url));
        // For both halves of the handshake, but not for the connection.
        let stream = Stubborn(listener.accept().unwrap().0, AtomicUsize::new(2));
        let error = WebSocket::accept(stream).unwrap_err();
        assert_eq!(error.to_string(), "the system refuses what a connection needs: enough is enough");
        let _ = client.join();
    });
}
