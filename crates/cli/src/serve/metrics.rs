//! An address at which Prometheus finds the server's metrics.

use bowline_host::accept::Failures;
use bowline_host::server::Figures;
use bowline_tokio::Server;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// How long a request and its answer may take together.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest request head that is read.
const LONGEST: usize = 8 * 1024;
/// How many requests are answered at once.
const ANSWERS: usize = 8;
/// How many connections may wait without having sent a request.
const SILENT: usize = 64;

/// Answers requests until it is dropped. A connection without a request makes room for later ones.
pub(super) async fn answer(listener: TcpListener, server: Server) {
    let places = Arc::new(Semaphore::new(ANSWERS));
    let mut tasks = JoinSet::new();
    let mut silent: VecDeque<(AbortHandle, Arc<AtomicBool>)> = VecDeque::new();
    let mut failures = Failures::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                sleep(failures.pause(&error)).await;
                continue;
            }
        };
        failures.clear();
        while tasks.try_join_next().is_some() {}
        silent.retain(|(task, has_asked)| !task.is_finished() && !has_asked.load(Ordering::Relaxed));
        if silent.len() == SILENT {
            silent.pop_front().into_iter().for_each(|(task, _)| task.abort());
        }
        let (server, places, has_asked) = (server.clone(), Arc::clone(&places), Arc::default());
        let asked = Arc::clone(&has_asked);
        // A client that goes away needs no answer.
        let task =
            tasks.spawn(async move { drop(timeout(PATIENCE, serve(stream, server, &places, &asked)).await) });
        silent.push_back((task, has_asked));
    }
}

async fn serve(
    mut stream: TcpStream,
    server: Server,
    places: &Semaphore,
    has_asked: &AtomicBool,
) -> io::Result<()> {
    let Some(head) = read_head(&mut stream).await? else { return Ok(()) };
    // Until it gets a place, a client counts as one without a request.
    let Ok(_place) = places.acquire().await else { return Ok(()) };
    has_asked.store(true, Ordering::Relaxed);
    let (status, kind, body) = match asked(&head) {
        Asked::Figures => {
            // Looks at the disk.
            let figures = tokio::task::spawn_blocking(move || server.figures()).await;
            match figures {
                Ok(figures) => ("200 OK", Figures::CONTENT_TYPE, figures.prometheus()),
                Err(_) => ("500 Internal Server Error", "text/plain", "no figures\n".into()),
            }
        }
        Asked::Elsewhere => ("404 Not Found", "text/plain", "the figures are at /metrics\n".into()),
        Asked::Otherwise => ("405 Method Not Allowed", "text/plain", "only GET is answered\n".into()),
        Asked::Nonsense => ("400 Bad Request", "text/plain", "this is not HTTP\n".into()),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    // RFC 9110 §9.3.2: no body, and the same head as with one.
    if !head.starts_with(b"HEAD ") {
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}

/// The head of a request; `None` if it has no end.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::with_capacity(1024);
    while head.len() < LONGEST {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Figures,
    Elsewhere,
    Otherwise,
    Nonsense,
}

fn asked(head: &[u8]) -> Asked {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<_> = line.split(|byte| *byte == b' ').collect();
    match words[..] {
        [method, target, version] if version.starts_with(b"HTTP/1.") => {
            let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
            match (method, path) {
                (b"GET", b"/metrics") => Asked::Figures,
                (b"GET", _) => Asked::Elsewhere,
                _ => Asked::Otherwise,
            }
        }
        _ => Asked::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_figures_are_there() {
        for (head, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", Asked::Figures),
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", Asked::Figures),
            ("GET / HTTP/1.1\r\n\r\n", Asked::Elsewhere),
            ("POST /metrics HTTP/1.1\r\n\r\n", Asked::Otherwise),
            ("GET /metrics\r\n\r\n", Asked::Nonsense),
            ("\r\n\r\n", Asked::Nonsense),
        ] {
            assert_eq!(asked(head.as_bytes()), expected, "{head}");
        }
    }
}
