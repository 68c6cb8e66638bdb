//! Who a client is, for events and logs.

use std::fmt;

use bowline_store::Principal;

/// A client on one of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The number of the connection at this server, from 1: what is told of it later has the same.
    pub link: u64,
    /// Where it comes from: an address.
    pub address: String,
    /// Whom its token names; nobody in particular if there is none.
    pub who: Principal,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, who, .. } = self;
        match who.name() {
            "" => f.write_str(address),
            name => write!(f, "{name} at {address}"),
        }
    }
}
