//! What a server tells of its clients: a line for people, or an object for programs.

use crate::report::json::Line;
use crate::report::{self, print_line};
use crate::units::Size;
use bowline_core::transfer::{Digest, SafeName};
use bowline_tokio::{FileEvent, Peer, ServerEvent};
use std::io::IsTerminal as _;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

/// So many who are turned away are told in so much time; the others are counted. Whoever has no token could fill a disk with
/// lines about him.
const TOLD: u32 = 100;
const WHILE: Duration = Duration::from_secs(1);

pub(super) async fn tell(mut events: broadcast::Receiver<ServerEvent>, json: bool, quiet: bool) {
    let digits = report::digits(std::io::stderr().is_terminal());
    let mut turned_away = Often::default();
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            untold = turned_away.untold() => {
                print_line(&format!("turned away: {untold} more in a second"));
                continue;
            }
        };
        match event {
            Ok(event) if json => line(&event).map_or((), Line::print),
            Ok(event) if !quiet => {
                let is_told = !matches!(event, ServerEvent::Rejected { .. }) || turned_away.is_told();
                if let Some(sentence) = sentence(&event, digits).filter(|_| is_told) {
                    print_line(&sentence);
                }
            }
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => {
                print_line(&format!("{missed} events came too fast to be told"));
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// What may come too often to be told each time.
#[derive(Default)]
struct Often {
    /// When the present while is over.
    until: Option<Instant>,
    count: u32,
}

impl Often {
    /// It has come once more: whether it is told.
    fn is_told(&mut self) -> bool {
        let now = Instant::now();
        if self.until.is_none_or(|until| until <= now && self.count <= TOLD) {
            (self.until, self.count) = (Some(now + WHILE), 0);
        }
        self.count = self.count.saturating_add(1);
        self.count <= TOLD
    }

    /// Waits for the end of a while in which some were not told, and says how many. Cancel-safe.
    async fn untold(&mut self) -> u32 {
        let Some(until) = self.until.filter(|_| self.count > TOLD) else {
            return std::future::pending().await;
        };
        sleep_until(until).await;
        self.until = None;
        self.count - TOLD
    }
}

/// An event for programs.
fn line(event: &ServerEvent) -> Option<Line> {
    Some(match event {
        ServerEvent::Connected { peer } => of(peer, Line::new("connected")),
        ServerEvent::Disconnected { peer, disconnect } => {
            of(peer, Line::new("disconnected")).with("why", disconnect.to_string())
        }
        ServerEvent::Rejected { peer, why } => {
            Line::new("rejected").with("peer", peer.as_str()).with("why", why.as_str())
        }
        ServerEvent::Received(file) => crossed("received", file),
        ServerEvent::Sent(file) => crossed("sent", file),
        ServerEvent::Failed { peer, name, failure } => {
            let line = Line::new("failed").with("name", name.as_ref().map(SafeName::as_str));
            of(peer, line.with("error", failure.to_string()))
        }
        _ => return None,
    })
}

/// Says who it was, and on which of the connections.
fn of(peer: &Peer, line: Line) -> Line {
    let line = line.with("peer", peer.address.as_str()).with("link", peer.link);
    match peer.who.name() {
        "" => line,
        name => line.with("who", name),
    }
}

fn crossed(event: &str, file: &FileEvent) -> Line {
    let line = Line::new(event)
        .with("name", file.name.as_str())
        .with("bytes", file.bytes)
        .with("blake3", file.digest.to_string());
    let line = of(&file.peer, line).with("already_there", file.deduplicated);
    let line = if file.folder { line.with("folder", true) } else { line };
    match &file.batch {
        Some(batch) => {
            line.with("batch", batch.to_string()).with("index", batch.index).with("count", batch.count)
        }
        None => line,
    }
}

/// An event for people: ends of files only, with so many digits of their digests.
fn sentence(event: &ServerEvent, digits: usize) -> Option<String> {
    let shown = |digest: &Digest| digest.to_string()[..digits].to_owned();
    Some(match event {
        // Most were made on the way to a file.
        ServerEvent::Received(file) if file.folder => return None,
        ServerEvent::Received(file) if file.deduplicated => {
            format!("already there: {} ({}), offered by {}", file.name, Size(file.bytes), file.peer)
        }
        ServerEvent::Received(file) => {
            let FileEvent { name, bytes, peer, digest, .. } = file;
            format!("received {name}: {} from {peer}, blake3 {}", Size(*bytes), shown(digest))
        }
        ServerEvent::Sent(file) => {
            let FileEvent { name, bytes, peer, digest, .. } = file;
            format!("sent {name}: {} to {peer}, blake3 {}", Size(*bytes), shown(digest))
        }
        ServerEvent::Failed { peer, name, failure } => {
            let name = name.as_ref().map_or("a transfer", |name| name.as_str());
            format!("not transferred: {name} with {peer}: {failure}")
        }
        ServerEvent::Rejected { peer, why } => format!("turned away: {peer}: {why}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_too_often_is_counted() {
        let mut often = Often::default();
        let told = |often: &mut Often, times: u32| (0..times).filter(|_| often.is_told()).count();
        assert_eq!(told(&mut often, TOLD + 50), TOLD as usize);
        assert_eq!(often.untold().await, 50);
        assert_eq!(told(&mut often, TOLD), TOLD as usize, "a new while");
        assert!(tokio::time::timeout(WHILE * 2, often.untold()).await.is_err(), "all were told");
        assert_eq!(told(&mut often, TOLD), TOLD as usize);
    }
}
