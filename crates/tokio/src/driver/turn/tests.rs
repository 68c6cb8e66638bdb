use super::*;
use crate::clock::Clock;
use crate::driver::{Driver, scratch};
use bowline_core::Message;
use bowline_core::connection::{Config, Event};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::coop::poll_proceed;

/// How many bytes a connection moves before it yields.
fn turn(turns: &mut Turns) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    let mut moved = 0;
    while turns.poll_begin(&mut cx).is_ready() {
        turns.handle_moved(SHORT / 4);
        moved += SHORT / 4;
    }
    moved
}

/// Drives another connection.
fn meet_another() {
    let _ = Turns::new().poll_begin(&mut Context::from_waker(Waker::noop()));
}

#[test]
fn a_connection_that_is_alone_has_long_turns() {
    assert_eq!(turn(&mut Turns::new()), LONG);
}

#[test]
fn a_connection_that_is_alone_again_yields_less_and_less_often() {
    let mut turns = Turns::new();
    meet_another();
    let lengths: Vec<_> = (0..9).map(|_| turn(&mut turns) / SHORT).collect();
    assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
}

#[test]
fn in_a_crowd_all_have_the_same_short_turn() {
    let (mut old, mut new) = (Turns::new(), Turns::new());
    assert_eq!(turn(&mut old), LONG);
    for _ in 0..3 {
        assert_eq!(turn(&mut new), SHORT);
        assert_eq!(turn(&mut old), SHORT);
    }
    assert_eq!(old.direction(), SHORT);
}

/// A peer that sends messages of a mebibyte without end and takes whatever arrives, at the same cost to the budget as a
/// socket. It counts the bytes in both directions.
struct Flood {
    sent: usize,
    moved: Arc<AtomicUsize>,
}

const MESSAGE: usize = 1 << 20;
const HEADER: [u8; 10] = [0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 0];

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(poll_proceed(cx)).made_progress();
        self.moved.fetch_add(buffer.remaining(), Ordering::Relaxed);
        while buffer.remaining() > 0 {
            let place = self.sent % (HEADER.len() + MESSAGE);
            let piece = match HEADER.get(place..) {
                Some(rest) if !rest.is_empty() => rest,
                _ => &[0; 1 << 10][..(HEADER.len() + MESSAGE - place).min(1 << 10)],
            };
            let piece = &piece[..piece.len().min(buffer.remaining())];
            buffer.put_slice(piece);
            self.sent += piece.len();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(poll_proceed(cx)).made_progress();
        self.moved.fetch_add(bytes.len(), Ordering::Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Receives everything that arrives, and records the longest turn.
async fn take_all(moved: Arc<AtomicUsize>, longest: Arc<AtomicUsize>) {
    let flood = Flood { sent: 0, moved };
    let mut driver = Driver::client(flood, &[], Config::default(), Clock::start()).unwrap();
    let mut since = 0;
    loop {
        poll_fn(|cx| {
            let polled = driver.poll_drive(cx);
            if polled.is_pending() {
                let sent = driver.stream().unwrap().sent;
                longest.fetch_max(sent - since, Ordering::Relaxed);
                since = sent;
            }
            polled
        })
        .await;
        while driver.conn_mut().poll_event().is_some() {}
    }
}

#[tokio::test]
async fn a_small_message_waits_for_one_short_turn_of_each_connection() {
    const CROWD: usize = 10;
    let (moved, longest) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    meet_another();
    for _ in 0..CROWD {
        tokio::spawn(take_all(Arc::clone(&moved), Arc::clone(&longest)));
    }
    let (stream, mut peer) = tokio::io::duplex(1 << 10);
    let mut driver = Driver::client(stream, &[], Config::default(), Clock::start()).unwrap();
    let now = Arc::clone(&moved);
    let small = tokio::spawn(async move {
        loop {
            driver.drive().await;
            while let Some(event) = driver.conn_mut().poll_event() {
                if let Event::Message(_) = event {
                    return now.load(Ordering::Relaxed);
                }
            }
        }
    });
    // Each of them is in the middle of a large message.
    while moved.load(Ordering::Relaxed) < 40 * CROWD * SHORT {
        tokio::task::yield_now().await;
    }
    let before = moved.load(Ordering::Relaxed);
    peer.write_all(&[0x81, 2, b'h', b'i']).await.unwrap();
    let others = small.await.unwrap() - before;
    assert!(0 < others && others <= CROWD * SHORT, "{others} bytes of others went first");
    let longest = longest.load(Ordering::Relaxed);
    // A turn may begin with a small read, and continue when its owner has looked at that.
    assert!(longest <= SHORT + scratch::LEN, "{longest} bytes in one turn");
}

#[tokio::test]
async fn a_connection_that_only_writes_yields_too() {
    let moved = Arc::new(AtomicUsize::new(0));
    let (stream, _silent) = tokio::io::duplex(1);
    let (silent, _) = tokio::io::split(stream);
    let sink = tokio::io::join(silent, Flood { sent: 0, moved: Arc::clone(&moved) });
    let mut driver = Driver::client(sink, &[], Config::default(), Clock::start()).unwrap();
    meet_another();
    let first_turn = poll_fn(|cx| {
        loop {
            let now = driver.now();
            while driver.conn().room() > 0 {
                driver.conn_mut().send(now, Message::binary(vec![0; 16 << 10])).unwrap();
            }
            let moved = moved.load(Ordering::Relaxed);
            if driver.poll_drive(cx).is_pending() || moved > LONG {
                return Poll::Ready(moved);
            }
        }
    });
    let moved = first_turn.await;
    assert!((SHORT..3 * SHORT).contains(&moved), "{moved} bytes");
}
