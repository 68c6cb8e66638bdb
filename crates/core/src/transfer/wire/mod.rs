//! The frames of `bowline.v1`: each WebSocket binary message is exactly one of them.
//!
//! ```text
//! 0      1       2         4              8
//! +------+-------+---------+--------------+----------------------+------+---------+---------------+
//! | type | flags | ext_len | handle (u32) | fixed part, by type  | TLVs | payload | crc32c (u32)  |
//! +------+-------+---------+--------------+----------------------+------+---------+---------------+
//! ```
//!
//! Integers are big-endian and of fixed width. `ext_len` is the length of the TLVs in bytes; only DATA has a payload.
//! The checksum covers everything before it, so a damaged, misrouted or misplaced frame is detected, whatever carried
//! it.

mod decode;
mod encode;
mod words;

#[cfg(test)]
mod tests;

use super::{Batch, Code, Digest, Kind, SafeName, TransferId, UnixMode, Validator, What};
use alloc::string::String;
use bytes::Bytes;
use core::time::Duration;

pub use crate::envelope::{DecodeError, Fault, Handle, MAX_CONTROL, peek};
pub use decode::decode;
pub(super) use decode::{Place, peek_place};

/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;
/// The name of the subprotocol, negotiated in the opening handshake.
pub const SUBPROTOCOL: &str = "bowline.v1";
/// How many bytes a sender may send before the receiver has answered; fixed by the version.
pub const INITIAL_CREDIT: u64 = 64 * 1024;
/// The bytes of a DATA frame besides its payload.
pub const DATA_OVERHEAD: usize = 24;
/// The feature bit in a HELLO that says that this side accepts offers of unknown length.
pub const UNKNOWN_LENGTH: u64 = 1 << 6;
/// The greatest length that a file can have.
pub const MAX_LENGTH: u64 = i64::MAX as u64;
/// The least and the most that `max_chunk` of a HELLO or an ACCEPT may allow as the payload of one DATA frame.
pub const CHUNK_LIMITS: core::ops::RangeInclusive<u32> = 16 * 1024..=16 * 1024 * 1024;

/// The flag of a REQUEST for what was offered on an earlier link. A peer that does not know it may ignore it.
const AGAIN: u8 = 0x10;

pub(super) mod kind {
    pub(crate) const HELLO: u8 = 0x01;
    pub(crate) const GOAWAY: u8 = 0x02;
    pub(crate) const ERROR: u8 = 0x03;
    pub(crate) const PROBE: u8 = 0x04;
    pub(crate) const PROBE_ACK: u8 = 0x05;
    pub(crate) const OFFER: u8 = 0x10;
    pub(crate) const REQUEST: u8 = 0x11;
    pub(crate) const ACCEPT: u8 = 0x12;
    pub(crate) const DATA: u8 = 0x20;
    pub(crate) const FIN: u8 = 0x21;
    pub(crate) const ACK: u8 = 0x30;
    pub(crate) const DONE: u8 = 0x31;
    pub(crate) const FINISHING: u8 = 0x32;
    pub(crate) const PAUSE: u8 = 0x40;
    pub(crate) const RESUME: u8 = 0x41;
    pub(crate) const CANCEL: u8 = 0x42;
    /// Types from here on may be ignored by peers that do not know them.
    pub(crate) const OPTIONAL: u8 = 0x80;
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// The first frame of each side.
    Hello(Hello),
    /// This end is going away: no new offers, please.
    GoAway {
        /// Why.
        code: Code,
        /// When to come back.
        retry_after: Duration,
    },
    /// The connection cannot continue; a Close follows.
    Error {
        /// Why.
        code: Code,
        /// Why, in words.
        text: String,
    },
    /// Requests a [`Frame::ProbeAck`] with the same number: a ping for code that cannot send one.
    Probe(u64),
    /// The answer to a [`Frame::Probe`].
    ProbeAck(u64),
    /// A sender offers a file.
    Offer(Handle, Offer),
    /// A receiver requests a file.
    Request(Handle, Request),
    /// The receiver accepts an offer.
    Accept(Handle, Accept),
    /// A chunk.
    Data(Handle, Data),
    /// The sender has sent everything.
    Fin(Handle, Whole),
    /// How far the receiver has come.
    Ack(Handle, Ack),
    /// The receiver has the complete file, verified and in place.
    Done(Handle, Whole),
    /// The sender of this frame is still at work, or waits for something that does not concern the peer.
    Finishing(Handle, Phase),
    /// Either side asks for a pause: no bytes move.
    Pause(Handle, Pause),
    /// Either side ends its PAUSE. From a receiver, it also restarts credit.
    Resume(Handle, Resume),
    /// Either side gives up.
    Cancel(Handle, Cancel),
    /// A type that this version does not know and may ignore.
    Ignored(u8),
    /// A type that this version does not know and may not ignore.
    Unsupported(Handle, u8),
}

/// The first frame of each side: its limits and identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The lowest version spoken.
    pub min_version: u8,
    /// The highest version spoken.
    pub max_version: u8,
    /// The largest payload of a DATA frame that this side accepts.
    pub max_chunk: u32,
    /// How many transfers this side accepts at once.
    pub max_transfers: u32,
    /// How many offers per second this side accepts.
    pub max_offers_per_second: u32,
    /// How many bytes this side holds for all transfers together.
    pub credit: u64,
    /// Optional features, one bit each.
    pub features: u64,
    /// Random bytes that name this process.
    pub instance: [u8; 16],
    /// The program and its version.
    pub agent: String,
}

