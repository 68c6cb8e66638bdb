//! What a keeper says, and what its adapter asks a dial.

use bowline_core::Disconnect;
use bowline_core::closing::Obstacle;
use bowline_core::transfer::{self, SUBPROTOCOL, TransferId};

use super::{GaveUp, LinkEvent, LinkState};
use crate::dial::Dialed;
use crate::error::DialError;
use crate::transfer::{Finished, TransferError, TransferProgress};

/// What an adapter is to do, or to pass on.
#[derive(Debug)]
pub enum Output<T> {
    /// Dial, perhaps while a link is up; [`spoken`] says what is to become of it.
    Dial,
    /// Give up the dial that may be under way.
    Abandon,
    /// The link is up to something else.
    State(LinkState),
    /// Something has happened to it.
    Link(LinkEvent),
    /// It has ended: let go of it, after its last words.
    LetGo,
    /// A transfer is over: complete, with its last progress, or not.
    Ended {
        /// Who is to hear of it.
        ticket: T,
        /// Which one it was.
        id: TransferId,
        /// What has come of it.
        result: Result<(TransferProgress, Finished), TransferError>,
    },
    /// Something else has happened to a transfer, for logs.
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

/// A stream over which the protocol of the transfers is spoken, or why there is none.
///
/// # Errors
/// The dial has failed, or the server speaks something else.
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
