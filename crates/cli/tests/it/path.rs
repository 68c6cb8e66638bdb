//! A server that only echoes, and a path to it that does not tolerate everything.

use bowline_blocking::{Listener, WebSocket, accept};
use bowline_core::Close;
use bowline_core::closing::CloseCode;
use bowline_core::connection::Config;
use bowline_core::heartbeat::Mode;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A server that echoes, sends nothing by itself, and accepts messages of up to 100 KiB.
pub(crate) fn echo() -> SocketAddr {
    serve(|mut socket| {
        while let Ok(message) = socket.receive() {
            let _ = socket.send(message);
        }
    })
}

/// A server that echoes nothing, and closes a connection on which nothing has arrived for this long.
pub(crate) fn closing_after(silence: Duration) -> SocketAddr {
    serve(move |mut socket| {
        let (mut bytes, mut since) = (0, Instant::now());
        while socket.receive_timeout(Duration::from_millis(50)).is_ok() {
            let received = socket.stats().bytes_received;
            if received != bytes {
                (bytes, since) = (received, Instant::now());
            } else if since.elapsed() >= silence {
                let _ = socket.close(Close::new(CloseCode::GOING_AWAY, "idle").expect("a short reason"));
                socket.ended();
            }
        }
    })
}

/// A server that shakes hands, and then never sends anything.
pub(crate) fn mute() -> SocketAddr {
    serve(|_socket| thread::sleep(Duration::MAX))
}

fn serve(talk: impl Fn(WebSocket<TcpStream>) + Send + Sync + 'static) -> SocketAddr {
    let listener = Listener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        listener.serve(move |stream, _| {
            let mut config = Config::default();
            config.heartbeat.mode = Mode::Off;
            config.limits.message = Some(100 << 10);
            let accepted =
                accept::accept(stream, &accept::Config::default(), |_, _| accept::Decision::accept());
            if let Ok(accepted) = accepted {
                talk(WebSocket::server(accepted, config).expect("random bytes"));
            }
        })
    });
    address
}

/// What a relay does to a connection when its time has come.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Fin,
    /// It carries nothing any longer, and tells nobody.
    BlackHole,
}

/// What decides that the time has come.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    Silence(Duration),
    Age(Duration),
}

/// A path to this server that ends connections.
pub(crate) fn relay(server: SocketAddr, limit: Limit, end: End) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let Ok(far) = TcpStream::connect(server) else { continue };
            let again = |stream: &TcpStream| stream.try_clone().expect("a handle");
            let last = Arc::new(Mutex::new(Some(Instant::now())));
            for (from, to) in [(again(&near), again(&far)), (again(&far), again(&near))] {
                let last = Arc::clone(&last);
                thread::spawn(move || carry(from, to, &last));
            }
            thread::spawn(move || watch(&[near, far], &last, limit, end));
        }
    });
    url
}

/// Relays bytes, and records when the last ones arrived.
fn carry(mut from: TcpStream, mut to: TcpStream, last: &Mutex<Option<Instant>>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        match &mut *last.lock().expect("no panic") {
            Some(last) => *last = Instant::now(),
            None => continue,
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn watch(streams: &[TcpStream; 2], last: &Mutex<Option<Instant>>, limit: Limit, end: End) {
    let born = Instant::now();
    loop {
        thread::sleep(Duration::from_millis(10));
        let mut last = last.lock().expect("no panic");
        let is_over = match limit {
            Limit::Silence(most) => last.is_none_or(|last| last.elapsed() >= most),
            Limit::Age(most) => born.elapsed() >= most,
        };
        if is_over {
            *last = None;
            if let End::Fin = end {
                for stream in streams {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
            return;
        }
    }
}
