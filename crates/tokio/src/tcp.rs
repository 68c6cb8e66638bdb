//! TCP as a WebSocket needs it: connected to the first address that answers, and with short queues.

use std::io;
use std::net::SocketAddr;

use bowline_host::socket::{STAGGER, interleave};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

pub use bowline_host::socket::{UNSENT, set_unsent, tune};

/// Connects to the first of these addresses that answers; each gets a head start over the next.
///
/// # Errors
/// The error of the address that failed first, if all fail.
pub(crate) async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = interleave(addresses).into_iter();
    // Dropping the set ends the remaining attempts.
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpSocket};

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// A port without a listener, occupied.
    fn closed() -> (TcpSocket, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[tokio::test]
    async fn an_address_that_refuses_does_not_hide_the_next() {
        let (_listener, address) = listener().await;
        let (_taken, closed) = closed();
        let stream = connect(vec![closed, address]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn the_error_is_that_of_the_first_address() {
        let unusable = "0.0.0.0:0".parse().unwrap();
        let (_taken, closed) = closed();
        let error = connect(vec![closed, unusable]).await.unwrap_err();
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
        {
            let unsent = |stream: &TcpStream| socket2::SockRef::from(stream).tcp_notsent_lowat().unwrap();
            assert_eq!(unsent(&stream), UNSENT);
            let stream = crate::MaybeTlsStream::from(stream);
            stream.set_unsent(UNSENT * 2);
            assert_eq!(unsent(stream.tcp().unwrap()), UNSENT * 2);
        }
    }

    /// On other systems a caller cannot be made to wait.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_that_does_not_answer_does_not_hide_the_next() {
        let full = TcpSocket::new_v4().unwrap();
        full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = full.listen(0).unwrap();
        let silent = full.local_addr().unwrap();
        // More callers than the queue holds: later ones get no answer.
        let mut callers = JoinSet::new();
        for _ in 0..4 {
            callers.spawn(TcpStream::connect(silent));
        }
        callers.join_next().await.unwrap().unwrap().unwrap();

        let (_listener, address) = listener().await;
        let stream = connect(vec![silent, address]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }
}
