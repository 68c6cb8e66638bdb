//! What a keeper asks its adapter to do, and whether a dial reached the right server.

use bowline_core::Disconnect;
use bowline_core::closing::Obstacle;
use bowline_core::transfer::{self, SUBPROTOCOL, TransferId};

use super::{GaveUp, LinkEvent, LinkState};
use crate::dial::Dialed;
use crate::error::DialError;
use crate::transfer::{Finished, TransferError, TransferProgress};

/// What an adapter has to do, or to pass on.
#[derive(Debug)]
pub enum Output<T> {
    /// Dial, perhaps while a link is up. Pass the result through [`spoken`].
    Dial,
    /// Give up any dial under way.
    Abandon,
    /// The state of the link has changed.
    State(LinkState),
    /// Something has happened to the link.
    Link(LinkEvent),
    /// The link has ended: send what is still queued for it, then drop it.
    LetGo,
    /// A transfer has ended: it is complete, with its last progress, or it has failed.
    Ended {
        /// The ticket that was passed in with it, to report this to.
        ticket: T,
        /// Its id.
        id: TransferId,
        /// How it ended.
        result: Result<(TransferProgress, Finished), TransferError>,
    },
    /// Another event of a transfer, for logs.
    Transfer(transfer::Event),
}

impl From<GaveUp> for TransferError {
    fn from(why: GaveUp) -> Self {
        match why {
            GaveUp::Unreachable(why) => Self::Unreachable(why),
            GaveUp::Refused(why) => Self::Refused(why),
            GaveUp::Closed => Self::Closed,
        }
    }
}

/// The stream, if the server chose the transfer protocol on it; otherwise, why there is no link.
///
/// # Errors
/// The dial has failed, or the server does not support the protocol.
pub fn spoken<S>(dialed: Result<Dialed<S>, DialError>) -> Result<Dialed<S>, Disconnect> {
    match dialed {
        Ok(dialed) if dialed.subprotocol.as_deref() == Some(SUBPROTOCOL) => Ok(dialed),
        Ok(_) => {
            let why = format!("the server speaks WebSocket, but not {SUBPROTOCOL}");
            Err(Disconnect::connect_failed(Obstacle::NotWebSocket, why))
        }
        Err(error) => Err(error.disconnect()),
    }
}
