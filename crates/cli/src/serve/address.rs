//! The addresses of TCP that the command line names to listen at.

use crate::exit::Trouble;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// What `HOST:PORT` stands for, and the option that says so.
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

    /// Listens at the first at which it can.
    pub(super) async fn listen(&self) -> Result<(TcpListener, SocketAddr), Trouble> {
        let failed = |error| closed(self.given, self.option, &error);
        let listener = TcpListener::bind(&self.found[..]).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok((listener, address))
    }

    /// Whether this machine has one of them, and this user may listen there. Nobody can connect meanwhile.
    pub(super) fn try_out(&self) -> Result<(), Trouble> {
        let mut tried: Vec<_> = self.found.iter().map(|address| bind(*address)).collect();
        if tried.iter().any(Result::is_ok) {
            return Ok(());
        }
        let last = tried.pop().unwrap_or_else(|| Err(io::ErrorKind::AddrNotAvailable.into()));
        last.map_err(|error| closed(self.given, self.option, &error))
    }

    /// Whether who listens at the one keeps the other from it.
    pub(super) fn is_also(&self, other: &Self) -> bool {
        let (Some(one), Some(another)) = (self.found.first(), other.found.first()) else { return false };
        one == another && one.port() != 0
    }

    /// That it is taken by what another option names.
    pub(super) fn taken_by(&self, other: &Self) -> Trouble {
        let error = io::Error::new(io::ErrorKind::AddrInUse, format!("{} is the same", other.option));
        closed(self.given, self.option, &error)
    }
}

/// Takes an address without listening there. Who listens there already may be the server that is to be replaced.
fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Whoever begins to listen at this moment is not kept from it.
    socket.set_reuseaddr(cfg!(unix))?;
    match socket.bind(address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
        bound => bound,
    }
}

/// That nobody can listen there, and what to do.
pub(super) fn closed(given: &str, option: &str, error: &io::Error) -> Trouble {
    let first = match error.kind() {
        io::ErrorKind::TimedOut => "end that process, or ",
        io::ErrorKind::NotFound => "make it, or ",
        _ => "",
    };
    Trouble::failed(format!("cannot listen on {given}: {error}; {first}choose another {option}"))
}
