//! Waiting for a socket, a deadline, or a call from another thread.

use std::io::{self, Read, Write};
#[cfg(windows)]
use std::net::{TcpListener, TcpStream as Pipe};
#[cfg(unix)]
use std::os::unix::net::UnixStream as Pipe;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::stream::{Handle, Stream};

/// Wakes a thread that waits for a socket. Clones wake the same one.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<Pipe>);

/// The thread's end.
#[derive(Clone, Debug)]
pub(crate) struct Wakened(Arc<Pipe>);

/// A waker, and the end that it wakes.
pub(crate) fn waker() -> io::Result<(Waker, Wakened)> {
    let (near, far) = pair()?;
    near.set_nonblocking(true)?;
    far.set_nonblocking(true)?;
    Ok((Waker(Arc::new(near)), Wakened(Arc::new(far))))
}

#[cfg(unix)]
fn pair() -> io::Result<(Pipe, Pipe)> {
    Pipe::pair()
}

#[cfg(windows)]
fn pair() -> io::Result<(Pipe, Pipe)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = Pipe::connect(listener.local_addr()?)?;
    // Another process may have connected first.
    loop {
        let (far, peer) = listener.accept()?;
        if peer == near.local_addr()? {
            return Ok((near, far));
        }
    }
}

impl Waker {
    /// Wakes the thread, now or when it next waits.
    pub(crate) fn wake(&self) {
        // If it is full, the thread has already been woken; if the other end is gone, there is nobody to wake.
        let _ = (&*self.0).write(&[1]);
    }

    /// Whether this wakes the same thread.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Wakened {
    /// Waits until another thread calls, or this much time has passed; `None` means for ever. Returns whether one has
    /// called.
    pub(crate) fn wait(&self, time: Option<Duration>) -> io::Result<bool> {
        wait(None, Interest { read: false, write: false }, Some(self), time)
    }

    /// Forgets all calls so far.
    fn clear(&self) {
        let mut calls = [0; 64];
        while (&*self.0).read(&mut calls).is_ok_and(|n| n == calls.len()) {}
    }
}

/// What to wait for besides the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interest {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

/// Waits for a stream as [`wait`] does for a socket; not at all if it should be read, and holds input.
pub(crate) fn wait_for<S: Stream>(
    stream: &S,
    interest: Interest,
    wakened: Option<&Wakened>,
    time: Option<Duration>,
) -> io::Result<bool> {
    let holds = interest.read && stream.has_input();
    wait(Some(stream.socket()), interest, wakened, if holds { Some(Duration::ZERO) } else { time })
}

/// Waits until the socket is ready for one of these, another thread calls, or this much time has passed; `None` means
/// for ever. Returns whether a thread has called.
pub(crate) fn wait(
    socket: Option<Handle<'_>>,
    interest: Interest,
    wakened: Option<&Wakened>,
    time: Option<Duration>,
) -> io::Result<bool> {
    let call = wakened.map(|wakened| PollFd::new(&*wakened.0, PollFlags::IN));
    let data = socket.as_ref().filter(|_| interest.read || interest.write).map(|socket| {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, interest.read);
        flags.set(PollFlags::OUT, interest.write);
        PollFd::new(socket, flags)
    });
    let (mut both, mut one);
    let fds: &mut [PollFd<'_>] = match (call, data) {
        (Some(call), Some(data)) => {
            both = [call, data];
            &mut both
        }
        (Some(only), None) | (None, Some(only)) => {
            one = [only];
            &mut one
        }
        (None, None) => {
            // Windows cannot wait for the time alone.
            thread::sleep(time.unwrap_or(Duration::MAX));
            return Ok(false);
        }
    };
    // A time that the system cannot express means for ever.
    let time = time.and_then(|time| Timespec::try_from(time).ok());
    match poll(fds, time.as_ref()) {
        // After an interruption by a signal, the caller checks again.
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    // On Windows this is two flags in one, of which one is set.
    let called = wakened.is_some() && fds[0].revents().intersects(PollFlags::IN);
    if let Some(wakened) = wakened.filter(|_| called) {
        wakened.clear();
    }
    Ok(called)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const NOTHING: Interest = Interest { read: false, write: false };

    #[test]
    fn a_wait_for_nothing_else_lasts_for_its_time() {
        let before = Instant::now();
        assert!(!wait(None, NOTHING, None, Some(Duration::from_millis(5))).unwrap());
        assert!(before.elapsed() >= Duration::from_millis(5));
    }

    #[test]
    fn a_call_wakes_once_whether_it_comes_before_or_during_the_wait() {
        let (waker, wakened) = waker().unwrap();
        for _ in 0..1000 {
            waker.wake();
        }
        let wait = |time| wakened.wait(time).unwrap();
        assert!(wait(None), "before");
        // If the pipe is a socket, some of so many wake-ups may still be on their way.
        #[cfg(unix)]
        assert!(!wait(Some(Duration::ZERO)), "all calls are answered");
        let later = thread::spawn(move || waker.wake());
        assert!(wait(None), "during");
        later.join().unwrap();
    }

    #[test]
    fn the_time_ends_a_wait() {
        assert!(!wait(None, NOTHING, None, Some(Duration::from_millis(5))).unwrap());
    }

    #[test]
    fn a_time_without_end_is_waited_for() {
        let (waker, wakened) = waker().unwrap();
        let later = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            waker.wake();
        });
        assert!(wakened.wait(Some(Duration::MAX)).unwrap());
        later.join().unwrap();
    }
}
