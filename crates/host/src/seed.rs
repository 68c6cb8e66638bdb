//! Randomness of the operating system.

use std::io;

/// 32 bytes that nobody can guess: what a [`Connection`](bowline_core::Connection) keys its masks with.
///
/// # Errors
/// If the system gives none; then no connection is safe.
pub fn seed() -> io::Result<[u8; 32]> {
    random()
}

/// So many bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(format!("no random bytes: {error}")))?;
    Ok(bytes)
}

/// The same for those who are nothing without it: their ids would collide.
///
/// # Panics
/// If the system gives none.
#[cfg(feature = "transfer")]
pub(crate) fn certain_seed() -> [u8; 32] {
    seed().expect("the operating system has randomness")
}
