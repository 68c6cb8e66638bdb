//! The queue from the task to the receiver: so many pieces, and so many bytes.

use std::sync::Arc;

use bowline_core::Disconnect;
use bowline_core::message::Piece;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::spawned::QUEUE;

/// What has arrived, and the room that it takes until it is received.
pub(super) type Arrived = (Result<Piece, Disconnect>, Option<OwnedSemaphorePermit>);

/// As many bytes as a semaphore can count anywhere, half a gigabyte.
const MOST: usize = (1 << 29) - 1;

/// The end of the task.
pub(super) struct Arrivals {
    queue: UnboundedSender<Arrived>,
    /// A unit is a byte. Each piece takes as many as would make the queue full with [`QUEUE`] of them, at least.
    room: Arc<Semaphore>,
    limit: u32,
}

/// Why a piece has not gone to the receiver.
pub(super) enum Refused {
    Full(Piece),
    /// The receiver is dropped.
    Closed,
}

/// A queue for so many bytes. A piece that is longer than that finds a place if nothing else waits.
pub(super) fn channel(bytes: usize) -> (Arrivals, UnboundedReceiver<Arrived>) {
    let (queue, arrived) = unbounded_channel();
    let room = bytes.clamp(QUEUE, MOST);
    (Arrivals { queue, room: Arc::new(Semaphore::new(room)), limit: room as u32 }, arrived)
}

impl Arrivals {
    pub(super) fn try_send(&self, piece: Piece) -> Result<(), Refused> {
        match Arc::clone(&self.room).try_acquire_many_owned(self.weight(&piece)) {
            Ok(room) => self.queue.send((Ok(piece), Some(room))).map_err(|_| Refused::Closed),
            Err(_) => Err(Refused::Full(piece)),
        }
    }

    /// The end needs no place.
    pub(super) fn end(self, disconnect: Disconnect) {
        // Nobody may be there any more to hear it.
        let _ = self.queue.send((Err(disconnect), None));
    }

    /// Waits for a place for this piece; there is one, too, when the receiver is dropped, and takes nothing.
    pub(super) async fn place(&self, piece: &Piece) {
        let _ = self.room.acquire_many(self.weight(piece)).await;
    }

    /// Waits until the receiver is dropped.
    pub(super) async fn dropped(&self) {
        self.queue.closed().await;
    }

    fn weight(&self, piece: &Piece) -> u32 {
        u32::try_from(piece.len()).unwrap_or(u32::MAX).clamp(self.limit / QUEUE as u32, self.limit)
    }
}
