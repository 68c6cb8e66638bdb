//! The transfers of a client: what its application asks for, and what becomes of it.

use super::{Command, Task};
use crate::client::Feed;
use crate::transfer::Verb;
use bowline_core::transfer::{self, Code, Failure, Leftover, Offered, TransferId};

impl Task {
    pub(super) fn handle_command(&mut self, command: Command) {
        let command = match (command, &self.ended) {
            (Command::Upload { tracked, .. } | Command::Download { tracked, .. }, Some(ended)) => {
                let _ = tracked.end.send(Err(ended.clone().into()));
                return;
            }
            (command, _) => command,
        };
        let now = self.host.clock.now();
        let session = &mut self.host.session;
        let (id, tracked, result) = match command {
            Command::Upload { offer, feed, tracked } => {
                let id = offer.id;
                let result = session.transfers_mut().offer(now, offer);
                match feed {
                    Feed::Source(source) if result.is_ok() => self.host.worker.add_source(id, source),
                    Feed::Pipe(pipe) if result.is_ok() => self.host.worker.add_pipe(id, pipe),
                    _ => {}
                }
                (id, tracked, result)
            }
            Command::Download { download, store, tracked } => {
                let id = download.id;
                let (name, range) = (download.name.clone(), download.range);
                let result = session.transfers_mut().request_range(now, id, name, range);
                if result.is_ok() {
                    self.places.insert(id, (store, download));
                }
                (id, tracked, result)
            }
            Command::Tell(id, verb) => {
                verb.apply(now, session.transfers_mut(), id);
                if let (Verb::Cancel(Leftover::Discard), Some((store, _))) = (verb, self.places.get(&id)) {
                    self.host.worker.discard(store, id);
                }
                return;
            }
            Command::Ping(waiter) => return self.ping(waiter),
            Command::Confirm(receipt) => {
                if let Some(messages) = session.messages_mut() {
                    messages.confirm(now, receipt);
                }
                return;
            }
            Command::NetworkChanged => return session.handle_network_change(now),
            Command::Close(_) => return,
        };
        if let Err(error) = result {
            let failure = Failure::local(Code::Busy, error.to_string());
            let _ = tracked.end.send(Err(failure.into()));
        } else {
            self.tracked.insert(id, tracked);
        }
    }

    pub(super) fn handle_transfer(&mut self, event: transfer::Event) {
        match event {
            transfer::Event::Offered(offered) => self.handle_offered(offered),
            transfer::Event::Accepted { id, resume } => {
                tracing::debug!(%id, resume, "accepted");
                self.count_link(id);
            }
            transfer::Event::Retrying { id, failure, after } => {
                tracing::info!(%id, %failure, ?after, "trying again");
            }
            transfer::Event::Done { id, length, digest, deduplicated, resent } => {
                self.places.remove(&id);
                let listing = self.host.worker.take_listing(id);
                if let Some(tracked) = self.tracked.remove(&id) {
                    tracing::info!(%id, length, %digest, deduplicated, resent, "done");
                    tracked.finish(length, digest, deduplicated, resent, listing);
                }
            }
            transfer::Event::Failed { id, failure } => {
                self.places.remove(&id);
                if let Some(tracked) = self.tracked.remove(&id) {
                    tracing::info!(%id, %failure, "failed");
                    let _ = tracked.end.send(Err(failure.into()));
                }
            }
            transfer::Event::GoingAway { code, retry_after } => {
                tracing::info!(%code, ?retry_after, "the server goes away");
            }
            transfer::Event::Requested { id, .. } => {
                let now = self.host.clock.now();
                let failure = Failure::local(Code::Unsupported, "this client gives no files away");
                self.host.session.transfers_mut().fail(now, id, failure);
            }
            other => tracing::debug!(event = ?other, "transfer"),
        }
    }

    fn handle_offered(&mut self, mut offered: Offered) {
        let id = offered.id;
        match self.places.get(&id) {
            Some((store, download)) if offered.requested => {
                offered.name = download.local.clone();
                offered.unix_mode = offered.unix_mode.filter(|_| download.unix_mode);
                self.host.worker.attach(store, offered);
                self.count_link(id);
            }
            _ => {
                let now = self.host.clock.now();
                let failure = Failure::local(Code::Rejected, "this client takes only what it asked for");
                self.host.session.transfers_mut().fail(now, id, failure);
            }
        }
    }

    fn count_link(&mut self, id: TransferId) {
        if let Some(tracked) = self.tracked.get_mut(&id) {
            tracked.count_link(self.link);
        }
    }

    pub(super) fn publish(&mut self) {
        let now = self.host.clock.now();
        for (id, tracked) in &mut self.tracked {
            if let Some(progress) = self.host.progress(*id) {
                tracked.update(now, progress);
            }
        }
    }
}
