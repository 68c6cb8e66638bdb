//! What can be written next, piece by piece.

use super::Outbox;

/// The bytes that are ready to leave, in order: of the unit that has begun, then the control frames, then the others.
pub(crate) struct Pieces<'a> {
    outbox: &'a Outbox,
    /// Where the next piece is: so many units are behind us, and so many pieces of the one after them.
    unit: usize,
    piece: usize,
    /// After so many units the control frames come.
    controls_at: Option<usize>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(outbox: &'a Outbox) -> Self {
        let controls_at = (!outbox.controls.rest().is_empty()).then(|| usize::from(outbox.units.is_begun()));
        Self { outbox, unit: 0, piece: 0, controls_at }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    /// The next piece; none is empty.
    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if self.controls_at == Some(self.unit) {
                self.controls_at = None;
                return Some(self.outbox.controls.rest());
            }
            let unit = self.outbox.units.get(self.unit)?;
            let rest = unit.rest(self.piece);
            self.piece += 1;
            if self.piece == unit.pieces() {
                (self.unit, self.piece) = (self.unit + 1, 0);
            }
            if !rest.is_empty() {
                return Some(rest);
            }
        }
    }
}
