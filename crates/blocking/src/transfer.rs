//! One transfer, as seen by the application that asked for it.

use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_core::transfer::{Leftover, TransferId};
use bowline_host::transfer::Size;

pub use bowline_host::transfer::{Control, Finished, TransferError, TransferProgress};

use crate::client::{Letter, Line};
use crate::watch::{Teller, Watch, watch};

/// A running transfer. Dropping it does not end it; [`cancel`](Self::cancel) does. Once the transfer has ended, keeping
/// this value does not keep the client alive.
#[derive(Debug)]
pub struct Transfer {
    progress: Watch<TransferProgress>,
    end: mpsc::Receiver<Result<Finished, TransferError>>,
    /// The result, once it has ended.
    ended: Option<Result<Finished, TransferError>>,
    control: Control,
}

impl Transfer {
    /// Its id on the wire. It is a secret of the two ends.
    pub fn id(&self) -> TransferId {
        self.control.id()
    }

    /// How far it has come: the latest state, and an iterator over what is reported several times a second until the
    /// end.
    pub fn progress(&self) -> Watch<TransferProgress> {
        self.progress.clone()
    }

    /// Waits for the end. Every call after the end returns the same result.
    ///
    /// # Errors
    /// Why the file has not arrived.
    pub fn finished(&mut self) -> Result<Finished, TransferError> {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        let ended = self.end.recv().unwrap_or(Err(TransferError::Closed));
        self.ended.insert(ended).clone()
    }

    /// Waits for the end, but no longer than this; `None` if it has not ended.
    ///
    /// # Errors
    /// Why the file has not arrived.
    pub fn finished_timeout(&mut self, time: Duration) -> Result<Option<Finished>, TransferError> {
        if let Some(ended) = &self.ended {
            return ended.clone().map(Some);
        }
        let ended = match self.end.recv_timeout(time) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(TransferError::Closed),
        };
        self.ended.insert(ended).clone().map(Some)
    }

    /// The end, if it has come.
    pub(crate) fn end(&mut self) -> Option<Result<Finished, TransferError>> {
        match self.end.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(TransferError::Closed)),
        }
    }

    /// Progress that was reported since this was last called.
    pub(crate) fn news(&mut self) -> Option<TransferProgress> {
        self.progress.news()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.progress.is_over()
    }

    /// A handle that can pause, resume and cancel it from anywhere.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Stops its bytes until [`resume`](Self::resume); see [`Control::pause`].
    pub fn pause(&self) {
        self.control.pause();
    }

    /// Ends a [`pause`](Self::pause); see [`Control::resume`].
    pub fn resume(&self) {
        self.control.resume();
    }

    /// Ends it early; see [`Control::cancel`].
    pub fn cancel(&self, leftover: Leftover) {
        self.control.cancel(leftover);
    }
}

/// The other end of a [`Transfer`].
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) progress: Teller<TransferProgress>,
    end: mpsc::Sender<Result<Finished, TransferError>>,
    /// Frees the place of this transfer for the next one.
    _place: Place,
    /// Keeps the client alive for those that control the transfer, until it ends.
    _line: Arc<Line>,
}

impl Ticket {
    pub(crate) fn new(id: TransferId, line: Arc<Line>, place: Place) -> (Self, Transfer) {
        let (teller, progress) = watch(TransferProgress::default());
        let (end, ended) = mpsc::channel();
        let control = Arc::downgrade(&line);
        let tell = Arc::new(move |id, verb| {
            // If the client is gone, so is the transfer.
            if let Some(line) = control.upgrade() {
                line.send(Letter::Tell(id, verb));
            }
        });
        let transfer = Transfer { progress, end: ended, ended: None, control: Control::new(id, tell) };
        (Self { progress: teller, end, _place: place, _line: line }, transfer)
    }

    /// Reports the end. Nobody may be waiting.
    pub(crate) fn end(self, result: Result<(TransferProgress, Finished), TransferError>) {
        let result = result.map(|(last, finished)| {
            self.progress.tell(last);
            finished
        });
        let _ = self.end.send(result);
    }
}

/// A shared limit on running transfers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    taken: Mutex<Taken>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Taken {
    large: usize,
    small: usize,
}

/// The place of a transfer, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    size: Size,
}

impl Places {
    /// Waits for a place for a file of this length, if known.
    pub(crate) fn take(&self, length: Option<u64>) -> Place {
        let size = Size::of(length);
        let taken = self.0.freed.wait_while(self.lock(), |taken| !taken.has_room(size));
        self.seat(taken.unwrap_or_else(PoisonError::into_inner), size)
    }

    /// A place, if one is free.
    pub(crate) fn try_take(&self, length: Option<u64>) -> Option<Place> {
        let size = Size::of(length);
        Some(self.lock()).filter(|taken| taken.has_room(size)).map(|taken| self.seat(taken, size))
    }

    fn seat(&self, mut taken: MutexGuard<'_, Taken>, size: Size) -> Place {
        *taken.of(size) += 1;
        Place { places: self.clone(), size }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn of(&mut self, size: Size) -> &mut usize {
        match size {
            Size::Large => &mut self.large,
            Size::Small => &mut self.small,
        }
    }

    fn has_room(&self, size: Size) -> bool {
        let taken = match size {
            Size::Large => self.large,
            Size::Small => self.small,
        };
        taken < size.places()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.places.lock().of(self.size) -= 1;
        // Any of those that are woken may want a place of the other size.
        self.places.0.freed.notify_all();
    }
}
