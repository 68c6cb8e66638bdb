//! What a server reports about its clients: a line for people, or an object for programs.

use crate::report::json::Line;
use crate::report::{self, print_line};
use crate::stdout;
use crate::units::Size;
use bowline_core::transfer::{Digest, SafeName};
use bowline_host::server::Often;
use bowline_tokio::{Clock, FileEvent, Peer, ServerEvent};
use std::io::IsTerminal as _;
use tokio::runtime::Handle;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::sleep_until;

/// How many reports may be queued for printing.
const WAITING: usize = 1024;

/// The contents of a line.
enum Told {
    Event(ServerEvent),
    /// This many more were turned away within a second.
    TurnedAway(u32),
    /// This many events were dropped.
    Missed(u64),
}

pub(super) async fn tell(events: broadcast::Receiver<ServerEvent>, json: bool, quiet: bool) {
    // Waking a thread for each file, only to print nothing, would cost more than writing a small file.
    if quiet && !json {
        return;
    }
    let (lines, mut waiting) = mpsc::channel(WAITING);
    // A slow reader must not delay the events.
    let runtime = Handle::current();
    let printing = tokio::task::spawn_blocking(move || {
        let digits = report::digits(std::io::stderr().is_terminal());
        while let Some(told) = waiting.blocking_recv() {
            runtime.block_on(stdout::room());
            print(&told, json, digits);
        }
    });
    hear(events, lines).await;
    let _ = printing.await;
}

/// Receives events, and queues those to report. Clients that are turned away are counted here, and may use only half of
/// the queue: however many they are, and however slow the reader is, there is room for what happens to files.
async fn hear(mut events: broadcast::Receiver<ServerEvent>, lines: mpsc::Sender<Told>) {
    let (clock, mut turned_away, mut missed) = (Clock::start(), Often::default(), 0);
    let kept = lines.max_capacity() / 2;
    loop {
        let told = tokio::select! {
            event = events.recv() => match event {
                Ok(ServerEvent::Rejected { .. }) if !turned_away.is_told(clock.now()) => continue,
                Ok(event) => Some(Told::Event(event)),
                Err(RecvError::Lagged(more)) => {
                    missed += more;
                    None
                }
                Err(RecvError::Closed) => break,
            },
            untold = untold(clock, &mut turned_away) => Some(Told::TurnedAway(untold)),
        };
        if missed > 0 && lines.capacity() > kept && lines.try_send(Told::Missed(missed)).is_ok() {
            missed = 0;
        }
        let Some(told) = told else { continue };
        let (count, has_place) = (told.count(), told.is_of_files() || lines.capacity() > kept);
        if !has_place || lines.try_send(told).is_err() {
            missed += count;
        }
    }
    let untold = turned_away.handle_end().map(Told::TurnedAway);
    let missed = Some(missed).filter(|missed| *missed > 0).map(Told::Missed);
    for told in [untold, missed].into_iter().flatten() {
        // If nobody receives it, the command has ended.
        let _ = lines.send(told).await;
    }
}

impl Told {
    fn is_of_files(&self) -> bool {
        matches!(self, Self::Event(event) if !matches!(event, ServerEvent::Rejected { .. }))
    }

    /// How many events it reports.
    fn count(&self) -> u64 {
        match self {
            Self::Event(_) => 1,
            Self::TurnedAway(more) => (*more).into(),
            Self::Missed(missed) => *missed,
        }
    }
}

fn print(told: &Told, json: bool, digits: usize) {
    match told {
        Told::Event(event) if json => line(event).map_or((), Line::print),
        Told::TurnedAway(more) if json => Line::new("rejected_more").with("count", *more).print(),
        Told::Event(event) => sentence(event, digits).map_or((), |sentence| print_line(&sentence)),
        Told::TurnedAway(more) => print_line(&format!("turned away: {more} more in a second")),
        Told::Missed(missed) => print_line(&format!("{missed} events came too fast to be reported")),
    }
}

/// Waits for the end of a period in which some were not reported, and returns how many. Cancel-safe.
async fn untold(clock: Clock, turned_away: &mut Often) -> u32 {
    loop {
        match turned_away.poll_timeout() {
            Some(end) => sleep_until(clock.deadline(end)).await,
            None => std::future::pending().await,
        }
        if let Some(untold) = turned_away.handle_timeout(clock.now()) {
            return untold;
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
        ServerEvent::Listed { peer, name, bytes } => {
            let line = Line::new("listed").with("name", name.as_ref().map(SafeName::as_str));
            of(peer, line.with("bytes", *bytes))
        }
        ServerEvent::Failed { peer, name, listing, failure } => {
            let line = Line::new("failed").with("name", name.as_ref().map(SafeName::as_str));
            let line = if *listing { line.with("listing", true) } else { line };
            of(peer, line.with("error", failure.to_string()))
        }
        _ => return None,
    })
}

