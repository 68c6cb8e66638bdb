//! What identifies a session, and what opens it.

use crate::secret;
use core::fmt;

/// The name of a session: 128 random bits, chosen by the client that begins it, the same on all its links.
///
/// It may be shown: it opens nothing without the secret, which changes with each resume.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// The id made of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes themselves.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    /// Prints the first half, enough to tell sessions apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// What a client shows to resume its session: 128 random bits, valid for one epoch. Never logged.
#[derive(Clone, Copy)]
pub struct Secret([u8; 16]);

impl Secret {
    /// The secret made of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes themselves, for the wire only.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The secret of one epoch of a session, which only the owner of the key can compute.
    pub(super) fn derive(key: &[u8; 32], session: SessionId, epoch: u32) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(&session.0).update(&epoch.to_be_bytes());
        let mut secret = [0; 16];
        secret.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(secret)
    }
}

impl PartialEq for Secret {
    /// Takes the same time wherever the two differ.
    fn eq(&self, other: &Self) -> bool {
        secret::same(&self.0, &other.0)
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
