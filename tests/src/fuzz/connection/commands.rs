//! The application's commands to its connection: each is carried out, or refused for the right reason.

use super::Host;
use crate::fuzz::choice::Blob;
use crate::fuzz::differential::stream::text;
use bowline_core::connection::{PingError, SendError};
use bowline_core::message::{Parts, Piece};
use bowline_core::{Close, Message};
use bytes::Bytes;

impl Host {
    pub(super) fn send(&mut self, message: impl Fn() -> Message) {
        let (is_open, room) = (self.connection.is_open(), self.connection.room());
        let expected = message();
        match self.call(|connection, now| connection.send(now, message())) {
            Ok(()) => {
                assert!(is_open && room > 0 && self.sent.begun.is_none());
                self.sent.accepted.push_back(expected);
            }
            Err(error) => {
                match error {
                    SendError::Full { .. } => assert!(is_open && room == 0),
                    SendError::Closing(_) => assert!(!is_open),
                    SendError::Unfinished(_) => assert!(is_open && self.sent.begun.is_some()),
                    _ => panic!("{error}"),
                }
                assert_eq!(error.into_inner(), expected, "what is refused comes back");
            }
        }
    }

    pub(super) fn send_piece(&mut self, piece: impl Fn() -> Piece) {
        let (is_open, room) = (self.connection.is_open(), self.connection.room());
        let expected = piece();
        let fits = self.sent.fits(&expected);
        match self.call(|connection, now| connection.send_piece(now, piece())) {
            Ok(()) => {
                assert!(is_open && room > 0 && fits);
                self.sent.handle_piece(&expected);
            }
            Err(error) => {
                match error {
                    SendError::Full { .. } => assert!(is_open && room == 0),
                    SendError::Closing(_) => assert!(!is_open),
                    SendError::OtherKind(_) => assert!(is_open && !fits),
                    _ => panic!("{error}"),
                }
                assert_eq!(error.into_inner(), expected, "what is refused comes back");
            }
        }
    }

    pub(super) fn send_parts(&mut self, head: usize, body: usize, tail: usize) {
        let part = |byte, len| Bytes::from(vec![byte; len]);
        let parts = || Parts { head: part(1, head), body: part(2, body), tail: part(3, tail) };
        let is_possible = self.connection.room() > 0 && self.sent.begun.is_none();
        let sent = self.call(|connection, now| connection.send_parts(now, parts()));
        assert_eq!(sent.is_ok(), is_possible);
        match sent {
            Ok(()) => self.sent.accepted.push_back(Message::Binary(parts().into_bytes())),
            Err(refused) => assert_eq!(refused.into_inner(), parts()),
        }
    }

    pub(super) fn ping(&mut self, payload: &[u8]) {
        let is_open = self.connection.is_open();
        match self.call(|connection, now| connection.ping(now, payload)) {
            Ok(number) => {
                assert!(is_open && payload.len() <= 125);
                assert!(self.sent.pings.back().is_none_or(|last| *last < number), "numbers rise");
                self.sent.pings.push_back(number);
            }
            Err(PingError::TooLong(len)) => assert!(len == payload.len() && len > 125),
            Err(PingError::Closing) => assert!(!is_open),
            Err(_) => assert!(is_open && self.sent.pings.len() >= 8),
        }
    }

    pub(super) fn close(&mut self, code: u16, reason: &Blob) {
        let Ok(close) = Close::new(code, text(reason)) else { return };
        let is_open = self.connection.is_open();
        let closed = self.call(|connection, now| connection.close(now, close));
        assert!(closed.is_ok() || !is_open);
        assert!(!self.connection.is_open());
    }
}
