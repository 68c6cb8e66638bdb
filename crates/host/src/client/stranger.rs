//! Who answers where a server was reached before, and is not that server.

use bowline_core::closing::{Kind, Obstacle};
use bowline_core::{Disconnect, Retry};

/// A dial that failed like this, where this client had a link to the server before: what says nothing about the request is
/// tried again, as it passes.
///
/// Somebody else answers for a while: a gateway whose server restarts, a page to log in at, or the server itself while
/// its certificate has expired or our clock is wrong. A first contact has most likely the wrong address, and somebody is
/// there to hear it. What is said of the request, or of who asks, stands: a token that was withdrawn stays so.
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
        // A page, a way to one, a gateway that has forgotten its server, or one in trouble.
        Kind::HandshakeRejected(status) => matches!(status, 200..=399 | 404 | 500..),
        _ => false,
    }
}
