//! Files over messages: those of tungstenite, and those of two channels.

#[allow(dead_code)]
#[path = "../examples/files_over_tungstenite.rs"]
mod files_over_tungstenite;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use bowline_core::Role;
use bowline_core::transfer::{Event, SafeName, TransferId};
use bowline_host::tungstenite::{Config, Counted, Watched};
use bowline_store::DiskStore;
use bytes::Bytes;
use files_over_tungstenite::{Carrier, End};
use tempfile::TempDir;

const LENGTH: usize = 5_000_000;

/// A carrier that breaks after this many sent messages.
struct Cut<C>(C, usize);

impl<C: Carrier> Carrier for Cut<C> {
    fn send(&mut self, message: Bytes) -> io::Result<()> {
        self.1 = self.1.checked_sub(1).ok_or(io::ErrorKind::ConnectionReset)?;
        self.0.send(message)
    }

    fn receive(&mut self, time: Duration) -> io::Result<Option<Bytes>> {
        self.0.receive(time)
    }
}

impl Carrier for (Sender<Bytes>, Receiver<Bytes>) {
    fn send(&mut self, message: Bytes) -> io::Result<()> {
        self.0.send(message).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn receive(&mut self, time: Duration) -> io::Result<Option<Bytes>> {
        match self.1.recv_timeout(time) {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

fn contents() -> Vec<u8> {
    (0..LENGTH).map(|n| (n ^ (n >> 8)) as u8).collect()
}

/// Sends a file over links that break after 3, 20, 37 messages and so on, to a receiver that serves one after the
/// other.
fn crosses<A: Carrier, B: Carrier + Send + 'static>(mut dial: impl FnMut() -> (A, B)) {
    let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let file = here.path().join("file");
    std::fs::write(&file, contents()).unwrap();
    let store = DiskStore::open(there.path(), bowline_store::Config::default()).unwrap();
    let (links, to_serve) = channel();
    let serving = thread::spawn(move || {
        // One process, so the instance is the same on each link.
        to_serve
            .into_iter()
            .flat_map(|mut link| End::new(Role::Server).unwrap().receive(&store, &mut link))
            .count()
    });
    let mut messages = 3;
    let end = End::new(Role::Client).unwrap().send(
        &file,
        SafeName::parse("copy").unwrap(),
        TransferId::from_bytes([7; 16]),
        || {
            let (near, far) = dial();
            links.send(far).map_err(|_| io::ErrorKind::BrokenPipe)?;
            messages += 17;
            Ok(Cut(near, messages - 17))
        },
    );
    drop(links);
    assert!(matches!(end.unwrap(), Event::Done { length, .. } if length == LENGTH as u64));
    assert_eq!(serving.join().unwrap(), 1);
    assert!(messages > 3 + 17, "it was cut");
    assert!(std::fs::read(there.path().join("copy")).unwrap() == contents());
}

#[test]
fn a_file_crosses_websockets_of_tungstenite_that_break() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    crosses(|| {
        let server = thread::spawn({
            let listener = listener.try_clone().unwrap();
            move || {
                let socket = tungstenite::accept(Counted::new(listener.accept().unwrap().0)).unwrap();
                Watched::server(socket, Config::default()).unwrap()
            }
        });
        let stream = Counted::new(TcpStream::connect(address).unwrap());
        let socket = tungstenite::client(format!("ws://{address}/"), stream).unwrap().0;
        (Watched::client(socket, Config::default()).unwrap(), server.join().unwrap())
    });
}

#[test]
fn a_file_crosses_two_channels_that_break() {
    crosses(|| {
        let ((to_there, at_there), (to_here, at_here)) = (channel(), channel());
        ((to_there, at_here), (to_here, at_there))
    });
}
