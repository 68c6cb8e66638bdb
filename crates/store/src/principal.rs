//! The owner of a partial file.

use bowline_core::transfer::{Digest, TransferId};
use std::fmt;
use std::sync::Arc;

/// The most bytes that a principal's name may have: every journal contains it.
const MAX_NAME: usize = 64;

/// The party behind a transfer, as far as the application can tell: for example the user that a token names.
///
/// A partial file belongs to one principal. Others cannot continue it, nor find out that it exists: the same id under
/// two principals means two transfers. Each principal has its own quota. The default is no particular principal, for a
/// server that requires no token, or knows only one.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal(Arc<str>);

/// A name that no principal can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrincipalError(usize);

impl Principal {
    /// The principal with this name.
    ///
    /// # Errors
    /// The name is empty, or longer than 64 bytes.
    pub fn named(name: &str) -> Result<Self, PrincipalError> {
        if name.is_empty() || name.len() > MAX_NAME {
            Err(PrincipalError(name.len()))
        } else {
            Ok(Self(name.into()))
        }
    }

    /// The name; empty for no particular principal.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The key of this principal's transfer with this id among all transfers of a store.
    pub(crate) fn key(&self, id: TransferId) -> TransferId {
        if self.0.is_empty() {
            return id;
        }
        let digest = Digest::of(&[self.0.as_bytes(), &[0], id.as_bytes()].concat());
        let mut key = [0; 16];
        key.copy_from_slice(&digest.as_bytes()[..16]);
        TransferId::from_bytes(key)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({:?})", self.name())
    }
}

impl fmt::Display for PrincipalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a name of {} bytes; 1 to {MAX_NAME} are allowed", self.0)
    }
}

impl std::error::Error for PrincipalError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_means_a_different_transfer_for_each_principal() {
        let id = TransferId::from_bytes([7; 16]);
        let keys = ["", "alice", "alic", "bob"]
            .map(|name| Principal::named(name).unwrap_or_default().key(id).to_hex());
        assert_eq!(keys[0], id.to_hex());
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), 4);
    }

    #[test]
    fn names_are_neither_empty_nor_long() {
        assert_eq!(
            Principal::named("").map_err(|e| e.to_string()),
            Err("a name of 0 bytes; 1 to 64 are allowed".into())
        );
        assert!(Principal::named(&"x".repeat(64)).is_ok());
        assert!(Principal::named(&"x".repeat(65)).is_err());
    }
}
