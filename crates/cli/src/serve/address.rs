//! The TCP addresses on which the command line says to listen.

use crate::exit::Trouble;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// The addresses for a `HOST:PORT`, and the option that gave it.
pub(super) struct Address<'a> {
    given: &'a str,
    option: &'static str,
    found: Vec<SocketAddr>,
}

impl<'a> Address<'a> {
    pub(super) async fn find(given: &'a str, option: &'static str) -> Result<Self, Trouble> {
        match lookup_host(given).await {
            Ok(found) => Ok(Self { given, option, found: found.collect() }),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(Trouble::usage(format!(
                "{option}: {given} is not an address; write HOST:PORT, such as 127.0.0.1:9000, with a port up to 65535"
            ))),
            Err(error) => Err(closed(given, option, &error)),
        }
    }

    /// Listens on the first address that works.
    pub(super) async fn listen(&self) -> Result<(TcpListener, SocketAddr), Trouble> {
        let failed = |error| closed(self.given, self.option, &error);
        let listener = TcpListener::bind(&self.found[..]).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok((listener, address))
    }

    /// Checks that this machine has one of them, and that this user may listen on it. Nobody can connect meanwhile.
    pub(super) fn try_out(&self) -> Result<(), Trouble> {
        let mut tried: Vec<_> = self.found.iter().map(|address| bind(*address)).collect();
        if tried.iter().any(Result::is_ok) {
            return Ok(());
        }
        let last = tried.pop().unwrap_or_else(|| Err(io::ErrorKind::AddrNotAvailable.into()));
        last.map_err(|error| closed(self.given, self.option, &error))
    }

    /// Whether listening on one of them rules out listening on the other.
    pub(super) fn is_also(&self, other: &Self) -> bool {
        let (Some(one), Some(another)) = (self.found.first(), other.found.first()) else { return false };
        one == another && one.port() != 0
    }

    /// The error that the address is taken by another option.
    pub(super) fn taken_by(&self, other: &Self) -> Trouble {
        let error = io::Error::new(io::ErrorKind::AddrInUse, format!("{} is the same", other.option));
        closed(self.given, self.option, &error)
    }
}

/// Binds to an address without listening on it. A server that already listens there may be the one to be replaced.
fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // So that another process can start listening at the same moment.
    socket.set_reuseaddr(cfg!(unix))?;
    match socket.bind(address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
        bound => bound,
    }
}

/// The error that nobody can listen there, with what to do.
pub(super) fn closed(given: &str, option: &str, error: &io::Error) -> Trouble {
    let first = match error.kind() {
        io::ErrorKind::TimedOut => "end that process, or ",
        io::ErrorKind::NotFound => "make it, or ",
        _ => "",
    };
    Trouble::failed(format!("cannot listen on {given}: {error}; {first}choose another {option}"))
}
