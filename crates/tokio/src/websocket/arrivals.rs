//! The queue from the task to the receiver, limited in pieces and in bytes.

use std::sync::Arc;

use bowline_core::Disconnect;
use bowline_core::message::Piece;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::spawned::QUEUE;

/// What has arrived, and the room that it occupies until it is received.
pub(super) type Arrived = (Result<Piece, Disconnect>, Option<OwnedSemaphorePermit>);

/// As many bytes as a semaphore can count on any system, half a gigabyte.
const MOST: usize = (1 << 29) - 1;

/// The task's end.
pub(super) struct Arrivals {
    queue: UnboundedSender<Arrived>,
    /// One unit is a byte. Each piece takes at least so many that [`QUEUE`] of them fill the queue.
    room: Arc<Semaphore>,
    limit: u32,
}

/// Why a piece was not passed to the receiver.
pub(super) enum Refused {
    Full(Piece),
    /// The receiver was dropped.
    Closed,
}

/// A queue for this many bytes. A longer piece is accepted if the queue is empty.
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

    /// The end needs no room.
    pub(super) fn end(self, disconnect: Disconnect) {
        // The receiver may be gone.
        let _ = self.queue.send((Err(disconnect), None));
    }

    /// Waits for room for this piece. It also returns if the receiver is dropped and accepts nothing.
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
