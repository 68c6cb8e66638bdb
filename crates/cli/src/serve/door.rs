//! Where `serve` listens: an address of TCP, or a Unix socket.

use crate::exit::Trouble;
use bowline_tokio::Server;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;

pub(super) enum Door {
    Tcp(TcpListener, SocketAddr),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, std::path::PathBuf, bowline_host::unix::SocketFile),
}

impl Door {
    /// Opens the door that this names: `HOST:PORT`, or `unix:PATH`, where no TLS is spoken.
    pub(super) async fn open(listen: &str, is_secure: bool) -> Result<Self, Trouble> {
        if let Some(path) = listen.strip_prefix("unix:") {
            if is_secure {
                return Err(Trouble::usage("over a Unix socket no TLS is spoken; leave --tls-cert away"));
            }
            return Self::unix(path);
        }
        let listener = TcpListener::bind(listen).await.map_err(|e| closed(listen, &e))?;
        let address = listener.local_addr().map_err(Trouble::failed)?;
        Ok(Self::Tcp(listener, address))
    }

    #[cfg(unix)]
    fn unix(path: &str) -> Result<Self, Trouble> {
        let failed = |error| closed(path, &error);
        let (listener, file) = bowline_host::unix::listen(path.as_ref()).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = tokio::net::UnixListener::from_std(listener).map_err(failed)?;
        Ok(Self::Unix(listener, path.into(), file))
    }

    #[cfg(not(unix))]
    fn unix(path: &str) -> Result<Self, Trouble> {
        Err(closed(path, &io::ErrorKind::Unsupported.into()))
    }

    /// How it is named on the first line.
    pub(super) fn name(&self, is_secure: bool) -> String {
        match self {
            Self::Tcp(_, address) => format!("{}://{address}", if is_secure { "wss" } else { "ws" }),
            #[cfg(unix)]
            Self::Unix(_, path, _) => format!("unix:{}", path.display()),
        }
    }

    /// What a client is to be given: at all addresses of this machine, a placeholder, as none of them is known to be the one.
    pub(super) fn name_for_clients(&self, is_secure: bool) -> String {
        match self {
            Self::Tcp(_, address) if address.ip().is_unspecified() => {
                format!("{}://HOST:{}", if is_secure { "wss" } else { "ws" }, address.port())
            }
            _ => self.name(is_secure),
        }
    }

    /// Whether others than this machine can reach it.
    pub(super) fn is_public(&self) -> bool {
        matches!(self, Self::Tcp(_, address) if !address.ip().is_loopback())
    }

    /// Serves whoever comes in, until `shutdown` completes.
    pub(super) async fn serve(self, server: &Server, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        match self {
            Self::Tcp(listener, _) => server.serve(listener, shutdown).await,
            #[cfg(unix)]
            Self::Unix(listener, _, _file) => server.serve_unix(listener, shutdown).await,
        }
    }
}

fn closed(listen: &str, error: &io::Error) -> Trouble {
    Trouble::failed(format!("cannot listen on {listen}: {error}; choose another --listen"))
}
