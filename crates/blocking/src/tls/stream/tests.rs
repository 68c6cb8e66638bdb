use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant as Time;

use super::*;
use crate::wait::wait_for;

const LONG: Duration = Duration::from_secs(60);

/// A server's certificate, and a client that trusts it.
fn papers() -> (ServerTls, ClientTls) {
    let pair = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let server = ServerTls::new(certificate.as_bytes(), key.as_bytes()).unwrap();
    (server, ClientTls::trusting(certificate.as_bytes()).unwrap())
}

/// Two ends that have shaken hands.
fn pair<S: Stream + Send + 'static>(near: S, far: S) -> (TlsStream<S>, TlsStream<S>) {
    let (server, client) = papers();
    let accepting = thread::spawn(move || TlsStream::accept(far, &server, LONG).unwrap());
    let near = TlsStream::connect(near, "localhost", &client, LONG).unwrap();
    (near, accepting.join().unwrap())
}

fn sockets() -> (TlsStream<UnixStream>, TlsStream<UnixStream>) {
    let (near, far) = UnixStream::pair().unwrap();
    pair(near, far)
}

fn contents(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8)) as u8).collect()
}

/// The result of a call that may not be able to do anything.
fn now<T>(result: io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Moves what can be moved from one end to the other.
fn carry<S: Stream>(from: &mut TlsStream<S>, rest: &mut &[u8], to: &mut TlsStream<S>, got: &mut Vec<u8>) {
    if let Some(n) = now(from.write(rest)) {
        *rest = &rest[n..];
    }
    now(from.flush());
    let mut place = [0; 5000];
    if let Some(n) = now(to.read(&mut place)) {
        got.extend_from_slice(&place[..n]);
    }
}

/// A stream that accepts and returns a few bytes at a time, and often nothing.
struct Trickle {
    stream: UnixStream,
    calls: usize,
}

impl Trickle {
    fn turn(&mut self) -> io::Result<usize> {
        self.calls += 1;
        match self.calls % 5 {
            0 => Err(ErrorKind::WouldBlock.into()),
            1 => Err(ErrorKind::Interrupted.into()),
            n => Ok(n * n * n * 7),
        }
    }
}

impl Read for Trickle {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let most = self.turn()?.min(place.len());
        self.stream.read(&mut place[..most])
    }
}

impl Write for Trickle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = self.turn()?.min(bytes.len());
        self.stream.write(&bytes[..most])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Stream for Trickle {
    fn set_nonblocking(&self) -> io::Result<()> {
        self.stream.set_nonblocking(true)
    }

    fn socket(&self) -> Handle<'_> {
        Stream::socket(&self.stream)
    }

    fn finish_writing(&mut self) -> io::Result<()> {
        self.turn()?;
        self.stream.shutdown(Shutdown::Write)
    }
}

#[test]
fn bytes_cross_a_stream_that_takes_and_gives_any_pieces() {
    let (near, far) = UnixStream::pair().unwrap();
    let trickle = |stream| Trickle { stream, calls: 0 };
    let (mut near, mut far) = pair(trickle(near), trickle(far));
    let bytes = contents(300_000);
    let (mut up, mut down, mut above, mut below) = (&bytes[..], &bytes[..], Vec::new(), Vec::new());
    while above.len() < bytes.len() || below.len() < bytes.len() {
        carry(&mut near, &mut up, &mut far, &mut above);
        carry(&mut far, &mut down, &mut near, &mut below);
    }
    assert!(above == bytes && below == bytes);

    // The farewell as well.
    while now(near.finish_writing()).is_none() {}
    let end = loop {
        if let Some(n) = now(far.read(&mut [0; 100])) {
            break n;
        }
    };
    assert_eq!(end, 0);
}

