//! The identity of a transfer: a 128-bit id that only its two ends know.

use core::fmt;

/// The identity of one transfer, the same across links, processes and nodes.
///
/// An id is a secret: anyone who knows it can continue the transfer. Draw it from the operating system's generator, or
/// derive it from a secret key and the identity of the file. `Debug` and `Display` show a short hash, so that a log can
/// distinguish transfers without revealing their ids.
///
/// ```
/// use bowline_core::transfer::TransferId;
/// let id = TransferId::from_bytes([7; 16]);
/// assert_eq!(id.to_hex(), "07".repeat(16));
/// assert_ne!(format!("{id}"), id.to_hex());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId([u8; 16]);

impl TransferId {
    /// The id made of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id made from the first half of these bytes: random ones, or a digest.
    ///
    /// ```
    /// use bowline_core::transfer::{Digest, TransferId};
    /// let digest = Digest::of(b"a secret of this program, /home/ann/a.tar, ws://127.0.0.1:9000");
    /// let id = TransferId::from_half_of(digest.as_bytes());
    /// assert_eq!(id.to_hex(), digest.to_string()[..32]);
    /// ```
    pub fn from_half_of(bytes: &[u8; 32]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&bytes[..16]);
        Self(id)
    }

    /// The bytes themselves. They are a secret.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id in hexadecimal, for the name of a private file. It is a secret.
    pub fn to_hex(&self) -> alloc::string::String {
        hex(&self.0)
    }
}

fn hex(bytes: &[u8]) -> alloc::string::String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&blake3::hash(&self.0).as_bytes()[..4]))
    }
}

impl fmt::Debug for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransferId({self})")
    }
}
