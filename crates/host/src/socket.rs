//! TCP as a WebSocket needs it: with short queues, and connected to the first address that answers.

use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::AsFd as AsSocket;
#[cfg(windows)]
use std::os::windows::io::AsSocket;
use std::time::Duration;

use socket2::SockRef;

/// How many unsent bytes the system may hold for a connection before it accepts no more, initially and on slow paths.
///
/// 128 KiB keep a gigabit link busy over common distances, while a ping behind them leaves within 0.3 s at 500 kB/s.
/// With the systems' default buffers it would wait 8 s there. For connections that drain faster, a
/// [`Valve`](crate::Valve) raises the limit.
pub const UNSENT: u32 = 128 << 10;

/// How long to wait for an address before trying the next one in parallel (RFC 8305 §5).
pub const STAGGER: Duration = Duration::from_millis(250);

/// Sets the options that every connection needs: small messages leave at once (`TCP_NODELAY`), and at most [`UNSENT`]
/// bytes wait in the system where that can be set (`TCP_NOTSENT_LOWAT` on Linux and Android).
///
/// Call it on accepted sockets; dialling does it by itself. If the system refuses, that costs only speed, so nothing is
/// reported.
pub fn tune<S: AsSocket>(stream: &S) {
    let socket = SockRef::from(stream);
    // On some systems this fails once the peer has gone; the first read will tell.
    let _ = socket.set_tcp_nodelay(true);
    set_unsent(stream, UNSENT);
}

/// Sets how many unsent bytes may wait in the system, where that can be set (`TCP_NOTSENT_LOWAT` on Linux and Android).
/// If the system refuses, that costs only speed, so nothing is reported.
pub fn set_unsent<S: AsSocket>(stream: &S, most: u32) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = SockRef::from(stream).set_tcp_notsent_lowat(most);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (stream, most);
}

/// The addresses with the two families alternating, otherwise in the order of preference (RFC 8305 §4): if one family
/// leads nowhere, the second attempt uses the other.
pub fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
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

    #[test]
    fn families_take_turns() {
        let parse = |list: &[&str]| list.iter().map(|address| address.parse().unwrap()).collect::<Vec<_>>();
        let given = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1"]);
        let wanted = parse(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"]);
        assert_eq!(interleave(given), wanted);
        let other = parse(&["10.0.0.1:1", "[::1]:1", "[::2]:1"]);
        assert_eq!(interleave(other.clone()), other, "whichever has more");
        assert_eq!(interleave(other[..2].to_vec()), other[..2], "as many of each");
    }
}
