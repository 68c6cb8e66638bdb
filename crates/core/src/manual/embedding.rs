//! Drivers for the state machines.
//!
//! A driver moves bytes and looks at the clock; it decides nothing. Whatever wakes it up, it does the same things in
//! the same order:
//!
//! 1. **Read** what there is, and report it. An application that sends through a queue may have filled it meanwhile:
//!    call [`hold_answer`](crate::Connection::hold_answer) first, or a Close that is read is answered before what the
//!    application had to say.
//! 2. Report the **time**. Do so after reading, because a byte that waits in the socket is a sign of life. If the
//!    machine has slept, and the clock stood still meanwhile, call [`handle_wake`](crate::Connection::handle_wake)
//!    first.
//! 3. Take the **events**, and send what you have to say.
//! 4. **Write** what there is, and report how much the transport accepted. If it accepted less than it was given, or
//!    you have to wait for it, call [`handle_blocked`](crate::Connection::handle_blocked): what it accepts after that
//!    proves that the far side lives. Once nothing is left, flush a transport that holds bytes back, such as TLS, and
//!    do with it [what the connection says](crate::Connection::transport).
//! 5. **Begin again** if the fourth step has moved anything: there is room for what was waiting, such as a message or
//!    the next chunk of a file. Other connections that are ready may have their turn first.
//! 6. **Sleep** until the transport is ready or [`poll_timeout`](crate::Connection::poll_timeout) is reached. Where the
//!    system counts in milliseconds, round up: waking up early does no harm, and no good.
//!
//! For nonblocking sockets, `bowline_host::nonblocking` does the first and the fourth step, and
//! `bowline_host::read_end` knows which [`End`](crate::End) a read error is. Set `TCP_NODELAY`, and let the system
//! buffer little (`bowline_host::socket::tune`). Seeds come from the operating system (`bowline_host::seed`), and
//! `bowline_host::SleepWatch` notices a sleep.
//!
//! No order is wrong, only slower (see [the laws](crate#the-laws)). But a driver that sleeps before the third and the
//! fourth step sleeps too long, also in the first round. So does one that sleeps after a fourth step that has moved
//! something: what waits there has no deadline.
//!
//! If you ask the system which sockets are ready, ask to read while [`wants_input`](crate::Connection::wants_input)
//! says so, and to write while there is output. Leave out a socket that needs neither: `poll`, and level-triggered
//! `epoll`, report again and again that its peer has hung up, whatever you ask for. For a socket that is connecting,
//! ask to write, and then check whether it is connected (`TcpStream::take_error`): a handshake would only know that it
//! ended before an answer. [`Disconnect::connect_failed`](crate::Disconnect::connect_failed) says why.
//!
//! The opening handshake comes before all this, from `bowline-handshake` or from any HTTP server that can hand over its
//! stream. Its two state machines take the same steps: a request is accepted in the third, and once the answer has left
//! in the fourth, the fifth finds a result. Then build the connection, and give it the `leftover` as its first input.
//! `tests/hosts/examples/mio_loop.rs` in the repository does that for ten thousand sockets in one thread.
//!
//! `bowline-blocking` is the finished form of the first driver, `bowline-tokio` that of the second; both also carry
//! files, by a `Session` around their connections.
//!
//! # Blocking sockets
//!
//! One thread, no runtime. A read waits no longer than until the next deadline. A write waits only briefly, so that a
//! peer that does not read cannot keep us from hearing it.
//!
//! ```
//! use bowline_core::connection::{Config, Event, Transport};
//! use bowline_core::{Close, Connection, Disconnect, End, Instant, Message};
//! use std::io::{ErrorKind, Read, Write};
//! use std::net::{Shutdown, TcpListener, TcpStream};
//! use std::time::Duration;
//!
//! /// How long a socket that takes no more is left alone, and how long a write may wait.
//! const MOMENT: Duration = Duration::from_millis(20);
//!
//! /// Drives a connection until its end.
//! fn drive(
//!     mut socket: TcpStream,
//!     mut conn: Connection,
//!     mut on_message: impl FnMut(&mut Connection, Instant, Message),
//! ) -> std::io::Result<Disconnect> {
//!     let start = std::time::Instant::now();
//!     let now = || Instant::ZERO + start.elapsed();
//!     let mut chunk = vec![0; 16 << 10];
//!     socket.set_write_timeout(Some(MOMENT))?;
//!     loop {
//!         // Write. The first round begins here, for there may be something to say at once.
//!         while !conn.output().is_empty() {
//!             match socket.write(conn.output()) {
//!                 Ok(n) => conn.handle_written(now(), n),
//!                 Err(error) if is_late(&error) => {
//!                     conn.handle_blocked(now());
//!                     break;
//!                 }
//!                 Err(error) if error.kind() == ErrorKind::ConnectionReset => {
//!                     conn.handle_end(now(), End::WriteReset);
//!                 }
//!                 Err(_) => conn.handle_end(now(), End::WriteFailed),
//!             }
//!         }
//!         if conn.transport() == Transport::FinishWriting {
//!             let _ = socket.shutdown(Shutdown::Write);
//!         }
//!
//!         // Sleep and read, which is one call here.
//!         let patience = conn.poll_timeout().map_or(MOMENT, |deadline| deadline - now());
//!         let patience = if conn.output().is_empty() { patience } else { patience.min(MOMENT) };
//!         if conn.wants_input() {
//!             socket.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
//!             match socket.read(&mut chunk) {
//!                 Ok(0) => conn.handle_end(now(), End::Eof),
//!                 Ok(n) => conn.handle_input(now(), &chunk[..n]),
//!                 Err(error) if is_late(&error) => {}
//!                 Err(error) if error.kind() == ErrorKind::ConnectionReset => conn.handle_end(now(), End::Reset),
//!                 Err(_) => conn.handle_end(now(), End::ReadFailed),
//!             }
//!         } else {
//!             std::thread::sleep(patience.min(MOMENT));
//!         }
//!         conn.handle_timeout(now());
//!
//!         while let Some(event) = conn.poll_event() {
//!             match event {
//!                 Event::Message(message) => on_message(&mut conn, now(), message),
//!                 Event::Closed(disconnect) => return Ok(disconnect),
//!                 _ => {}
//!             }
//!         }
//!     }
//! }
//!
//! /// A signal that stops and continues the process (`Ctrl-Z`, `fg`) interrupts a call that has a timeout.
//! fn is_late(error: &std::io::Error) -> bool {
//!     matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
//! }
//!
//! // Seeds have to come from the operating system; these are for the example.
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let server = std::thread::spawn(move || {
//!     let conn = Connection::server(Config::default(), [1; 32], Instant::ZERO);
//!     drive(listener.accept()?.0, conn, |conn, now, message| {
//!         let _ = conn.send(now, message);
//!     })
//! });
//!
//! let mut conn = Connection::client(Config::default(), [2; 32], Instant::ZERO);
//! conn.send(Instant::ZERO, Message::text("hello")).unwrap();
//! let disconnect = drive(TcpStream::connect(address)?, conn, |conn, now, message| {
//!     assert_eq!(message, Message::text("hello"));
//!     let _ = conn.close(now, Close::normal());
//! })?;
//!
//! assert_eq!(disconnect.to_string(), "sent 1000 (OK); then received 1000 (OK)");
//! assert_eq!(server.join().unwrap()?.to_string(), "received 1000 (OK); then sent 1000 (OK)");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # tokio's `select!`
//!
//! Writing, reading and sleeping wait side by side, so nothing has to be cut short. They are checked in this order: a
//! peer that sends without end must not keep the answer to its ping from leaving, and a waiting byte is a sign of life,
//! which comes before the time. The bytes are read into the buffer that the connection lends, which saves a copy.
//!
//! ```
//! use bowline_core::connection::{Config, Event, Transport};
//! use bowline_core::{Close, Connection, Disconnect, End, Instant, Message};
//! use std::future::{pending, poll_fn};
//! use std::io;
//! use std::pin::Pin;
//! use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
//! use tokio::time::{sleep, Instant as Clock};
//!
//! enum Next {
//!     Read(io::Result<usize>),
//!     Written(io::Result<usize>),
//!     Due,
//! }
//!
//! /// Drives a connection until its end.
//! async fn drive<S: AsyncRead + AsyncWrite + Unpin>(
//!     stream: S,
//!     mut conn: Connection,
//!     mut on_message: impl FnMut(&mut Connection, Instant, Message),
//! ) -> Disconnect {
//!     let start = Clock::now();
//!     let now = || Instant::ZERO + start.elapsed();
//!     let (mut reader, mut writer) = tokio::io::split(stream);
//!     loop {
//!         let (deadline, wants_input, output) = (conn.poll_timeout(), conn.wants_input(), conn.output().to_vec());
//!         let mut has_waited = false;
//!         let write = poll_fn(|cx| {
//!             let written = Pin::new(&mut writer).poll_write(cx, &output);
//!             has_waited |= written.is_pending();
//!             written
//!         });
//!         let timeout = async {
//!             match deadline {
//!                 Some(deadline) => sleep(deadline - now()).await,
//!                 None => pending().await,
//!             }
//!         };
//!         let next = tokio::select! {
//!             biased;
//!             written = write, if !output.is_empty() => Next::Written(written),
//!             read = reader.read_buf(conn.input()), if wants_input => Next::Read(read),
//!             () = timeout => Next::Due,
//!         };
//!         // Before what was written: that a full transport has taken something is a sign of life.
//!         if has_waited {
//!             conn.handle_blocked(now());
//!         }
//!         match next {
//!             Next::Read(Ok(0)) => conn.handle_end(now(), End::Eof),
//!             Next::Read(Ok(_)) => conn.handle_read(now()),
//!             Next::Read(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
//!                 conn.handle_end(now(), End::Reset);
//!             }
//!             Next::Read(Err(_)) => conn.handle_end(now(), End::ReadFailed),
//!             Next::Written(Ok(n)) => {
//!                 conn.handle_written(now(), n);
//!                 if n < output.len() {
//!                     conn.handle_blocked(now());
//!                 }
//!             }
//!             Next::Written(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
//!                 conn.handle_end(now(), End::WriteReset);
//!             }
//!             Next::Written(Err(_)) => conn.handle_end(now(), End::WriteFailed),
//!             Next::Due => {}
//!         }
//!         conn.handle_timeout(now());
//!
//!         while let Some(event) = conn.poll_event() {
//!             match event {
//!                 Event::Message(message) => on_message(&mut conn, now(), message),
//!                 Event::Closed(disconnect) => return disconnect,
//!                 _ => {}
//!             }
//!         }
//!         if conn.output().is_empty() && conn.transport() == Transport::FinishWriting {
//!             let _ = writer.shutdown().await;
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let (near, far) = tokio::io::duplex(4096);
//! let server = tokio::spawn(async move {
//!     let conn = Connection::server(Config::default(), [1; 32], Instant::ZERO);
//!     drive(far, conn, |conn, now, message| drop(conn.send(now, message))).await
//! });
//!
//! let mut conn = Connection::client(Config::default(), [2; 32], Instant::ZERO);
//! conn.send(Instant::ZERO, Message::binary(vec![7; 100_000])).unwrap();
//! let disconnect = drive(near, conn, |conn, now, message| {
//!     assert_eq!(message.len(), 100_000);
//!     conn.close(now, Close::normal()).unwrap();
//! })
//! .await;
//!
//! assert_eq!(disconnect.to_string(), "sent 1000 (OK); then received 1000 (OK)");
//! assert_eq!(server.await.unwrap().to_string(), "received 1000 (OK); then sent 1000 (OK)");
//! # }
//! ```
//!
//! (`select!` needs a copy of the output, because the connection lends its input at the same time; a driver that polls
//! by hand writes it from where it lies.)
//!
//! # The heartbeat alone, next to a foreign WebSocket
//!
//! [`Heartbeat`](crate::Heartbeat) needs to know when bytes come, and asks for pings to be sent. Here it watches over a
//! `tungstenite` socket. A wrapper around the stream counts what is read, so that even one byte of a huge message is a
//! sign of life. It cannot help that its ping waits behind the data that tungstenite has already buffered. The finished
//! form, with the diagnosis of the end and without a write that waits for ever, is `bowline_host::tungstenite`.
//!
//! ```
//! use bowline_core::heartbeat::{Beat, Config};
//! use bowline_core::{Heartbeat, Instant, Rng};
//! use std::io::{self, ErrorKind, Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use std::time::Duration;
//! use tungstenite::protocol::Role;
//! use tungstenite::{Error, Message, WebSocket};
//!
//! /// A socket that counts what is read from it.
//! struct Counted {
//!     socket: TcpStream,
//!     received: u64,
//! }
//!
//! impl Read for Counted {
//!     fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
//!         let n = self.socket.read(buf)?;
//!         self.received += n as u64;
//!         Ok(n)
//!     }
//! }
//!
//! impl Write for Counted {
//!     fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
//!         self.socket.write(buf)
//!     }
//!     fn flush(&mut self) -> io::Result<()> {
//!         self.socket.flush()
//!     }
//! }
//!
//! /// Receives until the connection ends, and says so if nobody is there any more.
//! fn watch(mut socket: WebSocket<Counted>, config: Config) -> Result<String, Error> {
//!     let start = std::time::Instant::now();
//!     let now = || Instant::ZERO + start.elapsed();
//!     let mut heartbeat = Heartbeat::new(config, &mut Rng::from_seed([7; 32]), now());
//!     loop {
//!         let before = socket.get_ref().received;
//!         let patience = heartbeat.poll_timeout().map_or(Duration::from_secs(1), |at| at - now());
//!         socket.get_ref().socket.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
//!         let read = socket.read();
//!         if socket.get_ref().received > before {
//!             heartbeat.handle_received(now());
//!         }
//!         match read {
//!             Ok(Message::Pong(payload)) => drop(heartbeat.handle_pong(now(), &payload)),
//!             Ok(_) => {}
//!             Err(Error::Io(error)) if is_late(&error) => {}
//!             Err(error) => return Err(error),
//!         }
//!         match heartbeat.handle_timeout(now()) {
//!             Some(Beat::Ping { payload, .. }) => {
//!                 socket.send(Message::Ping(payload.to_vec().into()))?;
//!                 heartbeat.handle_ping_sent(now());
//!             }
//!             Some(Beat::Pong) => socket.send(Message::Pong(Default::default()))?,
//!             Some(Beat::Dead { pings, pongs, .. }) => {
//!                 return Ok(format!("nobody is there: {pongs} of {pings} pings answered"));
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//!
//! fn is_late(error: &io::Error) -> bool {
//!     matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
//! }
//!
//! // A peer that answers two pings and then loses interest, without closing anything.
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let peer = std::thread::spawn(move || {
//!     let mut peer = WebSocket::from_raw_socket(listener.accept().unwrap().0, Role::Server, None);
//!     for _ in 0..2 {
//!         assert!(matches!(peer.read(), Ok(Message::Ping(_))));
//!         peer.flush().unwrap();
//!     }
//!     peer
//! });
//!
//! let mut config = Config::default();
//! config.interval = Duration::from_millis(100);
//! config.timeout = Duration::from_millis(400);
//! let socket = Counted { socket: TcpStream::connect(address)?, received: 0 };
//! let verdict = watch(WebSocket::from_raw_socket(socket, Role::Client, None), config).unwrap();
//! assert_eq!(verdict, "nobody is there: 2 of 3 pings answered");
//! # drop(peer.join());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
#![cfg_attr(
    feature = "transfer",
    doc = "A fourth driver needs no WebSocket at all: [messages only](super::messages). Another has [files, and a client that
dials again](super::session)."
)]