/// Adds who it was, and on which connection.
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

/// An event for people: only ends of files, with this many digits of their digests.
fn sentence(event: &ServerEvent, digits: usize) -> Option<String> {
    let shown = |digest: &Digest| digest.to_string()[..digits].to_owned();
    Some(match event {
        // Most folders were created along the way to a file.
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
        ServerEvent::Listed { peer, name, .. } => {
            format!("listed {} for {peer}", listed(name.as_ref()))
        }
        ServerEvent::Failed { peer, name, listing: true, failure } => {
            format!("not listed: {} for {peer}: {failure}", listed(name.as_ref()))
        }
        ServerEvent::Failed { peer, name, failure, .. } => {
            let name = name.as_ref().map_or("a transfer", |name| name.as_str());
            format!("not transferred: {name} with {peer}: {failure}")
        }
        ServerEvent::Rejected { peer, why } => format!("turned away: {peer}: {why}"),
        _ => return None,
    })
}

/// What a client wants a listing of.
fn listed(name: Option<&SafeName>) -> &str {
    name.map_or("all that there is", SafeName::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> ServerEvent {
        ServerEvent::Rejected { peer: "peer".into(), why: "no token".into() }
    }

    #[tokio::test]
    async fn events_are_not_received_if_none_are_to_be_shown() {
        let (server, events) = broadcast::channel(1);
        tell(events, false, true).await;
        assert_eq!(server.receiver_count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_take_no_place_from_other_events() {
        let (tell, events) = broadcast::channel(WAITING);
        let (lines, mut waiting) = mpsc::channel(WAITING);
        let hearing = tokio::spawn(hear(events, lines));
        for _ in 0..10 * WAITING {
            tell.send(refused()).expect("it is heard");
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(2 * Often::WHILE).await;
        drop(tell);
        hearing.await.expect("no panic");
        let (mut told, mut more) = (0, 0);
        while let Some(line) = waiting.recv().await {
            match line {
                Told::Event(_) => told += 1,
                Told::TurnedAway(count) => more += count,
                Told::Missed(missed) => panic!("{missed} were missed"),
            }
        }
        assert_eq!((told, more as usize), (Often::TOLD, 10 * WAITING - Often::TOLD as usize));
    }

    #[tokio::test(start_paused = true)]
    async fn events_of_files_keep_their_place_while_nobody_reads() {
        let (tell, events) = broadcast::channel(WAITING);
        let (lines, mut waiting) = mpsc::channel(WAITING);
        let hearing = tokio::spawn(hear(events, lines.clone()));
        let (whiles, each) = (30, 2 * Often::TOLD);
        for _ in 0..whiles {
            for _ in 0..each {
                tell.send(refused()).expect("it is heard");
            }
            tokio::time::sleep(2 * Often::WHILE).await;
        }
        assert!(lines.capacity() > WAITING / 4, "for what happens to files");
        drop((tell, lines));
        let mut refusals = 0;
        while let Some(line) = waiting.recv().await {
            refusals += line.count();
        }
        hearing.await.expect("no panic");
        assert_eq!(refusals, u64::from(whiles * each), "none is uncounted");
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_of_the_last_second_are_reported_too() {
        let (tell, events) = broadcast::channel(WAITING);
        let (lines, mut waiting) = mpsc::channel(WAITING);
        for _ in 0..Often::TOLD + 3 {
            tell.send(refused()).expect("it is heard");
        }
        drop(tell);
        hear(events, lines).await;
        let mut last = None;
        while let Some(line) = waiting.recv().await {
            last = Some(line);
        }
        assert!(matches!(last, Some(Told::TurnedAway(3))));
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_were_missed_are_counted_at_the_end_too() {
        let (tell, events) = broadcast::channel(WAITING);
        let (lines, mut waiting) = mpsc::channel(1);
        for _ in 0..3 {
            tell.send(refused()).expect("it is heard");
        }
        drop(tell);
        tokio::spawn(hear(events, lines));
        assert!(matches!(waiting.recv().await, Some(Told::Event(_))));
        assert!(matches!(waiting.recv().await, Some(Told::Missed(2))));
    }
}
