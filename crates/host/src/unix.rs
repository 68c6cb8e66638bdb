//! Unix sockets at a path, for this user alone, which are removed with their listener; and locks on folders.

use std::fs;
use std::io::{self, Error, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bowline_core::closing::Span;
use rustix::fs::{FlockOperation, flock};
use socket2::{Domain, SockAddr, Socket, Type};

/// How many clients may wait to be accepted, as for TCP in the standard library.
const BACKLOG: i32 = 128;
/// How long to wait for others that hold the lock on a folder. Each takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait before trying the lock on a folder again: too short for a person to notice.
const PAUSE: Duration = Duration::from_millis(5);

/// The lock on a folder, until this is dropped.
#[derive(Debug)]
#[must_use = "the turn is over when this is dropped"]
pub struct Turn {
    /// `None` where folders cannot be locked.
    _folder: Option<fs::File>,
}

/// The file of a socket. Dropping this removes it, unless somebody has put another there meanwhile.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    node: Node,
}

/// Identifies a file: the number of a removed file is reused, so it includes the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    device: u64,
    number: u64,
    made: (i64, i64),
}

/// Listens at this path. Only this user can connect: the file has its permissions before anybody can. A socket that an
/// earlier process left behind is replaced. This may block for seconds while others start listening in the same folder,
/// so do not call it on a runtime's thread.
///
/// # Errors
/// The system's error; [`AddrInUse`](ErrorKind::AddrInUse) if something is already listening there, or if the file is
/// not a socket; [`TimedOut`](ErrorKind::TimedOut) if another process keeps the folder locked.
pub fn listen(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    listen_within(path, PATIENCE)
}

fn listen_within(path: &Path, time: Duration) -> io::Result<(UnixListener, SocketFile)> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Between `bind` and `listen` a socket looks as if it had been left behind.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _turn = turn_within(folder, time)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            remove_stale(path)?;
            socket.bind(&address)?;
        }
        bound => bound?,
    }
    let node = node(path)?;
    let file = SocketFile { path: path.to_owned(), node };
    // Nobody can connect before `listen`.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    Ok((UnixListener::from(std::os::fd::OwnedFd::from(socket)), file))
}

/// Connects to this path, within this time: if many wait to be accepted, a caller has to wait for a place among them.
///
/// # Errors
/// The system's error; [`TimedOut`](ErrorKind::TimedOut) after this time.
pub fn connect(path: &Path, time: Duration) -> io::Result<UnixStream> {
    let (socket, address) = (Socket::new(Domain::UNIX, Type::STREAM, None)?, SockAddr::unix(path)?);
    let start = Instant::now();
    loop {
        // The write timeout also applies to a connect. Zero would mean for ever.
        let rest = time.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        socket.set_write_timeout(Some(rest))?;
        match socket.connect(&address) {
            Ok(()) => break,
            // A signal arrived, or the process was stopped for a while.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
            Err(error) => return Err(error),
        }
    }
    socket.set_write_timeout(None)?;
    Ok(UnixStream::from(std::os::fd::OwnedFd::from(socket)))
}

/// Locks a folder, so that one process after the other changes what belongs together there. If folders cannot be
/// locked, this does not wait. Anyone who can read a folder can lock it, for as long as they like, so this waits for at
/// most two seconds.
///
/// # Errors
/// [`TimedOut`](ErrorKind::TimedOut) if another process keeps the folder locked.
pub fn turn(folder: &Path) -> io::Result<Turn> {
    turn_within(folder, PATIENCE)
}

fn turn_within(folder: &Path, time: Duration) -> io::Result<Turn> {
    let Ok(file) = fs::File::open(folder) else { return Ok(Turn { _folder: None }) };
    let start = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Turn { _folder: Some(file) }),
            Err(rustix::io::Errno::WOULDBLOCK) if start.elapsed() < time => thread::sleep(PAUSE),
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(locked(folder, time)),
            Err(_) => return Ok(Turn { _folder: None }),
        }
    }
}

fn locked(folder: &Path, time: Duration) -> Error {
    let folder = folder.display();
    let text = format!("another process has kept the folder {folder} locked for {}", Span(time));
    Error::new(ErrorKind::TimedOut, text)
}

