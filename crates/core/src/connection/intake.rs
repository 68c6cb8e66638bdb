//! Turns data frames into messages, whole or in pieces.

use super::{Connection, Event};
use crate::Instant;
use crate::frame::{Decoder, FrameError, Limits, MAX_SHORT_FRAME, Role};
use crate::message::{Assembler, Delivery, Slicer};
use alloc::boxed::Box;

/// What data frames are turned into.
#[derive(Debug)]
pub(super) enum Intake {
    Whole(Assembler),
    Pieces(Box<Slicer>),
}

impl Intake {
    pub(super) fn new(delivery: Delivery, limits: Limits) -> Self {
        match delivery {
            Delivery::Whole => Self::Whole(Assembler::new(limits)),
            Delivery::Pieces => Self::Pieces(Box::new(Slicer::new(limits))),
        }
    }

    /// The decoder for this kind of delivery.
    pub(super) fn decoder(delivery: Delivery, role: Role, limits: &Limits) -> Decoder {
        match delivery {
            Delivery::Whole => Decoder::new(role, limits),
            Delivery::Pieces => Decoder::in_pieces(role, limits),
        }
    }

    /// The bytes so far of a message that is not complete.
    pub(super) fn unfinished(&self) -> Option<u64> {
        match self {
            Self::Whole(assembler) => assembler.unfinished(),
            Self::Pieces(slicer) => slicer.unfinished(),
        }
    }

    /// The same, including bytes already taken of a fragment that is not complete.
    pub(super) fn arrived(&self) -> Option<u64> {
        match self {
            Self::Whole(assembler) => assembler.arrived(),
            Self::Pieces(slicer) => slicer.unfinished(),
        }
    }

    /// Forgets the current message.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Whole(assembler) => *assembler = Assembler::default(),
            Self::Pieces(slicer) => **slicer = Slicer::default(),
        }
    }
}

impl Connection {
    /// Takes complete short messages from the start of these bytes. Returns the rest.
    ///
    /// Most messages are short, and most arrive complete. They do not pass through the decoder's buffer on their way to
    /// the inbox.
    pub(super) fn take_short<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        if !self.is_sound() {
            return bytes;
        }
        let Intake::Whole(assembler) = &self.intake else { return bytes };
        let mut place = [0; MAX_SHORT_FRAME];
        while let Some((frame, rest)) = self.decoder.short_frame(bytes) {
            let Some(message) = assembler.short_frame(&frame, &mut place) else { break };
            self.stats.count_received(self.inbox.push_short(message) as u64);
            bytes = rest;
        }
        bytes
    }

    /// A data frame is complete.
    pub(super) fn handle_data(&mut self, now: Instant) -> Result<(), FrameError> {
        if !self.closing.handle_data(now) {
            return Ok(());
        }
        let Intake::Whole(assembler) = &mut self.intake else { return self.slice() };
        let len = if let Some(short) = assembler.short_message(&self.decoder)? {
            self.inbox.push_short(short)
        } else {
            let Some(&header) = self.decoder.header() else { return Ok(()) };
            let message = assembler.handle_frame(&header, &mut self.decoder)?;
            let Some(message) = message else { return Ok(()) };
            let len = message.len();
            self.inbox.push(Event::Message(message));
            len
        };
        self.stats.count_received(len as u64);
        Ok(())
    }

    /// A data frame is not complete: passes on what has arrived of it, or at least reports an error in it before the
    /// rest arrives.
    pub(super) fn look_ahead(&mut self) -> Result<(), FrameError> {
        let Some(&header) = self.decoder.header().filter(|header| !header.opcode.is_control()) else {
            return Ok(());
        };
        if !self.closing.wants_data() {
            // Ignored data need not be held.
            self.decoder.drop_arrived();
            return Ok(());
        }
        match &mut self.intake {
            Intake::Whole(assembler) => assembler.handle_arrived(&header, &mut self.decoder),
            Intake::Pieces(_) => self.slice(),
        }
    }

    fn slice(&mut self) -> Result<(), FrameError> {
        let (Intake::Pieces(slicer), Some(&header)) = (&mut self.intake, self.decoder.header()) else {
            return Ok(());
        };
        let before = slicer.whole();
        let (piece, result) = slicer.handle_arrived(&header, &mut self.decoder);
        if let Some(piece) = piece {
            if piece.is_last {
                self.stats.count_received(before.saturating_add(header.len));
            }
            self.inbox.push(Event::Piece(piece));
        }
        result
    }
}
