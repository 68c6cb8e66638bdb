//! Where `serve` listens: a TCP address or a Unix socket.

use super::METRICS;
use super::address::{Address, closed};
use crate::args::Papers;
use crate::exit::Trouble;
#[cfg(unix)]
use crate::private::folder_of;
#[cfg(unix)]
use crate::writable::may_write;
#[cfg(unix)]
use bowline_host::unix::SocketFile;
use bowline_tokio::Server;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::unix::fs::FileTypeExt as _;
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::path::Path;
#[cfg(unix)]
use std::path::{Component, PathBuf, absolute};
use tokio::net::TcpListener;

/// The option that names it.
const OPTION: &str = "--listen";
/// The prefix of a Unix socket.
const UNIX: &str = "unix:";

pub(super) enum Door {
    Tcp(TcpListener, SocketAddr),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, PathBuf, SocketFile),
}

impl Door {
    /// Checks that TLS can be used there, if it is wanted.
    pub(super) fn check(listen: &str, papers: &Papers) -> Result<(), Trouble> {
        let given = match papers {
            _ if !listen.starts_with(UNIX) => return Ok(()),
            Papers { self_signed: true, .. } => "--tls-self-signed",
            Papers { cert: Some(_), .. } => "--tls-cert and --tls-key",
            _ => return Ok(()),
        };
        Err(Trouble::usage(format!("there is no TLS on a Unix socket; leave out {given}")))
    }

    /// Checks that it can be opened, and that metrics can be served at another place, as far as that is possible
    /// without opening it.
    pub(super) async fn try_out(listen: &str, dir: &Path, metrics: Option<&str>) -> Result<(), Trouble> {
        let figures = match metrics {
            Some(at) => Some(Address::find(at, METRICS).await?),
            None => None,
        };
        if let Some(path) = listen.strip_prefix(UNIX) {
            try_path(path, dir)?;
        } else {
            let address = Address::find(listen, OPTION).await?;
            address.try_out()?;
            if let Some(figures) = figures.as_ref().filter(|figures| figures.is_also(&address)) {
                return Err(figures.taken_by(&address));
            }
        }
        figures.map_or(Ok(()), |figures| figures.try_out())
    }

    /// Opens `HOST:PORT` or `unix:PATH`. If a socket is in the folder to serve, that folder is created.
    pub(super) async fn open(listen: &str, dir: &Path) -> Result<Self, Trouble> {
        if let Some(path) = listen.strip_prefix(UNIX) {
            return Self::unix(path, dir).await;
        }
        let (listener, address) = Address::find(listen, OPTION).await?.listen().await?;
        Ok(Self::Tcp(listener, address))
    }

    #[cfg(unix)]
    async fn unix(path: &str, dir: &Path) -> Result<Self, Trouble> {
        let failed = |error| closed(path, OPTION, &error);
        let (place, dir) = (PathBuf::from(path), dir.to_owned());
        // It may have to wait for another process.
        let listening = tokio::task::spawn_blocking(move || listen(&place, &dir)).await;
        let (listener, file) = listening.map_err(io::Error::other).and_then(|l| l).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = tokio::net::UnixListener::from_std(listener).map_err(failed)?;
        Ok(Self::Unix(listener, path.into(), file))
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_async, reason = "the form for Unix needs it")]
    async fn unix(path: &str, _dir: &Path) -> Result<Self, Trouble> {
        Err(closed(path, OPTION, &io::ErrorKind::Unsupported.into()))
    }

    /// Its name for the first line of output.
    pub(super) fn name(&self, is_secure: bool) -> String {
        match self {
            Self::Tcp(_, address) => format!("{}://{address}", if is_secure { "wss" } else { "ws" }),
            #[cfg(unix)]
            Self::Unix(_, path, _) => format!("unix:{}", path.display()),
        }
    }

    /// Its name for clients. If it listens on all addresses of this machine, it is a placeholder, since nobody knows
    /// which one is meant.
    pub(super) fn name_for_clients(&self, is_secure: bool) -> String {
        match self {
            Self::Tcp(_, address) if address.ip().is_unspecified() => {
                format!("{}://HOST:{}", if is_secure { "wss" } else { "ws" }, address.port())
            }
            _ => self.name(is_secure),
        }
    }

    /// Whether other machines can reach it.
    pub(super) fn is_public(&self) -> bool {
        matches!(self, Self::Tcp(_, address) if !address.ip().is_loopback())
    }

    /// Serves clients until `shutdown` completes.
    pub(super) async fn serve(self, server: &Server, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        match self {
            Self::Tcp(listener, _) => server.serve(listener, shutdown).await,
            #[cfg(unix)]
            Self::Unix(listener, _, _file) => server.serve_unix(listener, shutdown).await,
        }
    }
}

/// Checks that a socket can be created there. A file that is left of an earlier socket will be replaced.
#[cfg(unix)]
fn try_path(path: &str, dir: &Path) -> Result<(), Trouble> {
    let place = Path::new(path);
    let tried = std::os::unix::net::SocketAddr::from_pathname(place).map(drop).and_then(|()| {
        let folder = folder_of(place);
        match std::fs::symlink_metadata(place) {
            Ok(meta) if !meta.file_type().is_socket() => {
                Err(io::Error::new(io::ErrorKind::AddrInUse, "there is a file that is not a socket"))
            }
            // If it is inside the folder to serve, it will be created with that.
            Err(_) if !folder.is_dir() => made_with(folder, dir),
            _ => may_write(folder),
        }
    });
    tried.map_err(|error| closed(path, OPTION, &error))
}

#[cfg(not(unix))]
fn try_path(path: &str, _dir: &Path) -> Result<(), Trouble> {
    Err(closed(path, OPTION, &io::ErrorKind::Unsupported.into()))
}

#[cfg(unix)]
fn listen(place: &Path, dir: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let missing = match bowline_host::unix::listen(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => error,
        listening => return listening,
    };
    let Some(folder) = place.parent() else { return Err(missing) };
    made_with(folder, dir)?;
    std::fs::create_dir_all(folder)?;
    bowline_host::unix::listen(place)
}

/// Checks that a missing folder will be created along with the one to serve.
#[cfg(unix)]
fn made_with(folder: &Path, dir: &Path) -> io::Result<()> {
    if is_within(folder, dir)? {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no folder {}", folder.display())))
}

/// Whether a folder is this one, or inside it. Where `..` leads is unknown as long as a folder does not exist.
#[cfg(unix)]
fn is_within(folder: &Path, dir: &Path) -> io::Result<bool> {
    let goes_up = folder.components().any(|part| part == Component::ParentDir);
    Ok(!goes_up && absolute(folder)?.starts_with(absolute(dir)?))
}
