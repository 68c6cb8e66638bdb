//! Drivers on streams that break, hold back, accept no more, or are called too often.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bowline_core::closing::Kind;
use bowline_core::connection::Event;
use bowline_core::{Close, CloseCode, Message};
use bowline_tokio::{Clock, Driver, WebSocket};
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, DuplexStream, ReadBuf};
use tokio::task::coop;

use crate::common::{PIPE, client, config, drain, event, quiet};

/// A stream whose reads return some bytes, and an end or none, and whose writes fail with this error.
struct Broken {
    bytes: &'static [u8],
    ends: bool,
    error: io::ErrorKind,
}

impl Broken {
    fn with(bytes: &'static [u8]) -> Self {
        Self { bytes, ends: false, error: io::ErrorKind::BrokenPipe }
    }
}

impl AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.bytes.is_empty() && !self.ends {
            return Poll::Pending;
        }
        Pin::new(&mut self.bytes).poll_read(cx, buf)
    }
}

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(self.error.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_write_the_peers_last_words_are_read() {
    let stream = Broken::with(b"\x81\x02hi\x88\x06\x03\xf3full");
    let mut client = Driver::client(stream, &[], config(), Clock::start()).unwrap();
    let now = client.now();
    client.conn_mut().send(now, Message::text("hello")).unwrap();
    // Whichever comes first, the write or the read.
    assert!(client.poll_flush(&mut Context::from_waker(Waker::noop())).is_ready());
    let (messages, disconnect) = drain(&mut client).await;
    assert_eq!(messages, [Message::text("hi")]);
    assert_eq!(disconnect.received(), Some(&Close::new(CloseCode::INTERNAL_ERROR, "full").unwrap()));
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_write_reading_ends_soon() {
    let mut client = Driver::client(Broken::with(b""), &[], config(), Clock::start()).unwrap();
    let now = client.now();
    client.conn_mut().send(now, Message::text("hello")).unwrap();
    let (_, disconnect) = drain(&mut client).await;
    assert_eq!(disconnect.kind(), Kind::WriteError);
    assert_eq!(client.now() - now, Duration::from_secs(1));
}

/// The system reports a reset only once: a read after that finds nothing but the end.
#[tokio::test(start_paused = true)]
async fn a_reset_that_a_write_was_told_of_is_reported_as_one() {
    for (error, kind) in
        [(io::ErrorKind::ConnectionReset, Kind::Reset), (io::ErrorKind::BrokenPipe, Kind::Eof)]
    {
        let stream = Broken { bytes: b"", ends: true, error };
        let mut client = Driver::client(stream, &[], config(), Clock::start()).unwrap();
        let now = client.now();
        client.conn_mut().send(now, Message::text("hello")).unwrap();
        assert!(client.poll_flush(&mut Context::from_waker(Waker::noop())).is_ready());
        let (_, disconnect) = drain(&mut client).await;
        assert_eq!(disconnect.kind(), kind, "{disconnect}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_holds_bytes_back_is_flushed() {
    let (near, far) = tokio::io::duplex(PIPE);
    let clock = Clock::start();
    let mut client = Driver::client(BufStream::new(near), &[], config(), clock).unwrap();
    let mut server = Driver::server(BufStream::new(far), &[], config(), clock).unwrap();
    let now = client.now();
    client.conn_mut().send(now, Message::text("hello")).unwrap();
    tokio::select! {
        event = event(&mut server) => assert_eq!(event, Event::Message(Message::text("hello"))),
        _ = drain(&mut client) => unreachable!("nothing ends here"),
    }
    assert_eq!(now, client.now(), "nothing had to time out");
    client.conn_mut().close(now, Close::normal()).unwrap();
    let (at_client, _) = tokio::join!(drain(&mut client), drain(&mut server));
    assert_eq!(at_client.1.kind(), Kind::Clean);
    assert_eq!(now, client.now(), "nothing had to time out");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_takes_no_more_is_reported_once() {
    let (mut client, mut peer) = client(quiet());
    let now = client.now();
    client.conn_mut().send(now, Message::binary(vec![0; 1 << 20])).unwrap();
    let lasted = Duration::from_secs(1);
    assert_eq!(event(&mut client).await, Event::WriteBlocked { lasted });
    for _ in 0..9 {
        assert!(tokio::time::timeout(Duration::from_secs(1), event(&mut client)).await.is_err());
    }
    assert_eq!(client.conn().stats().blocked, 1);

    peer.read_exact(&mut [0; 1000]).await.unwrap();
    let lasted = Duration::from_secs(10);
    assert_eq!(event(&mut client).await, Event::Unblocked { lasted });
    assert_eq!(client.conn().stats().blocked, 2);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_used_up_its_budget_does_not_blame_the_stream() {
    let (near, _far) = tokio::io::duplex(64 << 20);
    let mut client = Driver::client(near, &[], quiet(), Clock::start()).unwrap();
    let now = client.now();
    client.conn_mut().send(now, Message::binary(vec![0; 32 << 20])).unwrap();
    poll_fn(|cx| client.poll_flush(cx)).await;
    assert_eq!(client.conn().queued(), 0);
    assert_eq!(client.conn().stats().blocked, 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_used_up_its_budget_does_not_judge_silence() {
    let (mut client, mut peer) = client(config());
    // A ping leaves after 20 s and would be due for the last time after 40 s.
    assert!(tokio::time::timeout(Duration::from_secs(30), event(&mut client)).await.is_err());
    assert_eq!(client.conn().stats().pings, 1);
    peer.write_all(b"\x81\x02hi").await.unwrap();
    tokio::time::advance(Duration::from_secs(10)).await;

    poll_fn(|cx| {
        while coop::has_budget_remaining() {
            if let Poll::Ready(progress) = coop::poll_proceed(cx) {
                progress.made_progress();
            }
        }
        let _ = client.poll_drive(cx);
        Poll::Ready(())
    })
    .await;
    assert!(!client.is_over());
    assert_eq!(event(&mut client).await, Event::Message(Message::text("hi")));
}

/// Also if the owner was away for a while, and what it sends is more than fits into one turn.
#[tokio::test(start_paused = true)]
async fn bytes_that_the_stream_can_take_have_left_when_a_send_returns() {
    const LEN: usize = 4 << 20;
    let (near, mut far) = tokio::io::duplex(8 << 20);
    let mut socket =
        WebSocket::new(Driver::client(near, &[], quiet(), Clock::start()).expect("random bytes"));
    for _ in 0..2 {
        tokio::time::advance(Duration::from_secs(1)).await;
        socket.send(Message::Binary(vec![0; LEN].into())).await.unwrap();
        let mut bytes = vec![0; LEN];
        let read = tokio::time::timeout(Duration::from_secs(1), far.read_exact(&mut bytes)).await;
        assert_eq!(read.expect("all of it is there").unwrap(), LEN);
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_peer_lets_the_owner_have_its_turn() {
    let mut large = quiet();
    large.receive_buffer = 64 << 20;
    let (near, mut far) = tokio::io::duplex(64 << 20);
    let mut client = Driver::client(near, &[], large, Clock::start()).unwrap();
    let frame = [b"\x82\x7e\xff\xff".as_slice(), &vec![0; 65_535]].concat();
    far.write_all(&frame.repeat(100)).await.unwrap();
    client.drive().await;
    client.drive().await;
    let received = client.conn().stats().bytes_received;
    assert!((1 << 20..3 << 20).contains(&received), "{received} bytes in one or two turns");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_everything_lets_the_owner_have_its_turn() {
    const LEN: usize = 32 << 20;
    let (near, _far) = tokio::io::duplex(64 << 20);
    let mut client = Driver::client(near, &[], quiet(), Clock::start()).unwrap();
    let now = client.now();
    client.conn_mut().send(now, Message::binary(vec![0; LEN])).unwrap();
    client.drive().await;
    let sent = LEN - client.conn().queued();
    assert!((1 << 19..2 << 20).contains(&sent), "{sent} bytes in one turn");
}

/// Counts the reads that found something, and those that did not.
struct Counted {
    stream: DuplexStream,
    found: usize,
    waited: usize,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_ready() {
            self.found += 1;
        } else {
            self.waited += 1;
        }
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn counting(pipe: usize) -> (Counted, DuplexStream) {
    let (stream, peer) = tokio::io::duplex(pipe);
    (Counted { stream, found: 0, waited: 0 }, peer)
}

fn counted(pipe: usize) -> (Driver<Counted>, DuplexStream) {
    let (stream, peer) = counting(pipe);
    (Driver::client(stream, &[], quiet(), Clock::start()).unwrap(), peer)
}

fn reads(driver: &Driver<Counted>) -> (usize, usize) {
    let stream = driver.stream().unwrap();
    (stream.found, stream.waited)
}

#[tokio::test(start_paused = true)]
async fn a_small_message_costs_one_read_and_one_to_wait() {
    let (mut client, mut peer) = counted(PIPE);
    for _ in 0..100 {
        assert_eq!(event(&mut client).now_or_never(), None);
        peer.write_all(b"\x81\x02hi").await.unwrap();
        assert_eq!(event(&mut client).await, Event::Message(Message::text("hi")));
    }
    assert_eq!(reads(&client), (100, 101));
}

#[tokio::test(start_paused = true)]
async fn a_large_message_that_is_masked_is_read_in_pieces_that_a_cache_holds() {
    const MIB: usize = 1 << 20;
    let (stream, mut peer) = counting(2 * MIB);
    let mut server = Driver::server(stream, &[], quiet(), Clock::start()).unwrap();
    peer.write_all(b"\x82\xff\0\0\0\0\0\x10\0\0\x01\x02\x03\x04").await.unwrap();
    peer.write_all(&vec![0; MIB]).await.unwrap();
    let Event::Message(message) = event(&mut server).await else { panic!() };
    assert_eq!(message.len(), MIB);
    let (found, _) = reads(&server);
    assert!((32..=35).contains(&found), "{found} reads of 32 KiB");
}

#[tokio::test(start_paused = true)]
async fn large_messages_are_read_with_the_header_of_the_next() {
    const MIB: usize = 1 << 20;
    let (mut client, mut peer) = counted(9 * MIB);
    let frame = [b"\x82\x7f\0\0\0\0\0\x10\0\0".as_slice(), &vec![0; MIB]].concat();
    let send = async {
        for _ in 0..8 {
            peer.write_all(&frame).await.unwrap();
        }
    };
    let receive = async {
        for _ in 0..8 {
            let Event::Message(message) = event(&mut client).await else { panic!() };
            assert_eq!(message.len(), MIB);
        }
    };
    tokio::join!(send, receive);
    let (found, _) = reads(&client);
    assert!((128..=136).contains(&found), "{found} reads of 64 KiB for eight messages");
}
