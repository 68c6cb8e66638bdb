//! Who a client is, for events and logs.

use std::fmt;

use bowline_store::Principal;

/// A client on one of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The number of the connection at this server, from 1; all its events have the same number.
    pub link: u64,
    /// The address that it connects from.
    pub address: String,
    /// The principal that its token names; without a token, no particular one.
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