#[test]
fn ends_that_both_write_until_nothing_is_taken_read_each_other() {
    let (mut near, mut far) = sockets();
    let bytes = contents(4_000_000);
    let mut sent = [0, 0];
    for (end, sent) in [&mut near, &mut far].into_iter().zip(&mut sent) {
        while let Some(n) = now(end.write(&bytes[*sent..])) {
            *sent += n;
        }
        assert!((1..bytes.len()).contains(sent), "{sent} bytes were taken");
    }
    for (end, sent) in [(&mut near, sent[1]), (&mut far, sent[0])] {
        let (mut got, mut place) = (Vec::new(), vec![0; 64 << 10]);
        while let Some(n) = now(end.read(&mut place)) {
            got.extend_from_slice(&place[..n]);
        }
        // The rest, including a partly written record, waits in the other end until it is called.
        assert!(sent - got.len() <= 80 << 10 && got == bytes[..got.len()], "{} of {sent}", got.len());
    }
}

#[test]
fn decrypted_bytes_are_not_waited_for() {
    let (mut near, mut far) = sockets();
    near.write_all(&contents(3000)).unwrap();
    let interest = Interest { read: true, write: false };
    wait_for(&far, interest, None, Some(LONG)).unwrap();
    assert_eq!(far.read(&mut [0; 1000]).unwrap(), 1000);
    let start = Time::now();
    assert!(far.has_input());
    wait_for(&far, interest, None, Some(LONG)).unwrap();
    assert!(start.elapsed() < LONG / 2, "the socket has nothing to show");
    assert_eq!(far.read(&mut [0; 9000]).unwrap(), 2000);
    assert!(!far.has_input());
}

