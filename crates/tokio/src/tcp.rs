//! TCP as a WebSocket needs it: connected to the first address that answers, and with short queues.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How many unsent bytes the system may hold for a connection before it takes no more.
///
/// 128 KiB keep a gigabit busy over common distances, while a ping behind them leaves within 0.3 s at 500 kB/s. With
/// the systems' own buffers it would wait 8 s there.
pub const UNSENT: u32 = 128 << 10;

/// How long an address may keep us waiting before the next is tried beside it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// Sets what every connection wants: small messages leave at once (`TCP_NODELAY`), and no more than [`UNSENT`] bytes
/// wait in the system where it can be told so (`TCP_NOTSENT_LOWAT` on Linux and Android).
///
/// Call it on what a listener accepts; [`dial`](crate::dial) does it by itself. A system that refuses costs speed and
/// no more, so nothing is reported.
pub fn tune(stream: &TcpStream) {
    // On some systems this cannot be set once the peer has gone; the first read will tell.
    let _ = stream.set_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
}

/// Connects to the first of these addresses that answers; each gets a head start over the next.
///
/// # Errors
/// That of the address which failed first, if all do.
pub(crate) async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = interleave(addresses).into_iter();
    // Dropping the set ends the attempts that are still under way.
    let mut attempts = JoinSet::new();
    let mut first_error = None;
    loop {
        if let Some(address) = waiting.next() {
            attempts.spawn(TcpStream::connect(address));
        }
        tokio::select! {
            Some(attempt) = attempts.join_next() => match attempt.unwrap_or_else(|error| Err(error.into())) {
                Ok(stream) => return Ok(stream),
                Err(error) => { first_error.get_or_insert(error); }
            },
            () = sleep(STAGGER), if waiting.len() > 0 => {}
            else => return Err(first_error.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())),
        }
    }
}

/// The addresses with the two families in turns, in the order of preference otherwise (RFC 8305 §4): where one family
/// leads nowhere, the second attempt takes the other.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::with_capacity(first.len() + second.len());
    while first.len() + second.len() > 0 {
        ordered.extend(first.next());
        ordered.extend(second.next());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// An address at which nobody listens any more.
    async fn closed() -> SocketAddr {
        listener().await.1
    }

    #[tokio::test]
    async fn an_address_that_refuses_does_not_hide_the_next() {
        let (_listener, address) = listener().await;
        let stream = connect(vec![closed().await, address]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn the_error_is_that_of_the_first_address() {
        let unusable = "0.0.0.0:0".parse().unwrap();
        let error = connect(vec![closed().await, unusable]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(connect(Vec::new()).await.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[tokio::test]
    async fn a_tuned_socket_sends_at_once_and_queues_little() {
        let (_listener, address) = listener().await;
        let stream = connect(vec![address]).await.unwrap();
        tune(&stream);
        assert!(stream.nodelay().unwrap());
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(socket2::SockRef::from(&stream).tcp_notsent_lowat().unwrap(), UNSENT);
    }

    /// Elsewhere nobody can be made to keep a caller waiting.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_that_does_not_answer_does_not_hide_the_next() {
        let full = tokio::net::TcpSocket::new_v4().unwrap();
        full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = full.listen(0).unwrap();
        let silent = full.local_addr().unwrap();
        // More callers than the queue holds: those who come later hear nothing.
        let mut callers = JoinSet::new();
        for _ in 0..4 {
            callers.spawn(TcpStream::connect(silent));
        }
        callers.join_next().await.unwrap().unwrap().unwrap();

        let (_listener, address) = listener().await;
        let stream = connect(vec![silent, address]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }

    #[test]
    fn families_take_turns() {
        let parse = |list: &[&str]| list.iter().map(|address| address.parse().unwrap()).collect::<Vec<_>>();
        let given = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1"]);
        let wanted = parse(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"]);
        assert_eq!(interleave(given), wanted);
    }
}
