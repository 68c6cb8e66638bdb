//! A file over TCP with nothing around it, for `benches/files/run`: the baseline for any other way to send a file.
//!
//! ```text
//! raw serve ADDRESS FILE    takes one file, then ends
//! raw send ADDRESS FILE     sends it, and ends when all of it was written
//! ```

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

const PIECE: usize = 256 << 10;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address, file] => {
            let (mut stream, _) = TcpListener::bind(address)?.accept()?;
            pour(&mut stream, &mut File::create(file)?)?;
            stream.write_all(b"!")
        }
        ["send", address, file] => {
            let mut stream = TcpStream::connect(address)?;
            pour(&mut File::open(file)?, &mut stream)?;
            stream.shutdown(Shutdown::Write)?;
            stream.read_exact(&mut [0])
        }
        _ => Err(io::Error::other("raw serve ADDRESS FILE, or raw send ADDRESS FILE")),
    }
}

/// With reads and writes: the system could do it alone, but then nobody could look at the bytes.
fn pour(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut place = vec![0; PIECE];
    loop {
        match from.read(&mut place)? {
            0 => return Ok(()),
            n => to.write_all(&place[..n])?,
        }
    }
}
