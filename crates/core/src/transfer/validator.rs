//! A short text that changes when a file changes.

use core::fmt;

/// Distinguishes versions of a source file without reading it: at most 64 bytes that only the sender understands, such
/// as a hash of device, inode, size and times.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Validator {
    bytes: [u8; Self::MAX],
    len: u8,
}

/// A validator of more than 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a validator of {0} bytes, {max} are allowed", max = Validator::MAX)]
pub struct ValidatorError(pub usize);

impl Validator {
    /// The most bytes that a validator may have.
    pub const MAX: usize = 64;

    /// The validator made of these bytes.
    ///
    /// # Errors
    /// If there are more than [`Validator::MAX`].
    pub fn from_bytes(from: &[u8]) -> Result<Self, ValidatorError> {
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..from.len()).ok_or(ValidatorError(from.len()))?.copy_from_slice(from);
        Ok(Self { bytes, len: from.len() as u8 })
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Validator(")?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
