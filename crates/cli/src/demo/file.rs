//! The file of the demo: it is made of random bytes from a seed, and read again afterwards.

use bowline_core::transfer::Digest;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

/// How many bytes are made at once.
const PIECE: usize = 64 << 10;

/// Makes a file and computes its digest.
pub(super) async fn make(path: PathBuf, size: u64, seed: u64) -> io::Result<Digest> {
    blocking(move || {
        let mut bytes =
            blake3::Hasher::new().update(b"bowline demo").update(&seed.to_be_bytes()).finalize_xof();
        let (mut file, mut hasher) = (File::create(path)?, blake3::Hasher::new());
        let mut piece = vec![0; PIECE];
        let mut left = size;
        while left > 0 {
            let n = left.min(PIECE as u64);
            let piece = &mut piece[..n as usize];
            bytes.fill(piece);
            hasher.update(piece);
            file.write_all(piece)?;
            left -= n;
        }
        Ok(Digest::from_bytes(hasher.finalize().into()))
    })
    .await
}

/// The digest of a file, by plain BLAKE3 from its beginning to its end.
pub(super) async fn digest(path: PathBuf) -> io::Result<Digest> {
    blocking(move || {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok(Digest::from_bytes(hasher.finalize().into()))
    })
    .await
}

async fn blocking<T: Send + 'static>(job: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(job).await.map_err(io::Error::other)?
}
