//! The journal of a file in transfer: after a crash, a disk may contain anything.

use super::choice::{Blob, Many, Rest, Seed, Tell, choice, choose};
use bowline_store::fuzzing::{SLOT, Slot, newest, read};

/// The unit that is written or lost as a whole.
const PIECE: usize = 64;

choice! {
    struct Journal {
        /// The number of the last record that was written undisturbed.
        number: u64,
        /// That one, the one before, and the one that the power cut interrupted.
        before: Entry,
        last: Entry,
        torn: Entry,
        /// Which pieces of it are written, bit by bit.
        written: Blob,
        /// Something that claims to be a slot.
        claim: Rest,
    }
}

choice! {
    struct Entry {
        epoch: u32,
        length: u64,
        durable: u64,
        name: Many<u8>,
        validator: Option<Blob>,
        /// Open, complete or committed.
        state: u8,
    }
}

/// Any bytes are read without harm, what is read is written unchanged, and a torn write leaves the previous record.
pub fn journal(data: &[u8]) {
    let journal: Journal = choose(data);
    let _tell = Tell(&journal);
    check_claim(&journal.claim.0);
    check_claim(&with_frame(&journal.claim.0));
    check_torn(&journal);
}

fn check_claim(claim: &[u8]) {
    newest(claim);
    if let Some((number, bytes)) = read(claim) {
        assert_eq!(bytes, claim[..bytes.len()], "what is read is written as it was");
        assert_eq!(read(&bytes).map(|(again, _)| again), Some(number));
    }
}

/// The bytes with the beginning, the length and the checksum of a slot, which no fuzzer guesses.
fn with_frame(body: &[u8]) -> Vec<u8> {
    let len = (body.len() + 12) as u32;
    let mut slot = [b"BWJ1", &len.to_be_bytes()[..], body].concat();
    let checksum = crc32c::crc32c(&slot);
    slot.extend(checksum.to_be_bytes());
    slot
}

fn check_torn(journal: &Journal) {
    let number = journal.number.clamp(2, u64::MAX - 1);
    let place = |number: u64| (number % 2) as usize * SLOT;
    let mut disk = vec![0; 2 * SLOT];
    for (number, entry) in [(number - 1, &journal.before), (number, &journal.last)] {
        let slot = entry.slot(number);
        disk[place(number)..][..slot.len()].copy_from_slice(&slot);
    }
    assert_eq!(newest(&disk), Some(number));
    let torn = journal.torn.slot(number + 1);
    for (at, piece) in torn.chunks(PIECE).enumerate() {
        let is_written = journal.written.0.get(at / 8).is_some_and(|bits| bits & (1 << (at % 8)) != 0);
        if is_written {
            disk[place(number + 1) + at * PIECE..][..piece.len()].copy_from_slice(piece);
        }
    }
    let is_whole = disk[place(number + 1)..].starts_with(&torn);
    assert_eq!(newest(&disk), Some(number + u64::from(is_whole)));
}

impl Entry {
    fn slot(&self, number: u64) -> Vec<u8> {
        let letters = self.name.0.iter().map(|letter| char::from(b'a' + letter % 26));
        // With leading digits, it is no device name of Windows.
        let name: String = "10".chars().chain(letters.take(200)).collect();
        let slot = Slot {
            epoch: self.epoch,
            length: self.length,
            durable: self.durable.min(self.length),
            name: &name,
            validator: self.validator.as_ref().map(|bytes| &bytes.0[..bytes.0.len().min(64)]),
            state: self.state,
        };
        slot.encode(number)
    }
}

/// Inputs to start from.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let entry = |durable, name: &[u8], state| Entry {
        epoch: 3,
        length: 5_000_000,
        durable,
        name: Many(name.to_vec()),
        validator: (state != 1).then(|| Blob(vec![7; 16])),
        state,
    };
    let input = |state, written: &[u8], claim: &[u8]| {
        let (before, last) = (entry(65_536, b"abcdef", 0), entry(131_072, b"abcdef", 0));
        let (torn, written) = (entry(1_000_000, b"abcdef", state), Blob(written.to_vec()));
        Journal { number: 8, before, last, torn, written, claim: Rest(claim.to_vec()) }.seed()
    };
    let slot = entry(70_000, b"some name", 1).slot(5);
    vec![
        ("whole", input(0, &[0xFF; 16], b"")),
        ("nothing_written", input(0, &[], b"")),
        ("the_beginning_written", input(0, &[1], b"")),
        ("the_end_written", input(1, &[0xFE, 0xFF], b"")),
        ("a_committed_one_with_a_gap", input(2, &[0b1011], b"")),
        ("a_slot", input(0, &[], &slot)),
        ("the_inside_of_a_slot", input(0, &[], &slot[8..slot.len() - 4])),
        ("a_slot_cut_short", input(0, &[], &slot[..40])),
    ]
}
