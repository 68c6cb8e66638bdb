//! §5.8, extensibility: reserved bits and opcodes belong to extensions, and those are negotiated (§9.1). See also §5.2.
//!
//! Binds no endpoint of ours: what extensions may make of them.

use crate::http::{ANSWER, NOW, REQUEST, and, answered, served};
use crate::wire::{Endpoint, FIN, TEXT, fails};
use bowline_core::Message;
use bowline_handshake::server::Accept;

#[test]
fn an_extension_that_was_not_agreed_on_is_not_used() {
    assert!(answered(&and(ANSWER, "Sec-WebSocket-Extensions: permessage-deflate\r\n")).is_err());
    let mut server = served(and(REQUEST, "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
    server.accept(NOW, &Accept::new()).unwrap();
    for mut us in Endpoint::both() {
        us.sends(Message::text("a".repeat(1000)));
        assert_eq!(us.says_one().first, FIN | TEXT);
        // ... nor is the peer to use it: this is how a compressed message begins.
        fails(us, &[FIN | 0x40 | TEXT], 1002);
    }
}
