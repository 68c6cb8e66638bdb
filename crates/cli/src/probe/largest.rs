//! The largest message that a server accepts.

use super::link::{Answer, Link, open};
use super::tell::Teller;
use crate::target::Target;
use bowline_core::closing::CloseCode;
use bowline_core::{Disconnect, Message};
use bowline_tokio::DialError;
use std::time::Duration;
use tokio::time::timeout;

/// The first size to try.
const FIRST: u64 = 1 << 10;
/// A server may take one second longer for each of this many bytes.
const SLOWEST: u64 = 64 << 10;

/// What was found.
#[derive(Clone, Debug)]
pub(super) struct Largest {
    /// The largest size that was accepted; 0 if none was.
    pub(super) taken: u64,
    /// The smallest size that was refused, and how.
    pub(super) refused: Option<(u64, Refusal)>,
}

/// How a message was refused.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    Ended(Disconnect),
    /// Pings after it were not answered.
    Unanswered,
    /// It had not left after this time.
    Stuck(Duration),
}

impl Refusal {
    /// Whether the refusal was about the size.
    pub(super) fn is_too_big(&self) -> bool {
        matches!(self, Self::Ended(disconnect) if disconnect.code() == CloseCode::MESSAGE_TOO_BIG)
    }
}

/// Doubles the size until a message is refused, and then narrows the limit down to a sixteenth. `None` if the server
/// answers no pings, because nothing else shows that a message was accepted.
pub(super) async fn search(
    target: &Target,
    most: u64,
    teller: &mut Teller,
) -> Result<Option<Largest>, DialError> {
    let (mut first, _) = open(target).await?;
    if let Answer::None = first.ask(target.patience()).await {
        return Ok(None);
    }
    let mut found = Largest { taken: 0, refused: None };
    let mut link = Some(first);
    let mut size = FIRST.min(most);
    loop {
        teller.message(size);
        let mut current = match link.take() {
            Some(link) => link,
            None => open(target).await?.0,
        };
        match send(&mut current, size, target.patience()).await {
            None => {
                found.taken = size;
                link = Some(current);
            }
            Some(refusal) => found.refused = Some((size, refusal)),
        }
        let Some(next) = next(&found, most) else { return Ok(Some(found)) };
        size = next;
    }
}

/// The next size to try; `None` if enough is known.
fn next(found: &Largest, most: u64) -> Option<u64> {
    match found.refused {
        None if found.taken >= most => None,
        None => Some(found.taken.saturating_mul(2).min(most)),
        // A server that accepts no message at all has no limit on the size.
        Some(_) if found.taken == 0 => None,
        Some((refused, _)) if refused - found.taken <= (found.taken / 16).max(1) => None,
        Some((refused, _)) => Some(found.taken + (refused - found.taken) / 2),
    }
}

/// Sends a message of this size; returns how it was refused, if it was.
async fn send(link: &mut Link, size: u64, patience: Duration) -> Option<Refusal> {
    let message = Message::binary(vec![0; usize::try_from(size).unwrap_or(usize::MAX)]);
    let patience = patience + Duration::from_secs(size / SLOWEST);
    // If the connection is closing, its end will say so.
    let is_sent = timeout(patience, link.socket.send(message)).await.is_ok();
    if !is_sent || !link.flush(patience).await {
        return Some(Refusal::Stuck(patience));
    }
    // The first answer may come before the server has looked at the message; the second one does not.
    let answer = match link.ask(patience).await {
        Answer::Came(_) => link.ask(patience).await,
        other => other,
    };
    match answer {
        Answer::Came(_) => None,
        Answer::None => Some(Refusal::Unanswered),
        Answer::Ended(disconnect) => Some(Refusal::Ended(disconnect)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes that are tried if messages of up to `limit` bytes are accepted, and the result.
    fn search(most: u64, limit: u64) -> (Vec<u64>, Largest) {
        let mut found = Largest { taken: 0, refused: None };
        let (mut tried, mut size) = (Vec::new(), FIRST.min(most));
        loop {
            tried.push(size);
            if size <= limit {
                found.taken = size;
            } else {
                found.refused = Some((size, Refusal::Unanswered));
            }
            match next(&found, most) {
                Some(next) => size = next,
                None => return (tried, found),
            }
        }
    }

    #[test]
    fn sizes_double_up_to_the_most() {
        let (tried, found) = search(5000, u64::MAX);
        assert_eq!(tried, [1024, 2048, 4096, 5000]);
        assert_eq!((found.taken, found.refused.is_none()), (5000, true));
        assert_eq!(search(10, u64::MAX).0, [10]);
    }

    #[test]
    fn the_limit_is_known_to_a_sixteenth() {
        for limit in [1024, 1500, 65_535, 65_536, 1 << 20, (16 << 20) + 7] {
            let (tried, found) = search(64 << 20, limit);
            let refused = found.refused.as_ref().expect("there is a limit").0;
            assert!(found.taken <= limit && limit < refused, "{limit}: {found:?}");
            assert!(refused - found.taken <= found.taken / 16, "{limit}: {found:?}");
            assert!(tried.len() <= 22, "{limit}: {tried:?}");
        }
    }

    #[test]
    fn a_server_that_accepts_nothing_is_tried_once() {
        assert_eq!(search(64 << 20, 0).0, [1024]);
    }
}
