//! Sending, and meanwhile reading what the peer sends.

use bowline_core::connection::SendError;
use bowline_core::message::Piece;
use bowline_core::{Instant, Message};
use bowline_host::Unsent;

use super::WebSocket;
use super::held::NoRoom;
use crate::stream::Stream;

impl<S: Stream> WebSocket<S> {
    /// Sends a message: waits until there is room, and writes what the stream accepts at once. The rest leaves with the
    /// next calls; [`flush`](Self::flush) waits for it.
    ///
    /// # Errors
    /// If the connection is closing or closed, a message in pieces has not ended, or there is no room and [no more may
    /// be held](Self::set_ahead): then receive first. The message is returned.
    pub fn send(&mut self, message: Message) -> Result<(), SendError<Message>> {
        if let Err(no) = self.wait_for_room() {
            return Err(no.of(message));
        }
        let now = self.driver.now();
        self.driver.conn_mut().send(now, message)?;
        self.offer(now);
        Ok(())
    }

    /// Queues a message if there is room for it at once. It leaves with the next call that waits.
    ///
    /// # Errors
    /// If there is no room, the connection is closing, or a message in pieces has not ended; the message is returned.
    pub fn try_send(&mut self, message: Message) -> Result<(), SendError<Message>> {
        let now = self.driver.time_to_send();
        self.driver.conn_mut().send(now, message)
    }

    /// Sends the next piece of a message as [`send`](Self::send) does. The first piece begins the message, and until
    /// its [last](Piece::last) piece no other message can be sent.
    ///
    /// # Errors
    /// As for [`send`](Self::send), or if the message was begun with pieces of the other kind. The piece is returned.
    pub fn send_piece(&mut self, piece: Piece) -> Result<(), SendError<Piece>> {
        if let Err(no) = self.wait_for_room() {
            return Err(no.of(piece));
        }
        let now = self.driver.now();
        self.driver.conn_mut().send_piece(now, piece)?;
        self.offer(now);
        Ok(())
    }

    /// Queues the next piece of a message if there is room for it at once.
    ///
    /// # Errors
    /// If there is no room, the connection is closing, or the message was begun with pieces of the other kind; the
    /// piece is returned.
    pub fn try_send_piece(&mut self, piece: Piece) -> Result<(), SendError<Piece>> {
        let now = self.driver.time_to_send();
        self.driver.conn_mut().send_piece(now, piece)
    }

    /// Waits until the last byte of what was sent is on its way, and meanwhile reads what the peer sends.
    ///
    /// # Errors
    /// Some of it is lost, because the connection has ended, or is ending without it; or
    /// [no more may be held](Self::set_ahead).
    pub fn flush(&mut self) -> Result<(), Unsent> {
        // A wait ends when everything has left that could not leave at once; nothing signals what could.
        self.driver.offer(self.driver.now());
        while self.driver.has_output() {
            if !self.take_in() {
                return Err(Unsent::Unheard);
            }
            self.driver.drive(None);
        }
        if self.driver.has_lost_output() { Err(Unsent::Lost) } else { Ok(()) }
    }

    /// How many bytes of messages may be held for later while a call sends. `None` means no limit. Default: 16 MiB.
    pub fn set_ahead(&mut self, most: Option<usize>) {
        self.held.set_limit(most);
    }

    // ----- inside -----

    fn wait_for_room(&mut self) -> Result<(), NoRoom> {
        loop {
            match self.driver.conn() {
                conn if !conn.is_open() => return Err(NoRoom::Closing),
                conn if conn.room() > 0 => return Ok(()),
                _ if !self.take_in() => {
                    let (held, limit) = self.held.fill();
                    return Err(NoRoom::Full { held, limit });
                }
                _ => {
                    self.driver.drive(None);
                }
            }
        }
    }

    /// Writes what the stream accepts at once, and takes what arrives meanwhile, as far as it may be held.
    fn offer(&mut self, now: Instant) {
        self.driver.offer(now);
        self.take_in();
    }

    /// Takes what has arrived from the connection, so that it reads on, except for the peer's Close: that is answered
    /// when the owner has seen what came before it. Returns false if no more can be held, so that the connection does
    /// not read.
    fn take_in(&mut self) -> bool {
        while self.driver.conn().has_messages() {
            if self.held.is_full() {
                return self.driver.conn().wants_input();
            }
            self.held.push(self.driver.conn_mut().poll_event());
        }
        true
    }
}
