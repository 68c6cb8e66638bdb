//! What a server writes to its log: a few lines in the life of each connection, all with its number, and with the name that
//! its token has. Never a token, and no id of a transfer.

use bowline_core::transfer::SafeName;
use bowline_host::server::{FileEvent, Peer};
use tracing::{debug, info};

use super::ServerEvent;

pub(super) fn log(event: &ServerEvent) {
    match event {
        ServerEvent::Connected { peer } => {
            let Peer { link, address, .. } = peer;
            info!(link, who = who(peer), address, "connected");
        }
        ServerEvent::Disconnected { peer, disconnect } => {
            info!(link = peer.link, who = who(peer), why = %disconnect, "disconnected");
        }
        ServerEvent::Rejected { peer, why } => info!(address = peer, why, "turned away"),
        ServerEvent::Began { peer, name, .. } => {
            debug!(link = peer.link, who = who(peer), name = name.as_str(), "began");
        }
        ServerEvent::Received(file) => log_file(file, "received"),
        ServerEvent::Sent(file) => log_file(file, "sent"),
        ServerEvent::Failed { peer, name, failure } => {
            let (link, who) = (peer.link, who(peer));
            let name = name.as_ref().map(SafeName::as_str);
            info!(link, who, name, code = %failure.code, why = %failure, "not transferred");
        }
        event => debug!(?event, "server"),
    }
}

fn log_file(file: &FileEvent, message: &'static str) {
    let FileEvent { peer, name, bytes, digest, deduplicated, .. } = file;
    let (link, who, name) = (peer.link, who(peer), name.as_str());
    info!(link, who, name, bytes, blake3 = %digest, already_there = deduplicated, "{message}");
}

/// The name that the token has, if it has one.
fn who(peer: &Peer) -> Option<&str> {
    Some(peer.who.name()).filter(|name| !name.is_empty())
}
