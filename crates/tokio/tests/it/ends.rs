//! What a sender learns of an end, and what it does not.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bowline_core::closing;
use bowline_core::connection::SendError;
use bowline_core::{Close, Message};
use bowline_tokio::{Clock, Driver, SinkError, Unsent, WebSocket};
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::{Instant, sleep};

use crate::common::{self, in_time, quiet};

/// A stream that accepts a little, then nothing until it breaks. There is never anything to read.
struct Breaking {
    takes: usize,
    /// Whether a flush brings nothing on its way.
    holds: bool,
    breach: Breach,
}

#[derive(Clone, Default)]
struct Breach(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    is_broken: bool,
    waiting: Option<Waker>,
}

impl Breach {
    fn happen(&self) {
        let mut state = self.0.lock().unwrap();
        state.is_broken = true;
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }

    /// An error, when it has happened.
    fn poll(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock().unwrap();
        if state.is_broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        state.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncRead for Breaking {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Breaking {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let n = bytes.len().min(self.takes);
        self.takes -= n;
        if n == 0 { self.breach.poll(cx).map_ok(|()| 0) } else { Poll::Ready(Ok(n)) }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.holds { self.breach.poll(cx) } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn breaking(takes: usize, holds: bool) -> (WebSocket<Breaking>, Breach) {
    let breach = Breach::default();
    let stream = Breaking { takes, holds, breach: breach.clone() };
    (WebSocket::new(Driver::client(stream, &[], quiet(), Clock::start()).unwrap()), breach)
}

/// Nothing happens except a failing write: a second after a write that had to wait, there is an event.
const LATER: Duration = Duration::from_millis(1700);

/// Breaks the stream, and returns how long the work continued after that.
async fn timed<T>(breach: Breach, work: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    let breaking = async {
        sleep(LATER).await;
        breach.happen();
    };
    let work = async { (work.await, start.elapsed()) };
    let ((done, took), ()) = in_time(async { tokio::join!(work, breaking) }).await;
    (done, took.checked_sub(LATER).expect("it waits until then"))
}

fn large() -> Message {
    Message::binary(vec![7; 1 << 20])
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_hears_of_a_failed_write_at_once() {
    let (mut socket, breach) = breaking(1000, false);
    socket.send(large()).await.unwrap();
    let (sent, late) = timed(breach, socket.send(Message::text("more"))).await;
    assert_eq!((sent, late), (Err(SendError::Closing(Message::text("more"))), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_half_of_a_task_that_waits_to_send_hears_of_a_failed_write_at_once() {
    let (socket, breach) = breaking(1000, false);
    let (sender, _receiver) = socket.spawn();
    // The last of them waits for room in the queue.
    let sending = async { while sender.send(large()).await.is_ok() {} };
    assert_eq!(timed(breach, sending).await, ((), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_waits_hears_of_a_failed_write_at_once() {
    let (mut socket, breach) = breaking(1000, false);
    socket.send(large()).await.unwrap();
    assert_eq!(timed(breach, socket.flush()).await, (Err(Unsent::Lost), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn bytes_that_the_stream_took_but_did_not_flush_are_lost_too() {
    let (mut socket, breach) = breaking(1000, true);
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(timed(breach, socket.flush()).await.0, Err(Unsent::Lost));
    assert_eq!(socket.stats().bytes_sent, 2 + 4 + 5);
}

#[tokio::test(start_paused = true)]
async fn a_receiving_half_waits_no_longer_if_the_other_half_found_the_end() {
    let (socket, breach) = breaking(0, false);
    let (mut sink, mut stream) = socket.split();
    let receiving = tokio::spawn(async move {
        let item = stream.next().await;
        (item, Instant::now(), stream)
    });
    sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    breach.happen();
    let _ = sink.send(Message::text("into the void")).await;
    let (item, at, _) = in_time(receiving).await.unwrap();
    assert!(matches!(item, Some(Err(_))), "{item:?}");
    assert_eq!(at - start, closing::Config::default().drain_timeout);
}

fn pair() -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (client, server) = common::pair(quiet(), quiet());
    (WebSocket::new(client), WebSocket::new(server))
}

#[tokio::test(start_paused = true)]
async fn two_halves_forward_until_a_clean_end() {
    let (mut client, server) = pair();
    let (sink, stream) = server.split();
    let echo = tokio::spawn(stream.map_err(|_| unreachable!("a clean end")).forward(sink));
    client.send(Message::text("hello")).await.unwrap();
    assert_eq!(client.receive().await.unwrap(), Message::text("hello"));
    client.close(Close::normal()).unwrap();
    assert_eq!(client.ended().await.to_string(), "sent 1000 (OK); then received 1000 (OK)");
    assert_eq!(in_time(echo).await.unwrap(), Ok::<(), SinkError>(()));
}

#[tokio::test(start_paused = true)]
async fn a_flush_after_a_clean_end_succeeds() {
    let (mut client, mut server) = pair();
    client.send(Message::text("hello")).await.unwrap();
    client.close(Close::normal()).unwrap();
    in_time(async { tokio::join!(client.ended(), server.ended()) }).await;
    assert_eq!((client.flush().await, server.flush().await), (Ok(()), Ok(())));
    assert_eq!(SinkExt::close(&mut client).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_flush_after_an_end_that_lost_messages_says_so() {
    let (mut client, server) = pair();
    client.send(large()).await.unwrap();
    drop(server);
    in_time(client.ended()).await;
    assert_eq!(client.flush().await, Err(Unsent::Lost));
}
