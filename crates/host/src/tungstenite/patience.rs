//! Streams with read and write timeouts.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

/// A stream whose read and write timeouts can be set.
pub trait Patience {
    /// How long a read may take. `None`: for ever.
    ///
    /// # Errors
    /// As [`TcpStream::set_read_timeout`].
    fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()>;
    /// How long a write may take. `None`: for ever.
    ///
    /// # Errors
    /// As [`TcpStream::set_write_timeout`].
    fn set_write_timeout(&self, time: Option<Duration>) -> io::Result<()>;
}

impl Patience for TcpStream {
    fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(time)
    }

    fn set_write_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        self.set_write_timeout(time)
    }
}

#[cfg(unix)]
impl Patience for std::os::unix::net::UnixStream {
    fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(time)
    }

    fn set_write_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        self.set_write_timeout(time)
    }
}
