//! When something else answers where a server was reached before.

use bowline_core::closing::{Kind, Obstacle};
use bowline_core::{Disconnect, Retry};

/// The failure of a dial by a client that had a link to the server before. A failure that says nothing about the
/// request is tried again, since it will pass.
///
/// Something else may answer for a while: a gateway whose server is restarting, a login page, or the server itself
/// while its certificate has expired or our clock is wrong. At a first contact, by contrast, the address is probably
/// wrong, and somebody is there to see it. A failure that concerns the request or its sender is final: a revoked token
/// stays revoked.
#[must_use]
pub fn once_reached(failed: Disconnect) -> Disconnect {
    match failed.retry() {
        Retry::No(_) if is_a_stranger(failed.kind()) => failed.with_retry(Retry::Backoff),
        _ => failed,
    }
}

fn is_a_stranger(kind: Kind) -> bool {
    match kind {
        Kind::ConnectFailed(obstacle) => matches!(obstacle, Obstacle::Tls | Obstacle::NotWebSocket),
        // A page, a redirect, a gateway that has lost its server, or a server in trouble.
        Kind::HandshakeRejected(status) => matches!(status, 200..=399 | 404 | 500..),
        _ => false,
    }
}
