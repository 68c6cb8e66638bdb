//! Random bytes from the operating system.

use std::io;

/// 32 unpredictable bytes: a [`Connection`](bowline_core::Connection) derives its mask keys from them.
///
/// # Errors
/// If the system provides none; then no connection is safe.
pub fn seed() -> io::Result<[u8; 32]> {
    random()
}

/// This many unpredictable bytes.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(format!("no random bytes: {error}")))?;
    Ok(bytes)
}

/// The same for callers that cannot work without it: their ids would collide.
///
/// # Panics
/// If the system provides none.
#[cfg(feature = "transfer")]
pub(crate) fn certain_seed() -> [u8; 32] {
    seed().expect("the operating system has randomness")
}
