//! A connection whose host and peer do anything in any order.

use super::Feed;
use bowline_core::closing::Transport;
use bowline_core::connection::{Config, Connection, Event};
use bowline_core::frame::{Header, Opcode};
use bowline_core::{Close, CloseCode, End, Instant, Message, Role, mask};
use std::time::Duration;

/// Operations on a connection: none panics, deadlines lie ahead, and there is exactly one end.
pub fn connection(data: &[u8]) {
    let mut feed = Feed::new(data);
    let mut host = Host::new(&mut feed);
    while !feed.is_empty() {
        host.act(&mut feed);
        host.check();
    }
    host.connection.abort(host.now);
    host.take_events();
    assert_eq!(host.ends, 1, "one end");
    assert_eq!(host.connection.transport(), Transport::Drop);
    assert_eq!(host.connection.poll_timeout(), None, "what is over waits for nothing");
    assert!(!host.connection.wants_input());
}

struct Host {
    connection: Connection,
    role: Role,
    now: Instant,
    limit: usize,
    ends: u32,
}

impl Host {
    fn new(feed: &mut Feed<'_>) -> Self {
        let (role, bits) = (feed.role(), feed.byte());
        let mut config = Config::default();
        if bits & 1 != 0 {
            config.limits.message = Some(2000);
            config.limits.fragments = Some(3);
        }
        if bits & 2 != 0 {
            config.receive_buffer = 500;
        }
        if bits & 4 != 0 {
            config.fragment = Some(100);
        }
        if bits & 8 != 0 {
            config.min_ping_interval = Some(Duration::from_millis(50));
        }
        if bits & 16 != 0 {
            config.message_timeout = Some(Duration::from_secs(1));
        }
        config.send_buffer = 3000;
        let limit = config.send_buffer;
        let now = Instant::ZERO;
        let connection = match role {
            Role::Client => Connection::client(config, [1; 32], now),
            Role::Server => Connection::server(config, [1; 32], now),
        };
        Self { connection, role, now, limit, ends: 0 }
    }

    fn act(&mut self, feed: &mut Feed<'_>) {
        let (now, connection) = (self.now, &mut self.connection);
        match feed.byte() % 20 {
            0 => {
                let len = feed.byte().into();
                connection.handle_input(now, feed.slice(len));
            }
            1..=4 => {
                let frame = frame(self.role, feed);
                connection.handle_input(now, &frame);
            }
            5 => {
                let len = feed.byte().into();
                connection.input().extend_from_slice(feed.slice(len));
                connection.handle_read(now);
            }
            // More than there is, too: a host that miscounts does no harm.
            6 => connection.handle_written(now, feed.short().into()),
            7 => {
                let n = connection.outputs().map(<[u8]>::len).sum();
                connection.handle_written(now, n);
            }
            8 => connection.handle_blocked(now),
            9 => {
                connection.handle_timeout(now);
                assert!(connection.poll_timeout().is_none_or(|next| next > now), "a deadline lies ahead");
            }
            10 => self.now += Duration::from_millis(feed.short().into()),
            11 => self.now = connection.poll_timeout().unwrap_or(now).max(now),
            12 => self.now = Instant::from_nanos(1 << (feed.byte() % 64)),
            13 => {
                let message = Message::binary(vec![7; feed.short().into()]);
                let had_room = connection.room() > 0;
                let sent = connection.send(now, message);
                assert!(sent.is_err() || had_room, "a message beyond the limit");
            }
            14 => {
                let close = Close::new(feed.short(), "as a test");
                let _ = close.map(|close| connection.close(now, close));
            }
            15 => connection.fail(now, CloseCode::from(feed.short()), "as a test"),
            16 => {
                let ends = [End::Eof, End::Reset, End::TlsTruncated, End::WriteFailed, End::TimedOut];
                connection.handle_end(now, ends[usize::from(feed.byte()) % ends.len()]);
            }
            17 => connection.set_reading(now, feed.byte() % 2 == 0),
            18 => connection.handle_wake(now, Duration::from_secs(feed.byte().into())),
            _ => self.take_events(),
        }
    }

    fn check(&mut self) {
        // A message is taken whole, and control frames are few; beyond that the queue is bounded.
        let waiting: usize = self.connection.outputs().map(<[u8]>::len).sum();
        assert!(waiting <= self.limit + 2 * usize::from(u16::MAX), "{waiting} bytes wait");
        assert!(self.connection.room() <= self.limit);
    }

    fn take_events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            assert_eq!(self.ends, 0, "{event:?} after the end");
            self.ends += u32::from(matches!(event, Event::Closed(_)));
        }
    }
}

/// A frame as the peer of `role` may send it, so that a fuzzer need not find out about masks and lengths.
fn frame(role: Role, feed: &mut Feed<'_>) -> Vec<u8> {
    let first = feed.byte();
    let opcode = Opcode::from_u8(first & 15).unwrap_or(Opcode::Binary);
    let len = if first & 64 == 0 { feed.byte().into() } else { feed.short().into() };
    let mut payload = feed.slice(len).to_vec();
    let header = Header { fin: first & 128 != 0, ..Header::new(opcode, payload.len() as u64) };
    match role {
        Role::Client => [&header.encode(), &payload[..]].concat(),
        Role::Server => {
            mask::apply(&mut payload, [1, 2, 3, 4], 0);
            [&header.masked([1, 2, 3, 4]).encode(), &payload[..]].concat()
        }
    }
}
