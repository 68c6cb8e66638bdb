//! Pause, resume and cancel over real sockets, from either end; and what a transfer that is kept holds on to.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use bowline_core::transfer::{Code, Digest, Leftover, Stage, TransferId};
use bowline_host::client::ClientConfig;
use bowline_host::server::{ServerConfig, ServerEvent};
use bowline_host::transfer::TransferError;
use tempfile::TempDir;

use crate::ends::{Client, Pair, Transfer};
use crate::rig::{Serving, contents, end, eventually, folder, name, quick, until};

const LEN: usize = 3_000_000;
const ID: TransferId = TransferId::from_bytes([1; 16]);

struct Rig {
    mine: TempDir,
    serving: Serving,
    client: Box<dyn Client>,
}

impl Rig {
    /// Both ends slow enough for a transfer to have a middle.
    fn new(pair: Pair) -> Self {
        let mut config = ServerConfig::default();
        config.transfer.limit_rate = Some(700_000);
        let serving = Serving::start(pair, config);
        let client = serving.client(quick());
        Self { mine: folder(), serving, client }
    }

    fn begin(&self, up: bool) -> Box<dyn Transfer> {
        let sender = if up { self.mine.path() } else { self.serving.dir.path() };
        std::fs::write(sender.join("file"), contents(LEN)).expect("written");
        let path = self.place("file");
        let begun = if up {
            self.client.upload(&path, name("file"), ID)
        } else {
            self.client.download(name("file"), &path, ID, false)
        };
        begun.expect("queued")
    }

    fn place(&self, name: &str) -> PathBuf {
        self.mine.path().join(name)
    }

    fn receiver(&self, up: bool) -> &Path {
        if up { self.serving.dir.path() } else { self.mine.path() }
    }

    /// What the server reports about the end of the only transfer.
    fn verdict(&mut self) -> ServerEvent {
        loop {
            match self.serving.server.event() {
                ServerEvent::Connected { .. } | ServerEvent::Began { .. } => {}
                other => return other,
            }
        }
    }
}

fn until_moving(transfer: &mut Box<dyn Transfer>) {
    until(transfer, |progress| progress.stage == Stage::Moving && progress.received > 0);
}

pub(crate) fn either_end_pauses_and_resumes(pair: Pair) {
    for (up, client) in [(true, true), (true, false), (false, true), (false, false)] {
        let rig = Rig::new(pair);
        let mut transfer = rig.begin(up);
        until_moving(&mut transfer);
        if client {
            transfer.pause();
        } else {
            rig.serving.server.pause(ID);
        }
        let paused = Stage::Paused { here: client, there: !client };
        until(&mut transfer, |progress| progress.stage == paused);
        // What is on its way arrives; then nothing does.
        let received = || transfer.progress().received;
        eventually("it stands still", || {
            let before = received();
            thread::sleep(Duration::from_millis(500));
            received() == before
        });
        assert!(received() < LEN as u64, "{}", received());
        if client {
            transfer.resume();
        } else {
            rig.serving.server.resume(ID);
        }
        let finished = transfer.finished().expect("it arrives");
        assert_eq!(finished.digest, Digest::of(&contents(LEN)));
        assert_eq!(std::fs::read(rig.receiver(up).join("file")).expect("there"), contents(LEN));
    }
}

pub(crate) fn either_end_cancels_and_the_other_learns_what_is_left(pair: Pair) {
    for (up, client) in [(true, true), (true, false), (false, true), (false, false)] {
        for leftover in [Leftover::Keep, Leftover::Discard] {
            let mut rig = Rig::new(pair);
            let mut transfer = rig.begin(up);
            until_moving(&mut transfer);
            if client {
                transfer.cancel(leftover);
            } else {
                rig.serving.server.cancel(ID, leftover);
            }
            let ended = transfer.finished();
            let Err(TransferError::Failed(ours)) = ended else { panic!("{ended:?}") };
            let again = transfer.finished();
            assert!(matches!(&again, Err(TransferError::Failed(same)) if *same == ours), "{again:?}");
            let ServerEvent::Failed { failure: theirs, .. } = rig.verdict() else { panic!("{ours:?}") };
            for (failure, by_peer) in [(ours, !client), (theirs, client)] {
                assert_eq!((failure.code, failure.leftover), (Code::Cancelled, Some(leftover)));
                assert_eq!(failure.by_peer, by_peer);
            }
            let staging = rig.receiver(up).join(".bowline");
            if leftover == Leftover::Discard {
                // The disk is informed last.
                eventually("nothing is left", || !staging.exists());
            } else {
                assert!(staging.exists());
            }
        }
    }
}

pub(crate) fn a_download_starts_over_after_its_part_was_discarded_without_a_link(pair: Pair) {
    let rig = Rig::new(pair);
    let mut transfer = rig.begin(false);
    until_moving(&mut transfer);
    rig.client.close();
    assert!(rig.mine.path().join(".bowline").exists());
    // Nobody listens there.
    let client = pair.client.client("ws://127.0.0.1:1", ClientConfig::default());
    let begun = client.download(name("file"), &rig.mine.path().join("file"), ID, false);
    begun.as_ref().expect("queued").cancel(Leftover::Discard);
    let ended = end(begun);
    assert!(matches!(ended, Err(TransferError::Failed(failure)) if failure.code == Code::Cancelled));
    client.close();
    assert!(!rig.mine.path().join(".bowline").exists());
}

pub(crate) fn a_transfer_is_paused_and_cancelled_when_its_client_is_dropped(pair: Pair) {
    let rig = Rig::new(pair);
    let mut transfer = rig.begin(true);
    until_moving(&mut transfer);
    let Rig { client, mut serving, .. } = rig;
    drop(client);
    transfer.pause();
    until(&mut transfer, |progress| progress.stage == Stage::Paused { here: true, there: false });
    transfer.cancel(Leftover::Keep);
    let ended = transfer.finished();
    assert!(
        matches!(&ended, Err(TransferError::Failed(failure)) if failure.code == Code::Cancelled),
        "{ended:?}"
    );
    while !matches!(serving.server.event(), ServerEvent::Disconnected { .. }) {}
}

pub(crate) fn a_handle_of_an_ended_transfer_keeps_no_connection_alive(pair: Pair) {
    let rig = Rig::new(pair);
    let mut transfer = rig.begin(true);
    transfer.finished().expect("sent");
    let Rig { client, mut serving, .. } = rig;
    drop(client);
    while !matches!(serving.server.event(), ServerEvent::Disconnected { .. }) {}
    // Nobody receives it.
    transfer.cancel(Leftover::Keep);
}
