//! §7.3, normal closure.
//!
//! Binds no endpoint of ours: that clients should not close arbitrarily is a rule for their applications. The core closes
//! by itself only after a violation, a limit passed, or silence; see also §7.2.1.

use crate::wire::{CLOSE, Endpoint, FIN};

#[test]
fn a_server_may_close_whenever_it_wants() {
    let mut server = Endpoint::server();
    server.closes(1001, "maintenance");
    assert_eq!(server.says_one().close(), Some((1001, "maintenance".to_owned())));
}

#[test]
fn a_client_closes_when_its_application_wants() {
    let mut client = Endpoint::client();
    client.closes(1000, "");
    assert_eq!(client.says_one().first, FIN | CLOSE);
}
