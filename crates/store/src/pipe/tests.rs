use super::*;
use std::sync::mpsc;

/// Far beyond what a thread takes to answer.
const LONG: Duration = Duration::from_secs(60);

/// What the other end writes, as its reader sees it.
struct Far {
    written: mpsc::Receiver<Vec<u8>>,
    rest: Vec<u8>,
}

impl Read for Far {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            // A writer that is gone has written everything.
            self.rest = self.written.recv().unwrap_or_default();
        }
        let some = self.rest.len().min(into.len());
        into[..some].copy_from_slice(&self.rest[..some]);
        self.rest.drain(..some);
        Ok(some)
    }
}

/// The writing end: it waits until its last write was taken.
struct Near(mpsc::SyncSender<Vec<u8>>);

impl Near {
    fn write(&self, data: &[u8]) -> Result<(), mpsc::SendError<Vec<u8>>> {
        data.chunks(BLOCK).try_for_each(|piece| self.0.send(piece.to_vec()))
    }
}

/// A pipe with this much room, its writing end, and what it reports.
fn pipe(room: u64) -> (Pipe, Near, mpsc::Receiver<Piece>) {
    let (writer, written) = mpsc::sync_channel(0);
    let pipe = Pipe::with_room(Far { written, rest: Vec::new() }, room).expect("a thread");
    let (sender, told) = mpsc::channel();
    pipe.connect(Box::new(move |piece| drop(sender.send(piece))));
    (pipe, Near(writer), told)
}

fn contents(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

/// Reads from `offset` to the end, in pieces of at most `len`.
fn read_all(pipe: &Pipe, told: &mpsc::Receiver<Piece>, mut offset: u64, len: usize) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        pipe.read(offset, len);
        match told.recv_timeout(LONG).expect("an answer") {
            Piece::Bytes { offset: at, data } => {
                assert!(at == offset && !data.is_empty() && data.len() <= len);
                offset += data.len() as u64;
                all.extend_from_slice(&data);
            }
            Piece::End { length } => {
                assert_eq!(length, offset);
                return all;
            }
            Piece::Failed(error) => panic!("{error}"),
        }
    }
}

#[test]
fn written_bytes_can_be_read_from_any_offset() {
    for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7] {
        let (pipe, writer, told) = pipe(ROOM);
        let data = contents(len);
        let written = data.clone();
        let writing = thread::spawn(move || writer.write(&written).expect("read"));
        assert_eq!(read_all(&pipe, &told, 0, 100_000), data);
        writing.join().expect("written");
        assert_eq!(read_all(&pipe, &told, (len / 2) as u64, 1000), data[len / 2..]);
        assert_eq!(pipe.digest(&Hasher::new(), len as u64).expect("all there"), Digest::of(&data));
    }
}

#[test]
fn a_read_waits_for_the_writer_and_takes_what_there_is() {
    let (pipe, writer, told) = pipe(ROOM);
    pipe.read(0, 1000);
    assert!(told.try_recv().is_err());
    writer.write(b"hello").expect("read");
    let Piece::Bytes { offset: 0, data } = told.recv_timeout(LONG).expect("an answer") else {
        panic!("no bytes")
    };
    assert_eq!(data, "hello");
    // Of two reads, the later one counts.
    pipe.read(5, 1000);
    pipe.read(2, 2);
    let Piece::Bytes { offset: 2, data } = told.recv_timeout(LONG).expect("an answer") else {
        panic!("no bytes")
    };
    assert_eq!(data, "ll");
    drop(writer);
    pipe.read(5, 1000);
    assert!(matches!(told.recv_timeout(LONG), Ok(Piece::End { length: 5 })));
}

#[test]
fn a_writer_waits_while_nothing_becomes_durable() {
    let room = 2 * BLOCK as u64;
    let (pipe, writer, told) = pipe(room);
    let data = contents(12 * BLOCK);
    let (written, whole) = (data.clone(), data.len());
    let writing = thread::spawn(move || writer.write(&written).expect("read"));
    let (mut hasher, mut all) = (Hasher::new(), Vec::new());
    while all.len() < data.len() {
        pipe.read(all.len() as u64, BLOCK);
        let Piece::Bytes { data, .. } = told.recv_timeout(LONG).expect("an answer") else {
            panic!("no bytes")
        };
        all.extend_from_slice(&data);
        let held = |spill: &Spill| (spill.end - spill.base, spill.blocks.len());
        let (bytes, blocks) = held(&lock(&pipe.0.spill));
        assert!(bytes <= room && blocks <= 3, "{bytes} bytes in {blocks} blocks");
        if all.len() as u64 - hasher.offset() == room {
            assert!(all.len() == whole || !writing.is_finished(), "after {} bytes", all.len());
            // The pipe is full and everything in it was read, so the writer continues only after this.
            pipe.hash(&mut hasher, all.len() as u64).expect("there");
            pipe.forget(all.len() as u64);
        }
    }
    writing.join().expect("written");
    assert_eq!(all, data);
    assert_eq!(pipe.digest(&hasher, data.len() as u64).expect("the rest"), Digest::of(&data));
}

