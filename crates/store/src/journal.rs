//! What is stored about a transfer besides its bytes, and its format in the journal file.
//!
//! A journal has two slots, written alternately. A write torn by a power cut spoils the slot that was being written,
//! while the other one, slightly older, remains valid: this needs no temporary file, no rename, and no folder sync.
//!
//! ```text
//! 0        slot of even numbers          SLOT        slot of odd numbers          2 * SLOT
//! ├──────┬──────┬────────┬─────┬───────────────┬────────┬ ─ ─ ─ ─ ┤
//! │ BWJ1 │ len  │ number │ id  │ record ...    │ crc32c │  unused │
//! └──────┴──────┴────────┴─────┴───────────────┴────────┴ ─ ─ ─ ─ ┘
//! ```
//!
//! Integers are big-endian; the checksum covers everything before it. The slot with the higher number is valid.

use crate::principal::Principal;
use crate::sys::FileId;
use bowline_core::transfer::{Checkpoint, Digest, SafeName, TransferId, Validator};
use bytes::{Buf, BufMut};
use std::fmt;

/// The size of one slot: a name of 4 KiB and the largest checkpoint fit, and it is a whole number of the pages and
/// sectors of any disk.
pub(crate) const SLOT: usize = 8192;

const MAGIC: &[u8; 4] = b"BWJ1";
/// How many bytes at the beginning of a slot contain its number.
pub(crate) const HEAD: usize = 16;
/// BLAKE3, the only digest so far.
const BLAKE3: u8 = 1;

/// The file that a sender announces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spec {
    /// Where the finished file goes, relative to the served folder.
    pub name: SafeName,
    /// How many bytes it has; `None` if that is known only at its end.
    pub length: Option<u64>,
    /// When it was last changed at the sender, in milliseconds since 1970; 0 if unknown.
    pub mtime_ms: i64,
    /// A text that distinguishes this version of the source from others, if the sender knows one.
    pub validator: Option<Validator>,
}

impl Spec {
    /// A file about which no more is known.
    pub fn new(name: SafeName, length: Option<u64>) -> Self {
        Self { name, length, mtime_ms: 0, validator: None }
    }
}

/// Who may write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// How often the transfer was attached to.
    pub(crate) epoch: u32,
    /// The sending process that attached last.
    pub(crate) owner: [u8; 16],
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// How far a transfer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Bytes are missing, or the digest was not compared.
    Open,
    /// All bytes are there and correct; `file` is the part, which is about to get its name.
    Complete { digest: Digest, file: FileId },
    /// The file has its name; `file` identifies it as it was then.
    Committed { digest: Digest, file: FileId },
}

/// The contents of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its key in staging: the id of the transfer combined with its principal.
    pub(crate) id: TransferId,
    pub(crate) principal: Principal,
    pub(crate) claim: Claim,
    pub(crate) spec: Spec,
    pub(crate) state: State,
    /// How many bytes of the part survive a power cut: all of them, once it is complete.
    pub(crate) durable: u64,
    /// The hash of the beginning, at most `durable` bytes of it.
    pub(crate) checkpoint: Checkpoint,
    /// When the journal was begun, in milliseconds since 1970.
    pub(crate) created: u64,
    /// When `durable` or the state last changed, in milliseconds since 1970.
    pub(crate) progressed: u64,
}

/// The bytes of a slot.
pub(crate) fn encode(number: u64, record: &Record) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + record.spec.name.as_str().len());
    out.put_slice(MAGIC);
    out.put_u32(0);
    out.put_u64(number);
    out.put_slice(record.id.as_bytes());
    out.put_u32(record.claim.epoch);
    out.put_u8(match record.state {
        State::Open => 1,
        State::Complete { .. } => 2,
        State::Committed { .. } => 3,
    });
    out.put_u8(BLAKE3);
    out.put_slice(&record.claim.owner);
    out.put_u64(record.spec.length.unwrap_or(u64::MAX));
    out.put_u64(record.durable);
    out.put_i64(record.spec.mtime_ms);
    out.put_u64(record.created);
    out.put_u64(record.progressed);
    let validator = record.spec.validator.as_ref().map(Validator::as_bytes);
    out.put_u8(validator.map_or(u8::MAX, |bytes| bytes.len() as u8));
    out.put_slice(validator.unwrap_or_default());
    out.put_u16(record.checkpoint.encoded_len() as u16);
    record.checkpoint.encode(&mut out);
    out.put_u16(record.spec.name.as_str().len() as u16);
    out.put_slice(record.spec.name.as_str().as_bytes());
    out.put_u8(record.principal.name().len() as u8);
    out.put_slice(record.principal.name().as_bytes());
    if let State::Complete { digest, file } | State::Committed { digest, file } = &record.state {
        out.put_slice(digest.as_bytes());
        out.put_u64(file.dev);
        out.put_u64(file.ino);
        out.put_u64(file.len);
        out.put_i64(file.modified);
    }
    let len = out.len() as u32 + 4;
    out[4..8].copy_from_slice(&len.to_be_bytes());
    out.put_u32(crc32c::crc32c(&out));
    out
}

