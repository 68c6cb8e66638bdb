//! Every default, and why it is what it is.
//!
//! The values are chosen so that nobody has to change them on an ordinary path. The fields say more; those of
//! `transfer::Config` and `messages::Config` say everything, and are not listed here.
//!
//! # Heartbeat ([`heartbeat::Config`](crate::heartbeat::Config))
//!
//! | setting | default | why |
//! |---|---|---|
//! | `mode` | `Full` | ping, and declare a silent peer dead |
//! | `interval` | 20 s | the usual advice is 15 to 25 s; the strictest of the common proxies drop at 30 s |
//! | `timeout` | 20 s | a mobile link that changes cells is back by then; a dead peer is found 40 s after its last byte |
//! | `timeout_max` | 60 s | on long round trips the timeout stretches to three of them, up to this |
//! | `grace` | 2 s | a timer that fires later than this was held up by this process, and accuses nobody |
//! | `jitter_percent` | 10 | keeps a server's clients from pinging in step; the interval is only ever shortened |
//!
//! # Closing ([`closing::Config`](crate::closing::Config))
//!
//! | setting | default | why |
//! |---|---|---|
//! | `close_timeout` | 5 s | several round trips on the worst path, and short enough for somebody who waits; longer if much is under way |
//! | `end_timeout` | 2 s | after both Close frames nothing depends on the transport any more |
//! | `drain_timeout` | 1 s | after a failed write, the peer's last words are already in the buffer |
//! | `stall_timeout` | 20 s | data before our Close may take as long as it moves; it may stand still for this long |
//!
//! # Connection ([`connection::Config`](crate::connection::Config))
//!
//! | setting | default | why |
//! |---|---|---|
//! | `limits.frame` | 16 MiB | far above what senders produce that cut their messages |
//! | `limits.message` | 64 MiB | what the common libraries accept |
//! | `limits.fragments` | 131,072 | twice what the usual conformance tests send |
//! | `delivery` | whole messages | in pieces, memory does not depend on the limits above |
//! | `send_buffer` | 64 KiB | one write of an adapter; more adds no throughput, only delay |
//! | `receive_buffer` | 256 KiB | bridges the pauses of a busy application |
//! | `fragment` | by measurement | what drains in 2 ms, from 16 KiB to 1 MiB and a little; no ping waits for more of our data |
//! | `min_ping_interval` | none | a ping costs no more than any other small message |
//! | `message_timeout`, `min_receive_rate`, `write_timeout` | none | life is not progress; a server for strangers should set them |
//!
//! # Reconnect ([`reconnect::Config`](crate::reconnect::Config))
//!
//! | setting | default | why |
//! |---|---|---|
//! | `base`, `cap` | 1 s, 30 s | windows of 1, 2, 4 ... 30 s; each wait is drawn evenly from its window, which spreads a crowd best |
//! | `floor` | 100 ms | keeps a lucky draw from becoming a busy loop |
//! | `first_window` | 1 s | after a link that worked; 5 s for large fleets |
//! | `stable_after` | 10 s | a handshake alone proves nothing about a server that accepts and drops |
//! | `connect_timeout` | 10 s | three lost packets of a TCP handshake, and a slow TLS one |
//! | `max_attempts`, `max_elapsed`, `first_contact` | none | people close their laptops for days |
//!
//! # The learning heartbeat ([`adapt::Config`](crate::adapt::Config))
//!
//! | setting | default | why |
//! |---|---|---|
//! | `mode` | `Learn` | pings as often as the path requires, and never less often than configured: learning costs no connection |
//! | `interval` | 20 s | that of the heartbeat |
//!
//! # Messages across links ([`replay::Config`](crate::replay::Config))
//!
//! | setting | default | why |
//! |---|---|---|
//! | `max_bytes`, `max_messages` | 1 MiB and 64 KiB, 1024 | some seconds of a talkative application; when it is full, it says so. The longest message fits behind what is not acknowledged at once |
//! | `ack_messages`, `ack_bytes`, `ack_after` | 32, 64 KiB, 200 ms | few acknowledgements next to the messages, and little to keep for them |
//! | `ack_on` | `Delivery` | an application that has to store a message first confirms it itself |
//!
//! # The same, as a program
//!
//! ```
//! use bowline_core::{adapt, closing, connection, heartbeat, reconnect, replay};
//! use core::time::Duration;
//!
//! let secs = Duration::from_secs;
//! let heartbeat = heartbeat::Config::default();
//! assert_eq!(heartbeat.mode, heartbeat::Mode::Full);
//! assert_eq!((heartbeat.interval, heartbeat.timeout, heartbeat.timeout_max), (secs(20), secs(20), secs(60)));
//! assert_eq!((heartbeat.grace, heartbeat.jitter_percent), (secs(2), 10));
//!
//! let closing = closing::Config::default();
//! assert_eq!((closing.close_timeout, closing.end_timeout), (secs(5), secs(2)));
//! assert_eq!((closing.drain_timeout, closing.stall_timeout), (secs(1), secs(20)));
//!
//! let connection = connection::Config::default();
//! assert_eq!((connection.limits.frame, connection.limits.message), (Some(16 << 20), Some(64 << 20)));
//! assert_eq!(connection.limits.fragments, Some(131_072));
//! assert_eq!((connection.send_buffer, connection.receive_buffer), (64 << 10, 256 << 10));
//! assert_eq!((connection.fragment, connection.min_ping_interval), (None, None));
//! assert_eq!((connection.message_timeout, connection.min_receive_rate), (None, None));
//! assert_eq!(connection.write_timeout, None);
//!
//! let reconnect = reconnect::Config::default();
//! assert_eq!((reconnect.base, reconnect.cap, reconnect.floor), (secs(1), secs(30), Duration::from_millis(100)));
//! assert_eq!((reconnect.first_window, reconnect.stable_after), (secs(1), secs(10)));
//! assert_eq!(reconnect.connect_timeout, secs(10));
//! assert_eq!((reconnect.max_attempts, reconnect.max_elapsed, reconnect.first_contact), (None, None, None));
//!
//! let adapt = adapt::Config::default();
//! assert_eq!((adapt.mode, adapt.interval), (adapt::Mode::Learn, secs(20)));
//!
//! let replay = replay::Config::default();
//! assert_eq!((replay.max_bytes, replay.max_messages), ((1 << 20) + replay.ack_bytes, 1024));
//! assert_eq!((replay.ack_messages, replay.ack_bytes, replay.ack_after), (32, 64 << 10, Duration::from_millis(200)));
//! assert_eq!(replay.ack_on, replay::AckOn::Delivery);
//! ```
