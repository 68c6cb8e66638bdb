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

/// A stream that can be made non-blocking, and whose socket the system can wait for.
///
/// Sockets are such streams. So is a stream that encrypts one, if it does four things: it reads and writes without
/// blocking (`WouldBlock`); it does not hold back received bytes when it says that there are none; it
/// [says](Self::has_input) when it holds bytes that were not requested yet; and `flush` sends everything that it holds
/// back itself.
pub trait Stream: Read + Write {
    /// Makes calls return [`WouldBlock`](io::ErrorKind::WouldBlock) from here on, instead of blocking.
    ///
    /// # Errors
    /// The system's error.
    fn set_nonblocking(&self) -> io::Result<()>;

    /// The socket to wait for.
    fn socket(&self) -> Handle<'_>;

    /// Ends the outgoing direction: nothing more will be written.
    ///
    /// # Errors
    /// The system's error; [`WouldBlock`](io::ErrorKind::WouldBlock) if it must be called again.
    fn finish_writing(&mut self) -> io::Result<()>;

    /// Whether it holds input that the socket does not show; if so, nobody waits for the socket. A stream that holds no
    /// bytes does not need this.
    fn has_input(&self) -> bool {
        false
    }

    /// From here on, makes `read` wait for input, at most this long, and then return
    /// [`WouldBlock`](io::ErrorKind::WouldBlock). [`read_now`](Self::read_now) and [`write_now`](Self::write_now) still
    /// do not wait: a stream that overrides this method must override those too. Returns whether this stream supports
    /// it. If it returns `false`, the default, the socket is waited for, and then read.
    ///
    /// # Errors
    /// The system's error.
    fn set_patience(&self, time: Duration) -> io::Result<bool> {
        let _ = time;
        Ok(false)
    }

    /// Reads what there is, without waiting.
    ///
    /// # Errors
    /// As for `read`; [`WouldBlock`](io::ErrorKind::WouldBlock) if there is nothing.
    fn read_now(&mut self, place: &mut [u8]) -> io::Result<usize> {
        self.read(place)
    }

    /// Writes as much of these slices, in order, as is accepted at once, without waiting.
    ///
    /// # Errors
    /// As for `write`; [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is accepted.
    fn write_now(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [only] => self.write(only),
            several => self.write_vectored(several),
        }
    }
}

/// The system's notion of a socket, under one name on all systems.
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

            // On other systems blocking cannot be chosen for each call.
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
