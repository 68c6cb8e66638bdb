//! Two ends over loopback.

use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bowline_blocking::accept::{self, Decision};
use bowline_blocking::{DialError, MaybeTlsStream, WebSocket, dial};
use bowline_core::connection::Config;

/// Far longer than anything here takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// The transport between two ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    Tcp,
    #[cfg(feature = "tls")]
    Tls,
}

/// A client and a server that have shaken hands.
pub(crate) fn pair(over: Over, client: Config, server: Config) -> (Socket, Socket) {
    let (dialed, accepted) = streams(over);
    (WebSocket::client(dialed, client).unwrap(), WebSocket::server(accepted, server).unwrap())
}

/// Either end of such a connection.
pub(crate) type Socket = WebSocket<MaybeTlsStream>;

/// Two ends of a connection after the handshake, on which nothing has been sent yet.
pub(crate) fn streams(over: Over) -> (dial::Dialed<MaybeTlsStream>, accept::Accepted<MaybeTlsStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let stream = encrypted(over, listener.accept().unwrap().0);
        accept::accept(stream, &accept::Config::default(), |_, _| Decision::accept()).unwrap()
    });
    let (url, config) = dialing(over, address);
    (dial::connect(&url, &config).unwrap(), server.join().unwrap())
}

#[cfg(not(feature = "tls"))]
fn encrypted(Over::Tcp: Over, stream: TcpStream) -> MaybeTlsStream {
    stream.into()
}

#[cfg(feature = "tls")]
fn encrypted(over: Over, stream: TcpStream) -> MaybeTlsStream {
    use bowline_blocking::tls::TlsStream;
    match over {
        Over::Tcp => stream.into(),
        Over::Tls => TlsStream::accept(stream, &papers().server, LIMIT).unwrap().into(),
    }
}

/// How to dial a server at this address.
#[cfg_attr(not(feature = "tls"), expect(unused_mut))]
pub(crate) fn dialing(over: Over, address: SocketAddr) -> (String, dial::Config) {
    let mut config = dial::Config::default();
    let scheme = match over {
        Over::Tcp => "ws",
        #[cfg(feature = "tls")]
        Over::Tls => {
            config.tls = Some(papers().client.clone());
            "wss"
        }
    };
    (format!("{scheme}://{address}/"), config)
}

/// The certificate of the servers in these tests, and a client that trusts it.
#[cfg(feature = "tls")]
pub(crate) struct Papers {
    pub(crate) server: bowline_blocking::tls::ServerTls,
    pub(crate) client: bowline_blocking::tls::ClientTls,
}

#[cfg(feature = "tls")]
pub(crate) fn papers() -> &'static Papers {
    use bowline_blocking::tls::{ClientTls, ServerTls};
    static PAPERS: std::sync::OnceLock<Papers> = std::sync::OnceLock::new();
    PAPERS.get_or_init(|| {
        let pair = rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
        let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        Papers {
            server: ServerTls::new(certificate.as_bytes(), key.as_bytes()).unwrap(),
            client: ClientTls::trusting(certificate.as_bytes()).unwrap(),
        }
    })
}

/// An address at which nobody listens, and nobody else can while the returned socket is held.
pub(crate) fn nobody() -> (SocketAddr, impl Sized) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (stream.local_addr().unwrap(), (listener, stream))
}

/// One of a few attempts fails like this: an attempt that did not run for a while knows only that the time was over.
pub(crate) fn fails_in_time(attempt: impl Fn() -> DialError, fits: impl Fn(&DialError) -> bool) {
    let mut errors = (0..10).map(|_| attempt());
    assert!(errors.any(|error| fits(&error)), "{}", attempt());
}

/// A heartbeat with this many milliseconds for interval and timeout.
pub(crate) fn heartbeat(interval: u64, timeout: u64) -> Config {
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_millis(interval);
    config.heartbeat.timeout = Duration::from_millis(timeout);
    config.heartbeat.timeout_max = Duration::from_millis(timeout);
    config
}

/// The result of a thread, within the limit.
pub(crate) fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || drop(done.send(work())));
    result.recv_timeout(LIMIT).expect("in time")
}

/// Receives what a peer sends until the end, and sends nothing.
pub(crate) fn take_all(mut stream: MaybeTlsStream) {
    let mut place = vec![0; 16 << 10];
    loop {
        match stream.read(&mut place) {
            Ok(0) => break,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
            Ok(_) => {}
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}
