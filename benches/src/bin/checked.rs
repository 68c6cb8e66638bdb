//! A file over TCP with nothing but checks around it, for `benches/files/run`: the least that it takes to send a file
//! whose pieces have a CRC32C and which has a BLAKE3 digest, compared at the far end.
//!
//! ```text
//! checked serve ADDRESS FILE    takes one file, then ends
//! checked send ADDRESS FILE     sends it, and ends when it has arrived whole
//! ```
//!
//! At each end, one thread handles the file and its digest, and another one the socket and the checksums. Each piece is
//! its length, its checksum and its bytes; after the last one come a length of 0 and the digest.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use bowline_core::transfer::{Digest, Hasher};

/// The largest chunk of bowline.
const PIECE: usize = 512 << 10;
/// How many pieces there are at each end: one in each thread, and one on its way in each direction.
const PIECES: usize = 4;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address, file] => {
            let (stream, _) = TcpListener::bind(address)?.accept()?;
            take(stream, File::create(file)?)
        }
        ["send", address, file] => send(TcpStream::connect(address)?, File::open(file)?),
        _ => Err(io::Error::other("checked serve ADDRESS FILE, or checked send ADDRESS FILE")),
    }
}

/// Two threads pass pieces to each other: `fill` gets empty ones until it has no more, and `empty` gets the filled
/// ones.
fn pass<T: Send, U>(
    fill: impl FnOnce(Receiver<Vec<u8>>, SyncSender<Vec<u8>>) -> io::Result<T> + Send,
    empty: impl FnOnce(Receiver<Vec<u8>>, SyncSender<Vec<u8>>) -> io::Result<U>,
) -> io::Result<(T, U)> {
    let (give, filled) = sync_channel(PIECES);
    let (give_back, empties) = sync_channel(PIECES);
    for _ in 0..PIECES {
        give_back.send(vec![0; PIECE]).map_err(io::Error::other)?;
    }
    thread::scope(|scope| {
        let filling = scope.spawn(|| fill(empties, give));
        let emptied = empty(filled, give_back)?;
        let filled = filling.join().map_err(|_| io::Error::other("a thread has panicked"))??;
        Ok((filled, emptied))
    })
}

fn send(mut stream: TcpStream, mut file: File) -> io::Result<()> {
    let mut socket = stream.try_clone()?;
    let read = |empties: Receiver<Vec<u8>>, give: SyncSender<Vec<u8>>| {
        let mut hasher = Hasher::new();
        for mut piece in empties {
            piece.resize(PIECE, 0);
            match file.read(&mut piece)? {
                0 => break,
                n => piece.truncate(n),
            }
            hasher.update(&piece);
            if give.send(piece).is_err() {
                break;
            }
        }
        Ok(hasher.digest())
    };
    let write = |filled: Receiver<Vec<u8>>, give_back: SyncSender<Vec<u8>>| {
        for piece in filled {
            let head = [(piece.len() as u32).to_be_bytes(), crc32c::crc32c(&piece).to_be_bytes()].concat();
            write_both(&mut socket, &head, &piece)?;
            // Nobody reads any longer when the file has ended.
            let _ = give_back.send(piece);
        }
        Ok(())
    };
    let (digest, ()) = pass(read, write)?;
    stream.write_all(&[&[0; 8], &digest.as_bytes()[..]].concat())?;
    stream.read_exact(&mut [0])
}

/// With as few calls as the system allows.
fn write_both(socket: &mut TcpStream, mut head: &[u8], mut body: &[u8]) -> io::Result<()> {
    while !head.is_empty() {
        let n = socket.write_vectored(&[IoSlice::new(head), IoSlice::new(body)])?;
        let of_head = n.min(head.len());
        (head, body) = (&head[of_head..], &body[n - of_head..]);
    }
    socket.write_all(body)
}

fn take(mut stream: TcpStream, mut file: File) -> io::Result<()> {
    let mut socket = stream.try_clone()?;
    let read = move |empties: Receiver<Vec<u8>>, give: SyncSender<Vec<u8>>| {
        for mut piece in empties {
            let (mut len, mut checksum) = ([0; 4], [0; 4]);
            socket.read_exact(&mut len)?;
            socket.read_exact(&mut checksum)?;
            let len = u32::from_be_bytes(len) as usize;
            if len == 0 {
                break;
            }
            piece.resize(len.min(PIECE), 0);
            socket.read_exact(&mut piece)?;
            if crc32c::crc32c(&piece) != u32::from_be_bytes(checksum) {
                return Err(io::Error::other("a piece is damaged"));
            }
            if give.send(piece).is_err() {
                break;
            }
        }
        let mut digest = [0; 32];
        socket.read_exact(&mut digest)?;
        Ok(Digest::from_bytes(digest))
    };
    let write = |filled: Receiver<Vec<u8>>, give_back: SyncSender<Vec<u8>>| {
        let mut hasher = Hasher::new();
        for piece in filled {
            file.write_all(&piece)?;
            hasher.update(&piece);
            let _ = give_back.send(piece);
        }
        Ok(hasher.digest())
    };
    let (told, found) = pass(read, write)?;
    if told != found {
        return Err(io::Error::other("what has come is not what was sent"));
    }
    stream.write_all(b"!")
}
