//! Pipes, from the reader to the file.

use super::*;

/// A reader that delivers little at a time.
struct Slow(std::io::Cursor<Vec<u8>>);

impl std::io::Read for Slow {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        std::thread::sleep(Duration::from_millis(1));
        let most = into.len().min(10_000);
        self.0.read(&mut into[..most])
    }
}

#[test]
fn the_contents_of_a_pipe_arrive_over_links_that_are_cut() {
    for slow in [false, true] {
        let data = contents(if slow { 900_000 } else { 5_000_000 });
        let mut world = World::new();
        let reader = std::io::Cursor::new(data.clone());
        if slow {
            world.offer_pipe(Slow(reader));
        } else {
            world.offer_pipe(reader);
        }
        for part in 1..6 {
            world.link_up();
            world.exchange_until_received(part * data.len() as u64 / 6);
            world.client.transfers.handle_link_down(Instant::ZERO);
            world.server.transfers.handle_link_down(Instant::ZERO);
        }
        world.link_up();
        assert_eq!(world.run(), Ok(()), "{:?}", world.client.told);
        assert!(std::fs::read(world.to.path().join("file")).expect("in its place") == data);
    }
}

#[test]
fn an_empty_pipe_is_an_empty_file() {
    let mut world = World::new();
    world.offer_pipe(std::io::empty());
    world.link_up();
    assert_eq!(world.run(), Ok(()));
    assert_eq!(std::fs::read(world.to.path().join("file")).expect("in its place"), b"");
}

#[test]
fn a_pipe_that_brings_too_much_is_stopped_at_the_quota() {
    let mut world = World::new();
    let mut config = StoreConfig::default();
    config.quota.bytes = Some(1_000_000);
    world.server.store = DiskStore::open(world.to.path(), config).expect("a folder");
    world.offer_pipe(std::io::repeat(7));
    world.link_up();
    assert_eq!(world.run(), Err(Code::Quota));
    assert!(!world.to.path().join("file").exists());
    world.wait_until_nothing_is_left();
}

/// What a receiver has lost of what it has reported as durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    All,
    Half,
}

/// What the other end writes, as its reader sees it.
struct Far(mpsc::Receiver<Vec<u8>>);

impl std::io::Read for Far {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        // A writer that is gone has written everything.
        let piece = self.0.recv().unwrap_or_default();
        into[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// Copies the files of a folder, as a backup does.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").map(|entry| entry.expect("listed")) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}

#[test]
#[cfg_attr(windows, ignore = "nobody else reads a file that is locked there")]
fn a_pipe_ends_with_an_error_if_the_receiver_has_lost_durable_bytes() {
    for lost in [Lost::All, Lost::Half] {
        let mut world = World::new();
        let (writer, written) = mpsc::channel();
        world.offer_pipe(Far(written));
        world.link_up();
        writer.send(contents(30_000)).expect("read");
        world.run_until_safe(30_000);
        let early = tempfile::tempdir().expect("a folder");
        copy(&world.to.path().join(".bowline"), early.path());
        writer.send(contents(40_000)).expect("read");
        world.run_until_safe(70_000);
        drop(writer);
        world.client.transfers.handle_link_down(world.now);
        // Another machine takes its place, with an older copy of its disk or an empty one.
        world.to = tempfile::tempdir().expect("a folder");
        if lost == Lost::Half {
            copy(early.path(), &world.to.path().join(".bowline"));
        }
        world.server = End::new(Role::Server, world.to.path(), 3);
        world.link_up();
        assert_eq!(world.run(), Err(Code::SourceChanged), "{lost:?}");
        let Some(Event::Failed { failure, .. }) = world.client.told.last() else { panic!("no failure") };
        let text = failure.to_string();
        let words = "the other side does not have what it said it had, and a pipe cannot be read again (";
        let numbers = if lost == Lost::All { "0 bytes are there" } else { "30000 bytes are there" };
        assert_eq!(text, format!("{words}{numbers} of 70000 that were safe)"));
        world.wait_until_nothing_is_left();
    }
}
