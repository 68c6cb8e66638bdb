//! What an idle connection costs: counted by the allocator, and therefore a test binary of its own.
#![allow(unsafe_code, missing_docs, clippy::cast_possible_wrap)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Duration;

use bowline_core::Message;
use bowline_core::connection::{Config, Event};
use bowline_tokio::{Clock, Driver};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes in use.
static USED: AtomicIsize = AtomicIsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; counting does not affect it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        USED.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A connection that has sent and received, and waits for more.
async fn idle(listener: &TcpListener) -> (Driver<TcpStream>, TcpStream) {
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (near, mut far) = (near.unwrap(), far.unwrap().0);
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_millis(10);
    let mut driver = Driver::client(near, &[], config, Clock::start()).unwrap();

    far.write_all(b"\x82\x7f\x00\x00\x00\x00\x00\x03\x0d\x40").await.unwrap();
    let now = driver.now();
    driver.conn_mut().send(now, Message::binary(vec![1; 100_000])).unwrap();
    let mut large = vec![2; 200_000];
    let peer = async {
        far.write_all(&large.clone()).await.unwrap();
        far.read_exact(&mut large[..100_000]).await.unwrap();
    };
    let own = async {
        loop {
            match driver.conn_mut().poll_event() {
                Some(Event::Message(message)) => {
                    assert_eq!(message.len(), 200_000);
                    return driver.conn().stats().pings;
                }
                Some(_) => {}
                None => driver.drive().await,
            }
        }
    };
    let ((), pings) = tokio::join!(peer, own);
    // Memory for sending is freed when the heartbeat finds nothing going on.
    while driver.conn().stats().pings == pings {
        driver.drive().await;
    }
    // Memory that is lent for reading is freed when nothing arrives.
    far.write_all(b"\x8a\x00").await.unwrap();
    let received = driver.conn().stats().bytes_received;
    while driver.conn().stats().bytes_received == received {
        driver.drive().await;
    }
    // The next ping may be due already.
    while driver.drive().now_or_never().is_some() {}
    (driver, far)
}

#[tokio::test]
async fn an_idle_connection_owns_no_buffers() {
    const CONNECTIONS: isize = 16;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // What is allocated once for all connections.
    let _first = idle(&listener).await;

    let mut connections = Vec::with_capacity(CONNECTIONS as usize);
    let before = USED.load(Ordering::Relaxed);
    for _ in 0..CONNECTIONS {
        connections.push(idle(&listener).await);
    }
    let heap = (USED.load(Ordering::Relaxed) - before) / CONNECTIONS;
    let state = size_of::<Driver<TcpStream>>() as isize;
    assert!(state + heap < 4 << 10, "{state} bytes, and {heap} on the heap for both ends of the socket");
}