/// The number and the record of a slot; `None` if it was never written, or is not valid.
pub(crate) fn decode(slot: &[u8]) -> Option<(u64, Record)> {
    let len = slot.strip_prefix(MAGIC)?.try_get_u32().ok()? as usize;
    let (body, crc) = slot.get(..len)?.split_last_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
        return None;
    }
    let mut body = body.get(8..)?;
    let number = body.try_get_u64().ok()?;
    let id = TransferId::from_bytes(take(&mut body)?);
    let epoch = body.try_get_u32().ok()?;
    let state = body.try_get_u8().ok()?;
    if body.try_get_u8().ok()? != BLAKE3 {
        return None;
    }
    let claim = Claim { epoch, owner: take(&mut body)? };
    let length = Some(body.try_get_u64().ok()?).filter(|length| *length != u64::MAX);
    let durable = body.try_get_u64().ok()?;
    let mtime_ms = body.try_get_i64().ok()?;
    let created = body.try_get_u64().ok()?;
    let progressed = body.try_get_u64().ok()?;
    let validator = match body.try_get_u8().ok()? {
        u8::MAX => None,
        len => Some(Validator::from_bytes(split(&mut body, len.into())?).ok()?),
    };
    let checkpoint = body.try_get_u16().ok()?;
    let checkpoint = Checkpoint::decode(split(&mut body, checkpoint.into())?).ok()?;
    let name = body.try_get_u16().ok()?;
    let name = std::str::from_utf8(split(&mut body, name.into())?).ok()?;
    let spec = Spec { name: SafeName::parse(name).ok()?, length, mtime_ms, validator };
    let principal = body.try_get_u8().ok()?;
    let principal = match std::str::from_utf8(split(&mut body, principal.into())?).ok()? {
        "" => Principal::default(),
        name => Principal::named(name).ok()?,
    };
    let state = match state {
        1 => State::Open,
        2 => settled(&mut body).map(|(digest, file)| State::Complete { digest, file })?,
        3 => settled(&mut body).map(|(digest, file)| State::Committed { digest, file })?,
        _ => return None,
    };
    let fits =
        checkpoint.offset() <= durable && length.is_none_or(|length| durable <= length) && body.is_empty();
    let record = Record { id, principal, claim, spec, state, durable, checkpoint, created, progressed };
    fits.then_some((number, record))
}

/// The number in the head of a slot, valid or not; 0 if it was never written.
pub(crate) fn number(head: &[u8; HEAD]) -> u64 {
    match head.split_last_chunk() {
        Some((before, number)) if before.starts_with(MAGIC) => u64::from_be_bytes(*number),
        _ => 0,
    }
}

fn settled(body: &mut &[u8]) -> Option<(Digest, FileId)> {
    let digest = Digest::from_bytes(take(body)?);
    let dev = body.try_get_u64().ok()?;
    let ino = body.try_get_u64().ok()?;
    let len = body.try_get_u64().ok()?;
    let modified = body.try_get_i64().ok()?;
    Some((digest, FileId { dev, ino, len, modified }))
}

fn split<'a>(body: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (part, rest) = body.split_at_checked(len)?;
    *body = rest;
    Some(part)
}

fn take<const N: usize>(body: &mut &[u8]) -> Option<[u8; N]> {
    split(body, N)?.try_into().ok()
}

/// The newer of the valid slots of a journal.
pub(crate) fn newest(journal: &[u8]) -> Option<(u64, Record)> {
    journal.chunks(SLOT).take(2).filter_map(decode).max_by_key(|(number, _)| *number)
}

#[cfg(test)]
mod tests;
