//! TLS over any stream, by a session of rustls that does no I/O itself.
//!
//! ```text
//!             ┌──────── session ────────┐
//!   read  ◀── │ plaintext ◀── records   │ ◀── stream.read
//!   write ──▶ │ plaintext ──▶ records   │ ──▶ stream.write
//!             └─────────────────────────┘
//! ```

use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::Duration;

use bowline_core::Instant;
use bowline_host::tls::{ClientTls, Records, ServerTls, server_name, timed_out};
use rustls::{ClientConnection, Connection, ServerConnection};

use crate::clock::Clock;
use crate::stream::{Handle, Stream};
use crate::wait::{Interest, Wakened, wait};

/// How often a read checks for more input in what has arrived: each time gets 4 KiB, so the longest record takes five.
/// The limit keeps a peer that sends only TLS's own messages from keeping us away from the clock.
const IN_VAIN: usize = 8;

/// TLS over a stream, for either role.
///
/// Neither direction waits for the other: a read accepts what has arrived even if nothing can leave, and a write goes
/// on whether or not anything arrives. So two ends that both send first do not wait for each other.
///
/// ```
/// use bowline_blocking::accept::{self, Decision};
/// use bowline_blocking::tls::{ClientTls, ServerTls, TlsStream};
/// use bowline_blocking::{Listener, WebSocket, dial};
/// use std::time::Duration;
///
/// /// A server that greets every client, over TLS.
/// fn greet(listener: Listener, tls: ServerTls) -> std::io::Result<()> {
///     listener.serve(move |stream, _peer| {
///         let Ok(stream) = TlsStream::accept(stream, &tls, Duration::from_secs(10)) else { return };
///         let Ok(mut socket) = WebSocket::accept(stream) else { return };
///         let _ = socket.send(bowline_core::Message::text("hello"));
///         let _ = socket.close(bowline_core::Close::normal());
///         socket.ended();
///     })?;
///     Ok(())
/// }
/// ```
pub struct TlsStream<S> {
    stream: S,
    session: Connection,
    records: Records,
    /// Decides when records become small again after a pause.
    clock: Clock,
}

impl<S: Stream> TlsStream<S> {
    /// Encrypts a connection to a server, which must prove within this time that it is this host (a name or an address,
    /// as in a URL).
    ///
    /// # Errors
    /// If the server is not the expected one, does not speak TLS, ends the connection, or takes too long
    /// ([`TimedOut`](ErrorKind::TimedOut)).
    pub fn connect(stream: S, host: &str, tls: &ClientTls, time: Duration) -> io::Result<Self> {
        Self::client(stream, host, tls)?.shake_hands_within(time)
    }

    /// Encrypts a connection from a client, if it does its part within this time.
    ///
    /// # Errors
    /// If the client does not trust us, does not speak TLS, ends the connection, or takes too long
    /// ([`TimedOut`](ErrorKind::TimedOut)).
    pub fn accept(stream: S, tls: &ServerTls, time: Duration) -> io::Result<Self> {
        Self::server(stream, tls)?.shake_hands_within(time)
    }

