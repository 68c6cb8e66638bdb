//! What a server writes to its log: a few lines in the life of each connection, all with its number and the name of its
//! token. Never a token, nor the id of a transfer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_core::Instant;
use bowline_core::transfer::SafeName;
use bowline_host::server::{FileEvent, Often, Peer};
use tokio::time::sleep_until;
use tracing::{debug, info};

use super::ServerEvent;
use crate::clock::Clock;

/// The log of a server. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Log {
    turned_away: Arc<Mutex<Often>>,
    clock: Clock,
}

impl Log {
    pub(super) fn new(clock: Clock) -> Self {
        Self { turned_away: Arc::default(), clock }
    }

    pub(super) fn tell(&self, event: &ServerEvent) {
        match event {
            ServerEvent::Rejected { peer, why } => self.tell_rejected(peer, why),
            event => log(event),
        }
    }

    fn tell_rejected(&self, peer: &str, why: &str) {
        let mut turned_away = self.turned_away();
        let before = turned_away.poll_timeout();
        let is_told = turned_away.is_told(self.clock.now());
        let after = turned_away.poll_timeout();
        drop(turned_away);
        if is_told {
            info!(address = peer, why, "turned away");
        }
        // The first event that is not logged starts a task that will log the number.
        if let (None, Some(end)) = (before, after) {
            tokio::spawn(self.clone().tell_untold_at(end));
        }
    }

    async fn tell_untold_at(self, end: Instant) {
        sleep_until(self.clock.deadline(end)).await;
        let untold = self.turned_away().handle_timeout(self.clock.now());
        tell_untold(untold);
    }

    /// Logs now what would be logged later: the process may be gone by then.
    pub(super) fn handle_end(&self) {
        let untold = self.turned_away().handle_end();
        tell_untold(untold);
    }

    fn turned_away(&self) -> MutexGuard<'_, Often> {
        self.turned_away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell_untold(untold: Option<u32>) {
    if let Some(count) = untold {
        info!(count, "more were turned away in a second");
    }
}

fn log(event: &ServerEvent) {
    match event {
        ServerEvent::Connected { peer } => {
            let Peer { link, address, .. } = peer;
            info!(link, who = who(peer), address, "connected");
        }
        ServerEvent::Disconnected { peer, disconnect } => {
            info!(link = peer.link, who = who(peer), why = %disconnect, "disconnected");
        }
        ServerEvent::Began { peer, name, .. } => {
            debug!(link = peer.link, who = who(peer), name = name.as_ref().map(SafeName::as_str), "began");
        }
        ServerEvent::Received(file) => log_file(file, "received"),
        ServerEvent::Sent(file) => log_file(file, "sent"),
        ServerEvent::Listed { peer, name, bytes } => {
            let name = name.as_ref().map(SafeName::as_str);
            info!(link = peer.link, who = who(peer), name, bytes, "listed");
        }
        ServerEvent::Failed { peer, name, listing, failure } => {
            let (link, who) = (peer.link, who(peer));
            let name = name.as_ref().map(SafeName::as_str);
            let message = if *listing { "not listed" } else { "not transferred" };
            info!(link, who, name, code = %failure.code, why = %failure, "{message}");
        }
        event => debug!(?event, "server"),
    }
}

fn log_file(file: &FileEvent, message: &'static str) {
    let FileEvent { peer, name, bytes, digest, deduplicated, .. } = file;
    let (link, who, name) = (peer.link, who(peer), name.as_str());
    info!(link, who, name, bytes, blake3 = %digest, already_there = deduplicated, "{message}");
}

/// The name of the token, if it has one.
fn who(peer: &Peer) -> Option<&str> {
    Some(peer.who.name()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::server;
    use crate::server::{ServerConfig, TcpListener};
    use std::fs;

    /// What is logged while this runs.
    fn log_of(what: impl Future<Output = ()>) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        let to = Mutex::new(file.reopen().unwrap());
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(to).finish();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        tracing::subscriber::with_default(subscriber, || runtime.block_on(what));
        fs::read_to_string(file.path()).unwrap()
    }

    fn turned_away(peer: &str) -> ServerEvent {
        ServerEvent::Rejected { peer: peer.into(), why: "no token".into() }
    }

    #[test]
    fn some_of_many_refusals_are_logged_and_the_others_are_counted() {
        let log = log_of(flood());
        let told = |words: &str| log.lines().filter(|line| line.contains(words)).count();
        assert_eq!(told("turned away address=\"peer\" why=\"no token\""), 2 * Often::TOLD as usize, "{log}");
        let more = "more were turned away in a second count=";
        assert_eq!((told(more), told(&format!("{more}250")), told(&format!("{more}1"))), (2, 1, 1), "{log}");
    }

    /// Two intervals with too many events, and one in which all of them are logged.
    async fn flood() {
        let log = Log::new(Clock::start());
        for more in [250, 1] {
            for _ in 0..Often::TOLD + more {
                log.tell(&turned_away("peer"));
            }
            tokio::time::sleep(2 * Often::WHILE).await;
        }
        log.tell(&turned_away("another"));
        tokio::time::sleep(2 * Often::WHILE).await;
    }

    #[test]
    fn a_server_that_ends_logs_the_refusals_of_its_last_second() {
        let log = log_of(async {
            let (server, _inbox) = server(ServerConfig::default());
            for _ in 0..Often::TOLD + 7 {
                server.tell(turned_away("peer"));
            }
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            server.serve(listener, async {}).await.unwrap();
        });
        assert!(log.contains("more were turned away in a second count=7"), "{log}");
    }
}
