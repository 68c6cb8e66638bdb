//! Pause, resume and cancel over real sockets, from either end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bowline_core::transfer::{Code, Digest, Leftover, SafeName, Stage, TransferId};
use bowline_store::DiskStore;
use bowline_tokio::{Client, ClientConfig, Server, ServerConfig, ServerEvent, Transfer, TransferError};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::timeout;

/// Generous: no test waits for it when all is well.
const LIMIT: Duration = Duration::from_secs(60);
const LEN: usize = 3_000_000;
const ID: TransferId = TransferId::from_bytes([1; 16]);

struct Rig {
    inbox: TempDir,
    mine: TempDir,
    server: Server,
    client: Client,
    events: broadcast::Receiver<ServerEvent>,
}

impl Rig {
    /// Both ends slow enough for a transfer to have a middle.
    async fn new() -> Self {
        let (inbox, mine) = (folder(), folder());
        let mut config = ServerConfig::default();
        config.transfer.limit_rate = Some(2_000_000);
        let store = DiskStore::open(inbox.path(), bowline_store::Config::default()).expect("a store");
        let server = Server::new(store, config);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = listener.local_addr().expect("bound");
        let (events, serving) = (server.events(), server.clone());
        tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
        let client = Client::new(&format!("ws://{address}"), ClientConfig::default()).expect("a URL");
        Self { inbox, mine, server, client, events }
    }

    async fn begin(&self, up: bool) -> Transfer {
        let name = SafeName::parse("file").expect("a safe name");
        let (dir, path) = (if up { &self.mine } else { &self.inbox }, self.place("file"));
        std::fs::write(dir.path().join("file"), contents()).expect("written");
        let begun = if up {
            self.client.upload(&path, name, ID).await
        } else {
            self.client.download(name, &path, ID, false).await
        };
        begun.expect("queued")
    }

    fn place(&self, name: &str) -> PathBuf {
        self.mine.path().join(name)
    }

    fn receiver(&self, up: bool) -> &Path {
        if up { self.inbox.path() } else { self.mine.path() }
    }

    /// What the server says of the end of the only transfer.
    async fn verdict(&mut self) -> ServerEvent {
        loop {
            match timeout(LIMIT, self.events.recv()).await.expect("in time").expect("it lives") {
                ServerEvent::Connected { .. } | ServerEvent::Began { .. } => {}
                other => return other,
            }
        }
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn contents() -> Vec<u8> {
    (0..LEN).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

async fn until(transfer: &Transfer, stage: impl Fn(Stage) -> bool) -> u64 {
    let mut progress = transfer.progress();
    let shown = progress.wait_for(|progress| stage(progress.stage) && progress.received > 0);
    timeout(LIMIT, shown).await.expect("in time").expect("it lives").received
}

#[tokio::test]
async fn either_end_pauses_and_resumes() {
    for (up, client) in [(true, true), (true, false), (false, true), (false, false)] {
        let rig = Rig::new().await;
        let mut transfer = rig.begin(up).await;
        until(&transfer, |stage| stage == Stage::Moving).await;
        if client {
            transfer.pause();
        } else {
            rig.server.pause(ID);
        }
        let paused = Stage::Paused { here: client, there: !client };
        until(&transfer, |stage| stage == paused).await;
        // What is on its way arrives; then nothing does.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = transfer.progress().borrow().received;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(transfer.progress().borrow().received, before);
        assert!(before < LEN as u64, "{before}");
        if client {
            transfer.resume();
        } else {
            rig.server.resume(ID);
        }
        let finished = timeout(LIMIT, transfer.finished()).await.expect("in time").expect("it arrives");
        assert_eq!(finished.digest, Digest::of(&contents()));
        assert_eq!(std::fs::read(rig.receiver(up).join("file")).expect("there"), contents());
    }
}

#[tokio::test]
async fn either_end_cancels_and_the_other_learns_what_is_left() {
    for (up, client) in [(true, true), (true, false), (false, true), (false, false)] {
        for leftover in [Leftover::Keep, Leftover::Discard] {
            let mut rig = Rig::new().await;
            let mut transfer = rig.begin(up).await;
            until(&transfer, |stage| stage == Stage::Moving).await;
            if client {
                transfer.cancel(leftover);
            } else {
                rig.server.cancel(ID, leftover);
            }
            let ended = timeout(LIMIT, transfer.finished()).await.expect("in time");
            let Err(TransferError::Failed(ours)) = ended else { panic!("{ended:?}") };
            let ServerEvent::Failed { failure: theirs, .. } = rig.verdict().await else { panic!("{ours:?}") };
            for (failure, by_peer) in [(ours, !client), (theirs, client)] {
                assert_eq!((failure.code, failure.leftover), (Code::Cancelled, Some(leftover)));
                assert_eq!(failure.by_peer, by_peer);
            }
            let staging = rig.receiver(up).join(".bowline");
            if leftover == Leftover::Discard {
                // The disk is told last.
                let gone = async {
                    while staging.exists() {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                };
                timeout(LIMIT, gone).await.expect("nothing is left");
            } else {
                assert!(staging.exists());
            }
        }
    }
}

#[tokio::test]
async fn a_download_is_begun_anew_after_its_part_was_discarded_without_a_link() {
    let rig = Rig::new().await;
    let transfer = rig.begin(false).await;
    until(&transfer, |stage| stage == Stage::Moving).await;
    rig.client.close().await;
    assert!(rig.mine.path().join(".bowline").exists());
    // Nobody listens there.
    let client = Client::new("ws://127.0.0.1:1", ClientConfig::default()).expect("a URL");
    let name = SafeName::parse("file").expect("a safe name");
    let mut again = client.download(name, &rig.mine.path().join("file"), ID, false).await.expect("queued");
    again.cancel(Leftover::Discard);
    let ended = timeout(LIMIT, again.finished()).await.expect("in time");
    assert!(matches!(ended, Err(TransferError::Failed(failure)) if failure.code == Code::Cancelled));
    client.close().await;
    assert!(!rig.mine.path().join(".bowline").exists());
}