#[test]
fn a_farewell_is_distinguished_from_a_cut() {
    let (mut near, mut far) = sockets();
    near.write_all(b"last words").unwrap();
    near.finish_writing().unwrap();
    let mut place = [0; 100];
    assert_eq!(far.read(&mut place).unwrap(), 10);
    assert_eq!(far.read(&mut place).unwrap(), 0);
    // The other direction still works.
    far.write_all(b"an answer").unwrap();
    assert_eq!(near.read(&mut place).unwrap(), 9);

    let (mut near, mut far) = sockets();
    near.write_all(b"last words").unwrap();
    // A socket that is closed with unread bytes is reset by the system.
    assert!(now(near.read(&mut place)).is_none());
    drop(near);
    assert_eq!(far.read(&mut place).unwrap(), 10);
    for _ in 0..2 {
        assert_eq!(far.read(&mut place).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}

#[test]
fn keys_change_while_bytes_cross() {
    let (mut near, mut far) = sockets();
    let bytes = contents(1_000_000);
    let (mut up, mut down, mut above, mut below) = (&bytes[..], &bytes[..], Vec::new(), Vec::new());
    let mut turns = 0;
    while above.len() < bytes.len() || below.len() < bytes.len() {
        turns += 1;
        if turns % 7 == 0 {
            near.session.refresh_traffic_keys().unwrap();
        }
        carry(&mut near, &mut up, &mut far, &mut above);
        carry(&mut far, &mut down, &mut near, &mut below);
    }
    assert!(above == bytes && below == bytes);
}

#[test]
fn records_without_data_do_not_hold_up_a_read() {
    let (server, client) = papers();
    let mut talkative = rustls::ServerConfig::clone(&server.config());
    // Some 50 KB, which concern nothing but TLS.
    talkative.send_tls13_tickets = 500;
    let (near, far) = UnixStream::pair().unwrap();
    let accepting = thread::spawn(move || {
        let session = ServerConnection::new(talkative.into()).unwrap();
        let mut far = TlsStream::new(far, session.into()).shake_hands_within(LONG).unwrap();
        far.write_all(b"at last").unwrap();
        far
    });
    let mut near = TlsStream::connect(near, "localhost", &client, LONG).unwrap();
    let _far = accepting.join().unwrap();
    let (mut reads, mut place) = (1, [0; 100]);
    let n = loop {
        if let Some(n) = now(near.read(&mut place)) {
            break n;
        }
        reads += 1;
    };
    assert_eq!(&place[..n], b"at last");
    assert!((2..10).contains(&reads), "{reads}");
}

#[test]
fn invalid_tls_records_end_the_stream() {
    let (mut near, mut far) = sockets();
    near.stream.write_all(b"a byte of somebody else's and some more").unwrap();
    assert_eq!(far.read(&mut [0; 100]).unwrap_err().kind(), ErrorKind::InvalidData);
    // It tells the peer.
    let told = near.read(&mut [0; 100]).unwrap_err();
    assert!(told.to_string().contains("fatal alert"), "{told}");
}

#[test]
fn a_handshake_with_a_silent_or_foreign_peer_is_given_up() {
    let time = Duration::from_millis(200);
    let (server, client) = papers();
    let failing = |what: &dyn Fn(&mut UnixStream)| {
        let ends = || {
            let (near, mut far) = UnixStream::pair().unwrap();
            what(&mut far);
            (near, far)
        };
        let start = Time::now();
        let (near, peer) = ends();
        let first = TlsStream::connect(near, "localhost", &client, time).unwrap_err();
        let (near, other) = ends();
        let second = TlsStream::accept(near, &server, time).unwrap_err();
        drop((peer, other));
        (first.kind(), second.kind(), start.elapsed())
    };
    let (first, second, took) = failing(&|_| {});
    assert_eq!((first, second), (ErrorKind::TimedOut, ErrorKind::TimedOut));
    assert!((2 * time..LONG).contains(&took), "{took:?}");
    // The beginning of something long.
    let (first, second, _) = failing(&|far| far.write_all(&[22, 3, 3, 40, 0, 2, 0, 99]).unwrap());
    assert_eq!((first, second), (ErrorKind::TimedOut, ErrorKind::TimedOut));
    let (first, second, _) = failing(&|far| far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap());
    assert_eq!((first, second), (ErrorKind::InvalidData, ErrorKind::InvalidData));
    let (first, second, _) = failing(&|far| far.shutdown(Shutdown::Both).unwrap());
    let ends = [ErrorKind::UnexpectedEof, ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(ends.contains(&first) && ends.contains(&second), "{first} {second}");
}

#[test]
fn a_server_with_another_identity_is_not_trusted() {
    let (server, client) = papers();
    let (_, stranger) = papers();
    for (host, tls) in [("example.org", &client), ("127.0.0.1", &client), ("localhost", &stranger)] {
        let (near, far) = UnixStream::pair().unwrap();
        let server = server.clone();
        let accepting = thread::spawn(move || TlsStream::accept(far, &server, LONG).map(drop));
        let error = TlsStream::connect(near, host, tls, LONG).unwrap_err();
        assert!(error.to_string().contains("invalid peer certificate"), "{error}");
        let error = accepting.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("fatal alert"), "it is told: {error}");
    }
}

#[test]
fn records_are_small_at_first() {
    let (mut near, far) = sockets();
    let bytes = contents(200_000);
    let sizes = thread::scope(|threads| {
        let reading = threads.spawn(|| record_sizes(far.stream, bytes.len()));
        let mut rest = &bytes[..];
        // What was accepted leaves with the next call.
        while !rest.is_empty() || now(near.flush()).is_none() {
            // In two pieces, as a header and its payload.
            let (header, body) = rest.split_at(rest.len().min(10));
            if let Some(n) = now(near.write_vectored(&[IoSlice::new(header), IoSlice::new(body)])) {
                rest = &rest[n..];
            }
            let interest = Interest { read: false, write: true };
            wait(Some(near.socket()), interest, None, Some(LONG)).unwrap();
        }
        reading.join().unwrap()
    });
    let small = sizes.iter().take_while(|size| **size < 1400).count();
    assert!((48..52).contains(&small), "{sizes:?}");
    assert_eq!(sizes.iter().max(), Some(&((16 << 10) + 17)), "{sizes:?}");
}

/// The sizes of the records for this many bytes in total, as they cross the connection.
fn record_sizes(mut stream: UnixStream, bytes: usize) -> Vec<usize> {
    stream.set_nonblocking(false).unwrap();
    let mut sizes = Vec::new();
    // TLS 1.3 adds the type and a tag of 16 bytes.
    while sizes.iter().map(|size| size - 17).sum::<usize>() < bytes {
        let mut header = [0; 5];
        stream.read_exact(&mut header).unwrap();
        let size = usize::from(u16::from_be_bytes([header[3], header[4]]));
        stream.read_exact(&mut vec![0; size]).unwrap();
        sizes.push(size);
    }
    sizes
}
