//! How much a hostile peer can make the transfers of one link hold, if our own disk and application do nothing at all.

use bowline_core::frame::{Decoder, Header, Limits, Opcode};
use bowline_core::transfer::wire::{Data, Frame, Hello, Mode, Offer, Request};
use bowline_core::transfer::{Answer, Config, Digest, Event, Kind, SafeName, TransferId, What};
use bowline_core::{Instant, Role, Transfers};
use bowline_tests::heap::{self, Counting};
use bytes::Bytes;

#[global_allocator]
static HEAP: Counting = Counting;

/// Small enough for a debug build to reach the limits.
fn config() -> Config {
    let mut config = Config::default();
    (config.max_transfers, config.credit, config.link_credit) = (16, 512 << 10, 1 << 20);
    config
}

/// What the documentation of the settings says.
fn bound(config: &Config) -> usize {
    config.link_credit as usize * 5 / 4 + config.max_transfers as usize * (96 << 10) + (4 << 20)
}

/// The most that a peer makes a server hold with these frames, not counting the memory for producing them.
fn most(frames: impl Iterator<Item = Frame>, answer: bool, read: bool) -> usize {
    most_by(frames, answer, read, Bytes::from)
}

/// The same, where `arrive` makes the received message from its bytes.
fn most_by(
    frames: impl Iterator<Item = Frame>,
    answer: bool,
    read: bool,
    mut arrive: impl FnMut(Bytes) -> Bytes,
) -> usize {
    let ((), used) = heap::measure(|| {
        let mut victim = Transfers::new(Role::Server, config(), Instant::ZERO);
        victim.handle_link_up(Instant::ZERO, None);
        let mut now = Instant::ZERO;
        let mut events = Vec::new();
        for frame in std::iter::once(hello()).chain(frames) {
            // Just slow enough not to be ended for the number of frames alone.
            now += std::time::Duration::from_millis(1);
            victim.handle_message(now, arrive(frame.encode().into_bytes()));
            while let Some(event) = victim.poll_event() {
                if let (true, Event::Offered(offered)) = (answer, &event) {
                    let prefix = Digest::of(b"");
                    victim.answer(now, offered.id, Answer::Take { from: 0, prefix, epoch: 1, expires: None });
                }
                // Writes wait for a disk that does not answer.
                if matches!(event, Event::Write { .. }) {
                    events.push(event);
                }
            }
            while read && victim.poll_message(now, 1).is_some() {}
        }
    });
    used.peak
}

fn hello() -> Frame {
    Frame::Hello(Hello {
        min_version: 1,
        max_version: 1,
        max_chunk: 1 << 20,
        max_transfers: u32::MAX,
        max_offers_per_second: u32::MAX,
        credit: u64::MAX,
        features: 0,
        instance: [9; 16],
        agent: "x".repeat(64),
    })
}

fn id(n: u32) -> TransferId {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    TransferId::from_bytes(bytes)
}

/// The longest possible name.
fn name() -> SafeName {
    let part = "n".repeat(255);
    SafeName::parse(&[part.as_str(); 16].join("/")).expect("4095 bytes")
}

fn offer(n: u32) -> Frame {
    Frame::Offer(2 * n + 1, plain(n))
}

fn plain(n: u32) -> Offer {
    Offer {
        id: id(n),
        name: name(),
        length: Some(1 << 40),
        mtime_ms: 0,
        validator: None,
        mode: Mode::AttachOrCreate,
        priority: 0,
        epoch_seen: 0,
        digest: None,
        kind: Kind::File,
        unix_mode: None,
        batch: None,
    }
}

/// Chunks of this length for each of sixteen files in turn.
fn chunks(len: usize, rounds: u64) -> impl Iterator<Item = Frame> {
    (0..rounds).flat_map(move |round| {
        (0..16).map(move |n| {
            let payload = vec![7; len].into();
            Frame::Data(2 * n + 1, Data { offset: round * len as u64, seq: 0, payload })
        })
    })
}

/// Reads two frames of a server, and returns the payload of the second.
fn read_behind(decoder: &mut Decoder, first: &[u8], second: &[u8]) -> Bytes {
    let mut last = Bytes::new();
    for payload in [first, second] {
        let header = Header::new(Opcode::Binary, payload.len() as u64).encode();
        let wire = [header.as_ref(), payload].concat();
        let mut rest = &wire[..];
        while !rest.is_empty() {
            let place = decoder.input();
            let (read, behind) = rest.split_at((place.capacity() - place.len()).min(rest.len()));
            place.extend_from_slice(read);
            rest = behind;
            while decoder.decode().expect("a frame").is_some() {
                last = decoder.take();
            }
        }
    }
    last
}

#[test]
fn chunks_that_come_after_large_frames_hold_no_more_than_others() {
    let offers = (0..16).map(offer);
    let mut decoder = Decoder::new(Role::Client, &Limits::default());
    decoder.keep_places(true);
    let large = vec![0x80; 1 << 20];
    let most = most_by(offers.chain(chunks(5_000, 10)), true, false, |bytes| {
        read_behind(&mut decoder, &large, &bytes)
    });
    // What the decoder keeps, and both frames as they are made.
    let more = 8 << 20;
    assert!(most <= bound(&config()) + more, "{most}");
}

#[test]
fn no_flood_makes_a_link_hold_more_than_its_settings_say() {
    assert!(heap::is_counting());
    let most_of = bound(&config());
    let floods: [(&str, usize); 8] = [
        ("chunks of 64 bytes", most((0..16).map(offer).chain(chunks(64, 2000)), true, true)),
        ("chunks of 1 KiB", most((0..16).map(offer).chain(chunks(1024, 700)), true, true)),
        ("chunks of 64 KiB", most((0..16).map(offer).chain(chunks(65_536, 20)), true, true)),
        ("early chunks of 64 bytes", most((0..16).map(offer).chain(chunks(64, 1100)), false, true)),
        ("early chunks of 1 KiB", most((0..16).map(offer).chain(chunks(1024, 70)), false, true)),
        ("offers that are refused and not listened to", most((0..20_000).map(offer), false, false)),
        ("probes whose answers are not read", most((0..20_000).map(Frame::Probe), false, false)),
        (
            "requests",
            most(
                (0..5000).map(|n| {
                    let request = Request {
                        id: id(n),
                        what: What::Named(name()),
                        from: 0,
                        to: u64::MAX,
                        if_digest: None,
                        again: false,
                    };
                    Frame::Request(2 * n + 1, request)
                }),
                false,
                false,
            ),
        ),
    ];
    for (what, used) in floods {
        assert!(used <= most_of, "{what}: {used} of {most_of} bytes");
    }
    // The limit is meaningful: the largest of them gets close to it.
    let largest = floods.iter().map(|(_, used)| *used).max().unwrap_or_default();
    assert!(largest > most_of / 4, "{floods:?} of {most_of}");
}
