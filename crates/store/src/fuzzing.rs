//! The parts of the journal that fuzzers see. Not part of the API, and built only with the feature of this name.

use crate::journal::{Claim, Record, Spec, State, decode, encode};
use crate::principal::Principal;
use crate::sys::FileId;
use bowline_core::transfer::{Checkpoint, Digest, SafeName, TransferId, Validator};

/// The size of one slot in bytes.
pub const SLOT: usize = crate::journal::SLOT;

/// The fields in which records differ.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// How often the transfer was attached to.
    pub epoch: u32,
    /// How many bytes the file has; the greatest number if unknown.
    pub length: u64,
    /// How many of them are safe, at most.
    pub durable: u64,
    /// Where it goes: a safe name.
    pub name: &'a str,
    /// At most 64 bytes.
    pub validator: Option<&'a [u8]>,
    /// Its remainder selects open, complete or committed.
    pub state: u8,
}

impl Slot<'_> {
    /// The bytes of a slot with this number.
    pub fn encode(self, number: u64) -> Vec<u8> {
        let Slot { epoch, length, durable, name, validator, state } = self;
        let (digest, file) = (Digest::of(name.as_bytes()), FileId { len: length, ..FileId::default() });
        let record = Record {
            id: TransferId::from_bytes([1; 16]),
            principal: Principal::default(),
            claim: Claim { epoch, owner: [2; 16] },
            spec: Spec {
                name: SafeName::parse(name).expect("a safe name"),
                length: Some(length).filter(|length| *length != u64::MAX),
                mtime_ms: 0,
                validator: validator.map(|bytes| Validator::from_bytes(bytes).expect("short")),
            },
            state: match state % 3 {
                0 => State::Open,
                1 => State::Complete { digest, file },
                _ => State::Committed { digest, file },
            },
            durable,
            checkpoint: Checkpoint::start(),
            created: 0,
            progressed: 0,
        };
        encode(number, &record)
    }
}

/// The number of a valid slot, and its bytes as they would be written again.
pub fn read(slot: &[u8]) -> Option<(u64, Vec<u8>)> {
    decode(slot).map(|(number, record)| (number, encode(number, &record)))
}

/// The number of the newest valid slot of a journal.
pub fn newest(journal: &[u8]) -> Option<u64> {
    crate::journal::newest(journal).map(|(number, _)| number)
}
