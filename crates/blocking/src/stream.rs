//! What a connection can run on.

use std::io::{self, IoSlice, Read, Write};
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

#[cfg(target_os = "linux")]
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};

/// A stream that can be told not to wait, and that the system can be asked to wait for.
///
/// Sockets are such streams. So is whatever encrypts one, if it does four things: it reads and writes without waiting
/// (`WouldBlock`), it keeps back no bytes that came when it says that there are none, it [says](Self::has_input) when
/// it holds some that nobody has asked for, and `flush` brings on their way all that it holds back itself.
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

    /// Whether there is something to read in here that the socket does not show: then nobody waits for the socket. A
    /// stream that holds no bytes has no need of it.
    fn has_input(&self) -> bool {
        false
    }

    /// From here on `read` waits until there is something to read, so long at most, and gives
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) then. [`read_now`](Self::read_now) and [`write_now`](Self::write_now)
    /// do not wait: a stream that overrides this one overrides those, too. Says whether this stream can do that at all.
    /// One that says `false`, as it does by default, is waited for by its socket, and read then.
    ///
    /// # Errors
    /// What the system says.
    fn set_patience(&self, time: Duration) -> io::Result<bool> {
        let _ = time;
        Ok(false)
    }

    /// Reads what there is, and does not wait.
    ///
    /// # Errors
    /// As `read`; [`WouldBlock`](io::ErrorKind::WouldBlock) if there is nothing.
    fn read_now(&mut self, place: &mut [u8]) -> io::Result<usize> {
        self.read(place)
    }

    /// Writes of these slices, in order, what is taken at once, and does not wait.
    ///
    /// # Errors
    /// As `write`; [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is.
    fn write_now(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [only] => self.write(only),
            several => self.write_vectored(several),
        }
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

            // Elsewhere a socket cannot be told for one call, and the next, whether to wait.
            #[cfg(target_os = "linux")]
            fn set_patience(&self, time: Duration) -> io::Result<bool> {
                self.set_read_timeout(Some(time))?;
                self.set_nonblocking(false).map(|()| true)
            }

            #[cfg(target_os = "linux")]
            fn read_now(&mut self, place: &mut [u8]) -> io::Result<usize> {
                Ok(recv(&*self, place, RecvFlags::DONTWAIT)?.0)
            }

            #[cfg(target_os = "linux")]
            fn write_now(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                Ok(match slices {
                    [only] => send(&*self, only, flags)?,
                    several => sendmsg(&*self, several, &mut SendAncillaryBuffer::default(), flags)?,
                })
            }
        }
    };
}
stream!(TcpStream);
#[cfg(unix)]
stream!(UnixStream);
