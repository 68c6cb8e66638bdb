//! What a connection can run on.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(unix)]
pub use std::os::fd::BorrowedFd as Handle;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
#[cfg(windows)]
use std::os::windows::io::AsSocket as AsFd;
#[cfg(windows)]
pub use std::os::windows::io::BorrowedSocket as Handle;
use std::time::Duration;

/// A stream that can be told not to wait, and that the system can be asked to wait for.
///
/// Sockets are such streams. So is whatever encrypts one, if it does four things: it reads and writes without waiting
/// (`WouldBlock`), it keeps back no bytes that came when it says that there are none, it [says](Self::has_input) when it
/// holds some that nobody has asked for, and `flush` brings on their way all that it holds back itself.
pub trait Stream: Read + Write {
    /// Calls return [`WouldBlock`](io::ErrorKind::WouldBlock) from here on, instead of waiting.
    ///
    /// # Errors
    /// What the system says.
    fn set_nonblocking(&self) -> io::Result<()>;

    /// The socket, to wait for.
    fn socket(&self) -> Handle<'_>;

    /// Ends the direction away from here: nothing more will be written.
    ///
    /// # Errors
    /// What the system says; [`WouldBlock`](io::ErrorKind::WouldBlock) if it is to be called again.
    fn finish_writing(&mut self) -> io::Result<()>;

    /// Whether there is something to read in here that the socket does not show: then nobody waits for the socket. A stream
    /// that holds no bytes has no need of it.
    fn has_input(&self) -> bool {
        false
    }

    /// Says how long [`read_patiently`](Self::read_patiently) waits from here on, and whether this stream can do that at all.
    /// One that says `false`, as it does by default, is waited for by its socket, and read then.
    ///
    /// # Errors
    /// What the system says.
    fn set_patience(&self, time: Duration) -> io::Result<bool> {
        let _ = time;
        Ok(false)
    }

    /// Reads, and waits until there is something to read, by one call of the system. Gives
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing has come in the time that was set. Other calls do not wait,
    /// neither before nor after.
    ///
    /// Of a socket of the standard library it is three calls: one that waits, and around it two that cost little, which
    /// tell the socket to wait and not to. Its duplicates wait meanwhile, too.
    ///
    /// # Errors
    /// As `read`.
    fn read_patiently(&mut self, place: &mut [u8]) -> io::Result<usize> {
        self.read(place)
    }
}

/// What the system knows as a socket, under one name on all systems.
pub(crate) trait Socket {
    fn socket(&self) -> Handle<'_>;
}

impl<S: AsFd> Socket for S {
    fn socket(&self) -> Handle<'_> {
        #[cfg(unix)]
        return self.as_fd();
        #[cfg(windows)]
        return self.as_socket();
    }
}

macro_rules! stream {
    ($stream:ty) => {
        impl Stream for $stream {
            fn set_nonblocking(&self) -> io::Result<()> {
                self.set_nonblocking(true)
            }

            fn socket(&self) -> Handle<'_> {
                Socket::socket(self)
            }

            fn finish_writing(&mut self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }

            // On Windows a socket is in an unknown state after a read whose time was over.
            #[cfg(unix)]
            fn set_patience(&self, time: Duration) -> io::Result<bool> {
                self.set_read_timeout(Some(time)).map(|()| true)
            }

            #[cfg(unix)]
            fn read_patiently(&mut self, place: &mut [u8]) -> io::Result<usize> {
                self.set_nonblocking(false)?;
                let read = self.read(place);
                self.set_nonblocking(true)?;
                read
            }
        }
    };
}
stream!(TcpStream);
#[cfg(unix)]
stream!(UnixStream);