/// How an offer treats what the receiver already has under its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Continue where it stopped, or begin.
    AttachOrCreate,
    /// Begin; fail if there is something.
    Create,
    /// Continue; fail if there is nothing.
    Attach,
    /// Discard what is there, and begin.
    Restart,
}

/// A file or a folder on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The transfer.
    pub id: TransferId,
    /// Under what name.
    pub name: SafeName,
    /// What it is.
    pub kind: Kind,
    /// How many bytes; a folder has none. `None` if FIN will say it.
    pub length: Option<u64>,
    /// When the file was last changed, in milliseconds since 1970; 0 if unknown.
    pub mtime_ms: i64,
    /// The permissions for it, if the sender specified them.
    pub unix_mode: Option<UnixMode>,
    /// A text that distinguishes this version of the file from others.
    pub validator: Option<Validator>,
    /// Which other transfers it belongs to.
    pub batch: Option<Batch>,
    /// What to do with an earlier part.
    pub mode: Mode,
    /// Weight among the transfers of this connection; 0 is the default.
    pub priority: u16,
    /// The epoch that this sender saw before, 0 if none.
    pub epoch_seen: u32,
    /// The digest of the whole file, if it is known already.
    pub digest: Option<Digest>,
}

/// A requested file or listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The transfer; the requester chooses its id.
    pub id: TransferId,
    /// Which file, or what to list.
    pub what: What,
    /// From which offset on.
    pub from: u64,
    /// Up to but excluding this offset; the greatest number means the end.
    pub to: u64,
    /// Only if the file still has this digest.
    pub if_digest: Option<Digest>,
    /// Whether it was offered on an earlier link: then nothing is sent before ACCEPT, which says what arrived of it.
    pub again: bool,
}

/// The receiver's answer to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    /// Everything below is durable here; continue from there.
    pub resume: u64,
    /// Nothing at or above this offset may be sent yet.
    pub credit: u64,
    /// The largest payload of a DATA frame.
    pub max_chunk: u32,
    /// The number of this attachment: a later one supersedes it.
    pub epoch: u32,
    /// When the part is discarded, in seconds since 1970; 0 if never.
    pub expires: u64,
    /// The longest time that an acknowledgement is held back, in milliseconds.
    pub ack_ms: u32,
    /// What the receiver has.
    pub have: Have,
    /// The digest of everything below `resume`; zeros if that is nothing.
    pub prefix: Option<Digest>,
}

/// What the receiver of an offer already has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Have {
    /// The beginning, up to `resume`.
    Part,
    /// This transfer, complete: a DONE follows.
    Complete,
    /// A file with that name and length from elsewhere: the digest in a FIN decides whether it is the same.
    Present,
}

/// A piece of a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Data {
    /// Where the payload begins in the file.
    pub offset: u64,
    /// Counts the DATA frames of this handle, from 0.
    pub seq: u32,
    /// The bytes.
    pub payload: Bytes,
}

/// The whole file, identified by length and digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// How many bytes.
    pub length: u64,
    /// Their digest.
    pub digest: Digest,
    /// In DONE: whether the file was already there.
    pub deduplicated: bool,
}

/// An acknowledgement. It is cumulative: a later one includes everything that an earlier one said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Everything below has arrived.
    pub received: u64,
    /// Everything below survives a crash.
    pub durable: u64,
    /// Nothing at or above this offset may be sent yet.
    pub credit: u64,
    /// The last DATA frame seen.
    pub last_seq: u32,
    /// How long this acknowledgement was held back, in microseconds.
    pub hold_us: u32,
    /// Something is missing: go back to `received`.
    pub rewind: Option<Rewind>,
}

/// Why a sender has to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewind {
    /// Bytes are missing before the chunk that arrived.
    Gap,
    /// A chunk arrived damaged.
    Corrupt,
}

/// What an end is at work on: a receiver before ACCEPT, and between the last byte and DONE; a sender before FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Opening, or comparing digests.
    Verify,
    /// Waiting for the disk.
    Sync,
    /// Moving the file into place.
    Commit,
    /// A sender whose source has nothing to give for a while, or that waits while others have their turns.
    Source,
    /// Something else.
    Other(u32),
}

/// No bytes move until a RESUME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// How far this side has come: how much it has sent, or received.
    pub offset: u64,
    /// Whether a sender only confirms the PAUSE of its receiver, and pauses nothing itself.
    pub answer: bool,
}

/// The end of a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// How far this side has come: how much it has sent, or received.
    pub offset: u64,
    /// How many PAUSEs the receiver has heard on this handle; 0 from a sender.
    pub pauses: u32,
}

/// The early end of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Why.
    pub code: Code,
    /// When to try again; zero if no time is known.
    pub retry_after: Duration,
    /// How much remains durable; set by a receiver.
    pub durable: u64,
    /// Whether to discard the part.
    pub discard: bool,
    /// Why, in words.
    pub text: String,
}

impl core::fmt::Debug for Data {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { offset, seq, payload } = self;
        write!(f, "Data {{ offset: {offset}, seq: {seq}, payload: {} bytes }}", payload.len())
    }
}