    /// The stream below, for inspection.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The version of TLS, such as `TLSv1_3`.
    pub fn tls_version(&self) -> Option<&'static str> {
        self.session.protocol_version().and_then(|version| version.as_str())
    }

    // ----- the handshake -----

    /// A client's end, before the handshake.
    pub(super) fn client(stream: S, host: &str, tls: &ClientTls) -> io::Result<Self> {
        let session = ClientConnection::new(tls.config(), server_name(host)?).map_err(io::Error::other)?;
        Ok(Self::new(stream, session.into()))
    }

    /// A server's end, before the handshake.
    pub(crate) fn server(stream: S, tls: &ServerTls) -> io::Result<Self> {
        let session = ServerConnection::new(tls.config()).map_err(io::Error::other)?;
        Ok(Self::new(stream, session.into()))
    }

    fn new(stream: S, session: Connection) -> Self {
        Self { stream, session, records: Records::default(), clock: Clock::start() }
    }

    fn shake_hands_within(self, time: Duration) -> io::Result<Self> {
        let shaken = self.shake_hands(Clock::start(), Instant::ZERO + time, None);
        shaken.unwrap_or_else(|| Err(timed_out(time)))
    }

    /// Performs the handshake; `None` if the peer has not done its part by then, or before another thread calls.
    pub(crate) fn shake_hands(
        mut self,
        clock: Clock,
        until: Instant,
        wakened: Option<&Wakened>,
    ) -> Option<io::Result<Self>> {
        let mut step = self.stream.set_nonblocking().map(|()| false);
        loop {
            match step {
                Ok(true) => return Some(Ok(self)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let write = self.session.wants_write();
                    let interest = Interest { read: !write, write };
                    let time = until - clock.now();
                    match wait(Some(self.stream.socket()), interest, wakened, Some(time)) {
                        Ok(false) => {}
                        Ok(true) => return None,
                        Err(error) => return Some(Err(error)),
                    }
                }
                Err(error) if error.kind() != ErrorKind::Interrupted => return Some(Err(error)),
                // However much it sends, its time passes.
                _ => {}
            }
            if clock.now() >= until {
                return None;
            }
            step = self.step();
        }
    }

    /// Takes the next step of the handshake; returns whether it was the last.
    fn step(&mut self) -> io::Result<bool> {
        self.flush()?;
        if self.session.is_handshaking() && self.receive()? == 0 {
            return Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "the connection ended during the handshake",
            ));
        }
        Ok(!self.session.is_handshaking() && !self.session.wants_write())
    }

    // ----- what is encrypted -----

    /// Reads from the stream once, and decrypts what is complete.
    fn receive(&mut self) -> io::Result<usize> {
        let n = self.session.read_tls(&mut self.stream)?;
        if let Err(error) = self.session.process_new_packets() {
            // The peer is told why, if it accepts that at once.
            let _ = self.send();
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(n)
    }

    /// Writes everything encrypted to the stream.
    fn send(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.stream) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Encrypts what there is room for, and sends as much as the stream accepts.
    fn write_by(&mut self, encrypt: impl Fn(&mut Connection) -> io::Result<usize>) -> io::Result<usize> {
        let mut taken = encrypt(&mut self.session)?;
        loop {
            match self.send() {
                // There was no room for anything; now there is room for all of it.
                Ok(()) if taken == 0 => {
                    taken = encrypt(&mut self.session)?;
                    if taken == 0 {
                        return Ok(0);
                    }
                }
                // What was accepted leaves with the next call, or with a flush.
                Err(error) if error.kind() == ErrorKind::WouldBlock && taken > 0 => return Ok(taken),
                sent => return sent.map(|()| taken),
            }
        }
    }
}

impl<S: Stream> Read for TlsStream<S> {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        for _ in 0..IN_VAIN {
            match self.session.reader().read(place) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Bytes, a close_notify (no bytes), or the lack of one: `UnexpectedEof`.
                read => return read,
            }
            // TLS's own answers to that, for example to a key update, leave before the next bytes.
            self.receive()?;
        }
        self.session.reader().read(place)
    }
}

impl<S: Stream> Write for TlsStream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let now = self.clock.now();
        let records = self.records;
        let taken = records
            .offer(now, slices, |slices| self.write_by(|session| session.writer().write_vectored(slices)))?;
        self.records.handle_written(now, taken);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        self.stream.flush()
    }
}

impl<S: Stream> Stream for TlsStream<S> {
    fn set_nonblocking(&self) -> io::Result<()> {
        self.stream.set_nonblocking()
    }

    fn socket(&self) -> Handle<'_> {
        self.stream.socket()
    }

    /// Also sends TLS's close_notify.
    fn finish_writing(&mut self) -> io::Result<()> {
        self.session.send_close_notify();
        self.flush()?;
        self.stream.finish_writing()
    }

    fn has_input(&self) -> bool {
        // What is decrypted, or the peer's close_notify.
        !self.session.wants_read() || self.stream.has_input()
    }
}

impl<S: fmt::Debug> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.session.protocol_version();
        f.debug_struct("TlsStream")
            .field("stream", &self.stream)
            .field("version", &version)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, unix))]
mod tests;
