//! What a server tells of its clients: a line for people, or an object for programs.

use crate::report::json::Line;
use crate::report::{self, print_line};
use crate::units::Size;
use bowline_core::transfer::{Digest, SafeName};
use bowline_tokio::{FileEvent, Peer, ServerEvent};
use std::io::IsTerminal as _;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

pub(super) async fn tell(mut events: broadcast::Receiver<ServerEvent>, json: bool, quiet: bool) {
    let digits = report::digits(std::io::stderr().is_terminal());
    loop {
        match events.recv().await {
            Ok(event) if json => line(&event).map_or((), Line::print),
            Ok(event) if !quiet => {
                if let Some(sentence) = sentence(&event, digits) {
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
