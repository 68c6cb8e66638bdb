//! The place of one transfer that comes in: written and hashed on one lane, synced beside it.

use super::lane::Lane;
use super::{Outcome, Reporter, Spawn};
use crate::{Attach, Attached, DiskStore, ErrorKind, Mode, Partial, Spec, StoreError};
use bowline_core::transfer::{Answer, Digest, Kind, Offered, wire};
use bytes::Bytes;
use std::sync::Arc;
use std::time::SystemTime;

pub(super) struct Receiving {
    spawn: Spawn,
    reporter: Reporter,
    writing: Lane<Option<Partial>>,
}

impl Receiving {
    pub(super) fn new(spawn: &Spawn, reporter: &Reporter) -> Self {
        Self { spawn: Arc::clone(spawn), reporter: reporter.clone(), writing: Lane::new(spawn, None) }
    }

    pub(super) fn generation(&self) -> u64 {
        self.reporter.generation
    }

    /// Opens the place; from here on this reporter tells what becomes of it.
    pub(super) fn attach(&mut self, reporter: Reporter, store: DiskStore, offered: Offered) {
        self.reporter = reporter.clone();
        self.writing.submit(move |place| {
            let answer = attach(&store, &offered).map(|(partial, answer)| {
                *place = partial;
                Outcome::Attached(answer)
            });
            reporter.report_result(answer);
        });
    }

    pub(super) fn write(&self, offset: u64, data: Bytes) {
        self.with_partial(move |partial| {
            partial.write(offset, &data)?;
            Ok(Outcome::Written { upto: partial.written() })
        });
    }

    /// Takes a snapshot behind all earlier writes, and makes it durable on another thread.
    pub(super) fn sync(&self) {
        let (spawn, reporter) = (Arc::clone(&self.spawn), self.reporter.clone());
        self.writing.submit(move |place| {
            let Some(partial) = place else { return };
            let flush = partial.flush();
            spawn(Box::new(move || reporter.report_result(flush.run().map(|safe| Outcome::Synced { safe }))));
        });
    }

    pub(super) fn finish(&self, length: u64, digest: Digest) {
        let reporter = self.reporter.clone();
        self.writing.submit(move |place| {
            let Some(partial) = place.take() else { return };
            reporter.report_result(partial.commit(length, digest).map(|_| Outcome::Finished));
        });
    }

    pub(super) fn detach(&mut self, next: Reporter) {
        self.reporter = next;
        self.writing.submit(|place| {
            // Nobody is left to be told; what could not be made durable is sent again.
            place.take().map(Partial::detach);
        });
    }

    pub(super) fn discard(self) {
        self.writing.submit(|place| {
            place.take().map(Partial::discard);
        });
    }

    fn with_partial(&self, job: impl FnOnce(&mut Partial) -> Result<Outcome, StoreError> + Send + 'static) {
        let reporter = self.reporter.clone();
        self.writing.submit(move |place| {
            // After a failure the rest of the queue has nothing to work on.
            let Some(partial) = place else { return };
            let result = job(partial);
            let failed = result.is_err();
            reporter.report_result(result);
            if failed {
                place.take().map(Partial::detach);
            }
        });
    }
}

fn attach(store: &DiskStore, offered: &Offered) -> Result<(Option<Partial>, Answer), StoreError> {
    if offered.kind != Kind::File {
        return Err(StoreError::new(ErrorKind::NotAFile, store.dir()));
    }
    let spec = Spec {
        name: offered.name.clone(),
        length: offered.length,
        mtime_ms: offered.mtime_ms,
        validator: offered.validator,
    };
    let mode = match offered.mode {
        wire::Mode::AttachOrCreate => Mode::AttachOrCreate,
        wire::Mode::Create => Mode::CreateOnly,
        wire::Mode::Attach => Mode::AttachOnly,
        wire::Mode::Restart => Mode::Restart,
    };
    let attach = Attach { mode, epoch_seen: offered.epoch_seen, owner: offered.instance };
    let attached = match store.attach(offered.id, &spec, attach, SystemTime::now()) {
        // A file that we asked for may have changed since; nothing of the old one is committed, so begin again.
        Err(error) if offered.requested && error.kind() == ErrorKind::SourceChanged => {
            store.attach(offered.id, &spec, Attach { mode: Mode::Restart, ..attach }, SystemTime::now())?
        }
        other => other?,
    };
    Ok(match attached {
        Attached::Partial { partial, durable, prefix, epoch } => {
            (Some(partial), Answer::Take { from: durable, prefix, epoch })
        }
        Attached::Present { digest, .. } => (None, Answer::Present { digest }),
        Attached::Committed { digest, .. } => (None, Answer::Complete { digest }),
    })
}
