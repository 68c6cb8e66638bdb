//! Failures from the field: what you see, what it means, and what is done about it.
//!
//! The end of a connection is reported once, as a [`Disconnect`](crate::Disconnect). It prints as one sentence: first
//! what was said, in the words that other libraries use too, so that a search finds it; then what happened. The same is
//! available as data: [`who`](crate::Disconnect::who), [`kind`](crate::Disconnect::kind) and
//! [`retry`](crate::Disconnect::retry).
//!
//! # The connection dies after a minute of quiet
//!
//! ```text
//! no close frame received or sent; connection ended (EOF) without a close frame after 60 s of silence:
//! idle limit of about 60 s (nginx proxy_read_timeout, AWS ALB and ELB); set the heartbeat to 45 s or less
//! ```
//!
//! *Evidence:* the stream ends by itself, without a Close frame, after a silence. *Meaning:* something between the two
//! ends drops silent connections; its limit is the length of the silence. *What is done:* the heartbeat speaks before
//! that. The default interval of 20 s is below every common limit, so you see this end where somebody has set a longer
//! interval, or where a limit is unusually short. Then the limit is learned ([`Adapt`](crate::Adapt)), and the next
//! link keeps an interval of three quarters of it. A `Session` does so by itself, and instead of advice the sentence
//! ends with the new heartbeat.
//!
//! # A healthy upload is killed by the keepalive
//!
//! ```text
//! sent 1011 (internal error) keepalive ping timeout; no close frame received
//! ```
//!
//! *Evidence:* with other libraries this end is common in the middle of a large upload: the ping waited behind
//! megabytes of data, in the program, in the kernel, or in a proxy. *Meaning:* nothing about the peer. *What is done:*
//! messages are cut into fragments, and a ping overtakes what waits; the clock of a ping starts when it has left; and a
//! full transport that accepts bytes again proves that the far side lives. So here this sentence means what it says:
//! nobody is there. The rest of the sentence says more.
//!
//! ```text
//! sent 1011 (internal error) keepalive ping timeout; no close frame received; nothing received for 40 s,
//! ping unanswered for 20 s
//! ```
//!
//! *Evidence:* a ping left, and nothing came back for the whole timeout. *Meaning:* the path or the peer is gone
//! without a word: a cable, a radio cell, a crash, a NAT that forgot. *What is done:* reconnect at once.
//!
//! # The peer stops reading
//!
//! ```text
//! sent 1011 (internal error) keepalive ping timeout; no close frame received; peer or path stopped taking data:
//! 3.1 MiB waiting, nothing accepted for 20 s
//! ```
//!
//! *Evidence:* our ping could not even leave, because the transport was full and accepted nothing. *Meaning:* the
//! peer's process hangs, or the path disappeared while it was full. *What is done:* reconnect with a growing backoff,
//! because a hanging peer will not recover at once.
//!
//! # The peer never answers pings
//!
//! ```text
//! sent 1011 (internal error) keepalive ping timeout; no close frame received; nothing received for 60 s,
//! ping unanswered for 20 s; the peer has never answered a ping (0 of 3)
//! ```
//!
//! *Evidence:* no Pong on the whole connection. *Meaning:* perhaps a peer that does not know pings, which RFC 6455
//! §5.5.2 does not allow. While such a peer talks, it is alive, and [`PeerDoesNotPong`](crate::connection::Event) is
//! reported once; when it falls silent, it cannot be told from a dead one. *What to do:* fix the peer, or set the
//! heartbeat to [`Mode::KeepaliveOnly`](crate::heartbeat::Mode::KeepaliveOnly).
//!
//! # A NAT forgets the connection
//!
//! ```text
//! no close frame received or sent; connection reset: state for this connection was dropped within 400 s of silence
//! (NAT or L4 balancer, e.g. AWS NLB 350 s); set the heartbeat to 262.5 s or less
//! ```
//!
//! *Evidence:* we sent something after a long silence, and the answer was a reset. *Meaning:* a NAT or load balancer
//! had dropped its state without telling anybody. *What is done:* as after an idle limit.
//!
//! # The laptop was closed
//!
//! ```text
//! sent 1011 (internal error) keepalive ping timeout; no close frame received; this process did not run for 289.9 s;
//! the connection was found dead 1 s later
//! ```
//!
//! *Evidence:* a timer fired minutes late, or the host reported a sleep. *Meaning:* the silence was ours and accuses
//! nobody. *What is done:* the peer is asked again, with a short timeout, before anything is concluded; a link that is
//! still good continues as if nothing had happened.
//!
//! # The peer's reason is lost
//!
//! ```text
//! received 1009 (message too big) 64 KiB; no close frame sent; our write had failed; the close frame was found in the
//! receive buffer; 1.0 MiB of messages had not left
//! ```
//!
//! *Evidence:* a write fails because the peer has hung up. *Meaning:* its Close frame is often in our receive buffer.
//! *What is done:* reading continues for up to a second after a failed write, so that the real reason is found. Most
//! libraries report the failed write instead.
//!
//! # Cut in the middle of a message
//!
//! ```text
//! no close frame received or sent; connection ended (EOF) inside a binary frame, 131072 of 262144 bytes
//! ```
//!
//! *Evidence:* the stream ends inside a frame. *Meaning:* a crash or a cut; a program that ends on purpose ends between
//! frames. *What is done:* reconnect; transfers resume from the last safe byte.
//!
//! # Cut although busy
//!
//! ```text
//! no close frame received or sent; cut at age 30.1 s although busy: connection lifetime limit
//! (Google Cloud HTTP(S) LB default 30 s)
//! ```
//!
//! *Evidence:* a well-known age, or that of the two links before, and bytes that crossed shortly before the end. If
//! that was more than a second before, the sentence says when instead of "although busy". *Meaning:* a proxy that
//! limits the age of connections. *What is done:* reconnect at once. A heartbeat does not help; raise the limit.
//!
//! # Accepted, then dropped
//!
//! ```text
//! no close frame received or sent; connection ended (EOF) without a close frame;
//! server accepts, then drops at once (3 times)
//! ```
//!
//! *Evidence:* three links in a row end within a second, without a message. *Meaning:* a server in trouble, or a proxy
//! without a server. *What is done:* the backoff grows. A successful handshake does not shorten it again. Only a link
//! does that lived for 10 s, or that was of use: the other end acknowledged data that it carried.
//!
//! # The other side does not answer our Close
//!
//! ```text
//! sent 1000 (OK); no close frame received; the other side did not answer within 5 s
//! ```
//!
//! *Evidence:* our Close left, and neither a Close nor the end of the stream came. *Meaning:* the peer hangs, or was
//! already gone. *What is done:* the transport is dropped. Data before the Close may take as long as it keeps moving.
//!
//! # The other side closes, and does not accept what was sent
//!
//! ```text
//! received 1000 (OK); then sent 1000 (OK); 26.6 KiB of messages had not left
//! ```
//!
//! *Evidence:* messages were waiting to leave when the peer closed, and it accepted them neither in the time that they
//! have before our answer nor before the transport ended. *Meaning:* the peer reads slowly, or stops reading once it
//! has closed. *What is done:* what waits is dropped, so that the answer can leave. The same is said where a connection
//! is failed while messages wait, and where it ends before our own Close has left. What has left may not have arrived
//! either; only an answer of the application tells you that.
//!
//! # The peer breaks the protocol
//!
//! ```text
//! received 1006 (invalid code) x; then sent 1002 (protocol error) invalid close code
//! ```
//!
//! *Evidence:* frames or Close codes that RFC 6455 forbids. *What is done:* the connection is failed with the code that
//! the RFC names (1002 for the protocol, 1007 for text that is not UTF-8, 1009 for what is too big, 1008 for what comes
//! in too many fragments), what follows is not interpreted, and the same bytes are not tried again.