#[test]
fn reading_bytes_that_are_forgotten_or_never_came_is_an_error() {
    let (pipe, writer, told) = pipe(ROOM);
    writer.write(&contents(1000)).expect("read");
    drop(writer);
    assert_eq!(read_all(&pipe, &told, 0, 5000).len(), 1000);
    let mut hasher = Hasher::new();
    pipe.hash(&mut hasher, 600).expect("there");
    pipe.forget(600);
    assert_eq!(read_all(&pipe, &told, 600, 5000), contents(1000)[600..]);
    for offset in [599, 1001, u64::MAX] {
        pipe.read(offset, 10);
        let Ok(Piece::Failed(error)) = told.recv_timeout(LONG) else { panic!("no failure at {offset}") };
        assert_eq!(error.kind(), ErrorKind::Forgotten, "{offset}");
    }
    assert_eq!(pipe.digest(&hasher, 599).expect_err("forgotten").kind(), ErrorKind::Forgotten);
    let error = pipe.digest(&hasher, 5000).expect_err("never came");
    assert_eq!(error.kind(), ErrorKind::Forgotten);
    assert!(error.reason().contains("5000 bytes are asked for, but only 1000 have come"), "{error}");
}

#[test]
fn the_failure_of_a_reader_is_reported_after_what_it_has_read() {
    struct Broken(bool);
    impl Read for Broken {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("torn off"));
            }
            into[0] = 7;
            Ok(1)
        }
    }
    let pipe = Pipe::new(Broken(false)).expect("a thread");
    let (sender, told) = mpsc::channel();
    pipe.connect(Box::new(move |piece| drop(sender.send(piece))));
    pipe.read(0, 10);
    assert!(matches!(told.recv_timeout(LONG), Ok(Piece::Bytes { offset: 0, .. })));
    pipe.read(1, 10);
    let Ok(Piece::Failed(error)) = told.recv_timeout(LONG) else { panic!("no failure") };
    assert_eq!(error.kind(), ErrorKind::PipeFailed);
    assert!(error.reason().contains("torn off"), "{error}");
}

#[test]
fn a_reader_that_would_block_is_asked_again() {
    struct Hasty(u8);
    impl Read for Hasty {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 | 2 => Err(io::ErrorKind::WouldBlock.into()),
                3 => Err(io::ErrorKind::Interrupted.into()),
                4 => {
                    into[0] = 7;
                    Ok(1)
                }
                _ => Ok(0),
            }
        }
    }
    let pipe = Pipe::new(Hasty(0)).expect("a thread");
    let (sender, told) = mpsc::channel();
    pipe.connect(Box::new(move |piece| drop(sender.send(piece))));
    assert_eq!(read_all(&pipe, &told, 0, 10), [7]);
}

#[test]
fn a_dropped_pipe_is_not_read_any_further() {
    let (pipe, writer, _told) = pipe(10);
    writer.write(b"0123456789 and more").expect("read");
    drop(pipe);
    // The thread ends, and with it the other end.
    assert!(writer.write(b"more").is_err());
}

#[test]
fn no_more_is_read_than_there_is_room_for() {
    let (pipe, writer, told) = pipe(10);
    writer.write(b"012345").expect("read");
    writer.write(b"6789 and more").expect("read as far as there is room");
    pipe.read(6, 100);
    let Ok(Piece::Bytes { offset: 6, data }) = told.recv_timeout(LONG) else { panic!("no bytes") };
    assert_eq!(data, "6789");
}

#[test]
fn the_thread_of_a_full_pipe_ends_when_the_pipe_is_dropped() {
    let (pipe, writer, told) = pipe(SMALL as u64);
    writer.write(&contents(SMALL)).expect("read");
    pipe.read(0, SMALL);
    assert!(matches!(told.recv_timeout(LONG), Ok(Piece::Bytes { .. })));
    // All that its thread can do by now is wait for room.
    let shared = Arc::downgrade(&pipe.0);
    drop(pipe);
    let end = std::time::Instant::now() + LONG;
    while shared.strong_count() > 0 {
        assert!(std::time::Instant::now() < end, "its thread waits for ever");
        thread::yield_now();
    }
}

#[test]
fn a_dropped_pipe_keeps_nothing_while_its_writer_is_silent() {
    let (pipe, writer, told) = pipe(ROOM);
    writer.write(&contents(SMALL)).expect("read");
    pipe.read(0, SMALL);
    assert!(matches!(told.recv_timeout(LONG), Ok(Piece::Bytes { .. })));
    let shared = Arc::clone(&pipe.0);
    drop(pipe);
    assert!(lock(&shared.spill).blocks.is_empty());
    assert_eq!(told.try_recv().expect_err("nobody tells"), mpsc::TryRecvError::Disconnected);
    drop(writer);
}

#[test]
fn forgetting_is_final_but_spares_bytes_that_are_still_to_come() {
    let (pipe, writer, told) = pipe(ROOM);
    writer.write(&contents(1000)).expect("read");
    pipe.read(0, 1000);
    assert!(matches!(told.recv_timeout(LONG), Ok(Piece::Bytes { .. })));
    pipe.forget(600);
    pipe.forget(10);
    pipe.read(300, 10);
    assert!(matches!(told.recv_timeout(LONG), Ok(Piece::Failed(_))));
    pipe.forget(u64::MAX);
    writer.write(b"more").expect("read");
    drop(writer);
    assert_eq!(read_all(&pipe, &told, 1000, 5000), b"more");
}
