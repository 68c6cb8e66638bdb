//! Uploads a file, and prints its progress:
//!
//! ```text
//! cargo run -p bowline-blocking --example blocking_upload -- holiday.tar ws://127.0.0.1:9000
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;

use bowline_blocking::{Client, ClientConfig};
use bowline_core::transfer::{Digest, SafeName, TransferId};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(url)) = (arguments.next(), arguments.next()) else { return Err("FILE URL".into()) };
    upload(Path::new(&file), &url)
}

pub(crate) fn upload(file: &Path, url: &str) -> Result<(), Box<dyn Error>> {
    let name = file.file_name().and_then(|name| name.to_str()).ok_or("the file has no name")?;
    // The same file to the same server is the same transfer, even in another process. Others must not be able to guess
    // the id: if they can reach that server, too, hash a secret as well.
    let id = Digest::of(format!("{url} {}", file.canonicalize()?.display()).as_bytes());
    let id = TransferId::from_half_of(id.as_bytes());

    let client = Client::new(url, ClientConfig::default())?;
    let mut upload = client.upload(file, SafeName::parse(name)?, id)?;
    for progress in upload.progress() {
        let (length, rate) = (progress.length.unwrap_or(0), progress.rate.unwrap_or(0) / 1000);
        println!("{} of {length} bytes, {rate} kB/s", progress.received);
    }
    let finished = upload.finished()?;
    println!("{} bytes over {} links, BLAKE3 {}", finished.bytes, finished.links, finished.digest);
    client.close();
    Ok(())
}
