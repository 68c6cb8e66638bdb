//! What all links of a server share.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bowline_core::message::Delivery;
use bowline_core::transfer::{Digest, SUBPROTOCOL, TransferId};
use bowline_core::{Instant, connection};
use bowline_handshake::server::{Accept, negotiate};
use bowline_store::worker::{Deliver, Spawn};
use bowline_store::{DiskStore, Principal, StoreError};
use http::{StatusCode, header};

use super::seats::Seats;
use super::{Served, ServerConfig};
use crate::accept::Decision;
use crate::seed::certain_seed;
use crate::transfer::Verb;

/// How many transfers are looked at in one go of a sweep: a moment's work of a thread that others may want.
const SWEEP: usize = 256;

/// What all links of a server share: its folder, its settings, who has how much open, and what is paused.
#[derive(Debug)]
pub struct House {
    pub(super) store: DiskStore,
    config: ServerConfig,
    /// Names this process to its clients.
    pub(super) instance: [u8; 16],
    pub(super) seats: Seats,
    /// Pauses outlive links.
    paused: Mutex<BTreeSet<TransferId>>,
}

impl House {
    /// A server of the files in this store.
    ///
    /// # Panics
    /// If the operating system has no randomness.
    pub fn new(store: DiskStore, config: ServerConfig) -> Self {
        let mut instance = [0; 16];
        instance.copy_from_slice(&certain_seed()[..16]);
        Self { store, config, instance, seats: Seats::default(), paused: Mutex::default() }
    }

    /// Its settings.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// What to answer to a request, and in whose hands the client is if it may come.
    pub fn decide(&self, request: &http::Request<()>, offered: &[String]) -> (Decision, Principal) {
        let shown = request.headers().get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
        let Some(principal) = self.name(shown) else {
            let refusal = Decision::reject(StatusCode::UNAUTHORIZED, "a valid token is needed\n");
            return (refusal, Principal::default());
        };
        let decision = match negotiate(&[SUBPROTOCOL], offered) {
            Some(name) => Decision::Accept(Accept::new().with_subprotocol(name)),
            None => Decision::reject(
                StatusCode::BAD_REQUEST,
                format!("this server speaks the subprotocol {SUBPROTOCOL}\n"),
            ),
        };
        (decision, principal)
    }

    /// The settings of a connection that begins.
    pub fn connection(&self) -> connection::Config {
        let mut config = self.config.connection.clone();
        // Chunks of files are messages of the protocol, and none is large.
        config.delivery = Delivery::Whole;
        config
    }

    /// Serves a client over a connection with [these settings](Self::connection). `peer` is for events. Jobs on files go
    /// to `spawn`; what they report through `deliver` is to come back by [`Served::handle_report`].
    pub fn serve(
        self: &Arc<Self>,
        who: Principal,
        peer: String,
        spawn: Spawn,
        deliver: Deliver,
        now: Instant,
    ) -> Served {
        Served::new(Arc::clone(self), who, peer, spawn, deliver, now)
    }

    /// Remembers an order that the application gives about a transfer. Bring it to [all links](Served::handle_order).
    pub fn order(&self, id: TransferId, verb: Verb) {
        match verb {
            Verb::Pause => drop(self.paused().insert(id)),
            Verb::Resume | Verb::Cancel(_) => self.forget(id),
        }
    }

    /// Removes what nobody came back for, for a moment; says whether there may be more. Waits for the disk.
    ///
    /// # Errors
    /// What the disk says.
    pub fn sweep(&self) -> Result<bool, StoreError> {
        self.store.sweep(SystemTime::now(), SWEEP).map(|swept| !swept.done)
    }

    pub(super) fn is_paused(&self, id: TransferId) -> bool {
        self.paused().contains(&id)
    }

    /// A transfer has ended: nothing is left to be paused.
    pub(super) fn forget(&self, id: TransferId) {
        self.paused().remove(&id);
    }

    fn paused(&self) -> MutexGuard<'_, BTreeSet<TransferId>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom a header names; nobody may come whom none of the tokens names, if there are any.
    fn name(&self, shown: &[u8]) -> Option<Principal> {
        let ServerConfig { token, tokens, .. } = &self.config;
        let anybody = (token.is_none() && tokens.is_empty()).then(Principal::default);
        let known = token.iter().map(|token| (Principal::default(), token));
        let named = tokens.iter().map(|(who, token)| (who.clone(), token));
        // All of them are compared, so that the time tells nothing.
        known.chain(named).fold(anybody, |found, (who, token)| {
            let is_this = is_bearer(shown, token);
            found.or_else(|| is_this.then_some(who))
        })
    }
}

/// Whether a header shows this token. Takes the same time wherever they differ.
fn is_bearer(shown: &[u8], token: &str) -> bool {
    let Some((scheme, shown)) = shown.split_at_checked(7) else { return false };
    let (shown, expected) = (Digest::of(shown), Digest::of(token.as_bytes()));
    let differ = shown.as_bytes().iter().zip(expected.as_bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
    scheme.eq_ignore_ascii_case(b"bearer ") && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_token_opens() {
        assert!(is_bearer(b"Bearer secret", "secret"));
        assert!(is_bearer(b"bearer secret", "secret"));
        for shown in [&b"Bearer secre"[..], b"Bearer secrett", b"Basic secret", b"secret", b"Bearer", b""] {
            assert!(!is_bearer(shown, "secret"), "{shown:?}");
        }
    }
}