/// What to call a client in events, if the user that it runs as is known. A client that has gone again has no name, and
/// not every system knows.
pub fn peer(user: Option<u32>) -> String {
    user.map_or_else(|| "unix".into(), |user| format!("unix:user={user}"))
}

/// Removes the file of a socket without a listener.
fn remove_stale(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(Error::new(ErrorKind::AddrInUse, "there is a file that is not a socket"));
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Does not wait for a listener that accepts nobody.
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Err(Error::new(ErrorKind::AddrInUse, "something is already listening there")),
    }
}

fn node(path: &Path) -> io::Result<Node> {
    let data = fs::symlink_metadata(path)?;
    Ok(Node { device: data.dev(), number: data.ino(), made: (data.mtime(), data.mtime_nsec()) })
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if node(&self.path).is_ok_and(|node| node == self.node) {
            // If it cannot be removed, the next listener here will do it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        (dir, path)
    }

    #[test]
    fn a_socket_is_for_this_user_alone_and_goes_with_its_owner() {
        let (_dir, path) = place();
        let (listener, file) = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).unwrap();
        listener.accept().unwrap();
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_that_was_left_behind_is_replaced() {
        let (_dir, path) = place();
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let (_listener, _file) = listen(&path).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn only_one_of_many_simultaneous_listeners_succeeds() {
        for _ in 0..50 {
            let (_dir, path) = place();
            drop(UnixListener::bind(&path).unwrap());
            let start = std::sync::Barrier::new(8);
            let listening: Vec<_> = thread::scope(|threads| {
                let begin = || {
                    start.wait();
                    listen(&path)
                };
                let threads: Vec<_> = (0..8).map(|_| threads.spawn(begin)).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect()
            });
            assert_eq!(listening.len(), 1);
            UnixStream::connect(&path).unwrap();
            listening[0].0.accept().unwrap();
        }
    }

    #[test]
    fn a_folder_locked_by_another_process_is_waited_for_but_not_for_ever() {
        let (dir, path) = place();
        let other = fs::File::open(dir.path()).unwrap();
        flock(&other, FlockOperation::LockExclusive).unwrap();
        let time = Duration::from_millis(50);
        let (start, error) = (Instant::now(), listen_within(&path, time).unwrap_err());
        assert!(start.elapsed() >= time);
        let expected =
            format!("another process has kept the folder {} locked for 50 ms", dir.path().display());
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::TimedOut, expected));
        assert!(!path.exists());

        thread::scope(|threads| {
            let listening = threads.spawn(|| listen_within(&path, Duration::from_secs(60)).map(drop));
            thread::sleep(time);
            assert!(!listening.is_finished());
            drop(other);
            listening.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_listener_with_a_full_queue_is_not_waited_for() {
        let (_dir, path) = place();
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        // The only place in the queue.
        let _waiting = UnixStream::connect(&path).unwrap();
        assert_eq!(listen(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
    }

    /// A call with a timeout is interrupted when its process is stopped and continued.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_connect_that_is_interrupted_goes_on() {
        let (_dir, path) = place();
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        let _first = UnixStream::connect(&path).unwrap();
        thread::scope(|threads| {
            let connecting = threads.spawn(|| connect(&path, Duration::from_secs(60)).map(drop));
            let stop = "sleep 0.1; kill -STOP $PPID; sleep 0.1; kill -CONT $PPID";
            assert!(std::process::Command::new("sh").args(["-c", stop]).status().unwrap().success());
            socket.accept().unwrap();
            connecting.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_path_that_is_in_use_is_left_alone() {
        let (_dir, path) = place();
        let (_listener, _file) = listen(&path).unwrap();
        let error = listen(&path).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::AddrInUse, "something is already listening there".into())
        );
        UnixStream::connect(&path).unwrap();

        let (_dir, path) = place();
        fs::write(&path, "precious").unwrap();
        assert_eq!(listen(&path).unwrap_err().to_string(), "there is a file that is not a socket");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn the_socket_of_a_successor_stays() {
        let (dir, path) = place();
        let (listener, file) = listen(&path).unwrap();
        drop(listener);
        // The clock of files is coarse, and must have advanced.
        let later = dir.path().join("later");
        while {
            fs::write(&later, "").unwrap();
            node(&later).unwrap().made <= file.node.made
        } {}
        let (_listener, _file) = listen(&path).unwrap();
        drop(file);
        UnixStream::connect(&path).unwrap();
    }
}
