//! What can be written next, in pieces.

use super::Outbox;
use super::unit::Unit;
use core::mem::take;
use core::slice;

/// The bytes that are ready to leave, in order: the unit that has begun, then the control frames, then the other units.
pub(crate) struct Pieces<'a> {
    /// The current unit, and the index of its next piece.
    unit: Option<&'a Unit>,
    piece: usize,
    /// The control frames, until they were returned.
    controls: &'a [u8],
    units: slice::Iter<'a, Unit>,
}

impl<'a> Pieces<'a> {
    #[inline]
    pub(super) fn new(outbox: &'a Outbox) -> Self {
        let mut units = outbox.units.iter();
        let controls = outbox.controls.rest();
        let unit = if controls.is_empty() || outbox.units.is_begun() { units.next() } else { None };
        Self { unit, piece: 0, controls, units }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    /// The next piece; none is empty.
    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        // Most writes take one piece, and there is no other.
        match self.unit {
            Some(unit) if unit.is_one_piece() => {
                self.unit = None;
                Some(unit.rest(0))
            }
            None if self.controls.is_empty() && self.units.len() == 0 => None,
            _ => self.next_of_many(),
        }
    }
}

impl<'a> Pieces<'a> {
    /// The same for any number of pieces. It is a separate function, so that the usual case is small where it is
    /// inlined.
    #[inline(never)]
    fn next_of_many(&mut self) -> Option<&'a [u8]> {
        loop {
            let Some(unit) = self.unit else {
                if !self.controls.is_empty() {
                    return Some(take(&mut self.controls));
                }
                self.unit = Some(self.units.next()?);
                continue;
            };
            let rest = unit.rest(self.piece);
            self.piece += 1;
            if self.piece == unit.pieces() {
                (self.unit, self.piece) = (None, 0);
                if !unit.is_ready() {
                    // What follows would end up inside this unit's frame.
                    (self.controls, self.units) = Default::default();
                }
            }
            if !rest.is_empty() {
                return Some(rest);
            }
        }
    }
}
