//! Type-length-value fields behind the fixed part of a frame.

use super::Fault;
use bytes::{BufMut, BytesMut};

pub(crate) const AGENT: u16 = 0x8001;
pub(crate) const TEXT: u16 = 0x8010;
pub(crate) const NAME: u16 = 0x0020;
pub(crate) const VALIDATOR: u16 = 0x0022;
pub(crate) const BATCH: u16 = 0x0024;
pub(crate) const KIND: u16 = 0x002a;
pub(crate) const UNIX_MODE: u16 = 0x8028;

/// Types from here on may be ignored by those who do not know them.
const OPTIONAL: u16 = 0x8000;
/// More fields than any frame needs; finding duplicates costs their square.
const MAX_FIELDS: usize = 64;

/// Writes one field. Values of more than 65,535 bytes are cut; callers stay far below.
pub(crate) fn put(out: &mut BytesMut, kind: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    out.put_u16(kind);
    out.put_u16(value.len() as u16);
    out.put_slice(value);
}

/// The values of the known fields, in the order of `known`.
///
/// # Errors
/// A field is cut off, stands twice, or is unknown and critical.
pub(crate) fn read<const N: usize>(mut ext: &[u8], known: [u16; N]) -> Result<[Option<&[u8]>; N], Fault> {
    let mut found = [None; N];
    let mut seen = [0_u16; MAX_FIELDS];
    let mut count = 0;
    while !ext.is_empty() {
        let Some(([k0, k1, l0, l1], rest)) = ext.split_first_chunk::<4>() else {
            return Err(Fault::TlvCutOff);
        };
        let kind = u16::from_be_bytes([*k0, *k1]);
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let Some((value, rest)) = rest.split_at_checked(length) else { return Err(Fault::TlvCutOff) };
        ext = rest;
        if count == MAX_FIELDS {
            return Err(Fault::TooManyTlvs);
        }
        if seen[..count].contains(&kind) {
            return Err(Fault::DuplicateTlv(kind));
        }
        seen[count] = kind;
        count += 1;
        match known.iter().position(|k| *k == kind) {
            Some(at) => found[at] = Some(value),
            None if kind >= OPTIONAL => {}
            None => return Err(Fault::UnknownTlv(kind)),
        }
    }
    Ok(found)
}
