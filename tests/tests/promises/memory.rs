//! How much memory a connection takes, and how much it works, whatever comes from the network: counted by the
//! allocator.

use crate::player::{Op, Player, frame, role};
use bowline_core::connection::Config;
use bowline_core::{Connection, Instant, Message, Role};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

thread_local! {
    /// Bytes in use by this thread, and bytes ever allocated by it.
    static USED: Cell<isize> = const { Cell::new(0) };
    static GIVEN: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; counting does not affect it.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        USED.set(USED.get().wrapping_add_unsigned(layout.size()));
        GIVEN.set(GIVEN.get() + layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.set(USED.get().wrapping_sub_unsigned(layout.size()));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

const KIB: usize = 1 << 10;

/// `n` bytes as the peer of this role sends them.
type Shape = fn(Role, usize) -> Vec<u8>;

/// Limits low enough to be reached, and what they amount to.
fn limited() -> (Config, usize) {
    let mut config = Config::default();
    config.limits.frame = Some(50 * KIB as u64);
    config.limits.message = Some(100 * KIB as u64);
    config.limits.fragments = Some(1000);
    config.receive_buffer = 60 * KIB;
    config.send_buffer = 40 * KIB;
    config.fragment = Some(16 * KIB);
    // A message that is being joined, in a buffer that doubles as it grows; queued messages, and one that no longer
    // fitted; the same for sending. And what depends on no limit: what is lent for reading, and prepared for writing.
    let sum = (2 * 100 + (60 + 50) + (40 + 50)) * KIB;
    (config, sum + 128 * KIB)
}

/// What a peer can do to use up memory.
#[derive(Clone, Debug)]
enum Attack {
    /// A frame is announced, and this much of it arrives.
    Announce(u64, usize),
    /// This many frames of this kind and length.
    Flood(u8, usize, usize),
    /// A message that never ends, in this many fragments.
    Fragments(usize, usize),
    /// This many pings, whose answers are not written.
    Pings(usize),
    Bytes(Vec<u8>),
    /// Our own application sends until there is no room.
    Send(usize),
    Beat(u64),
}

fn attack() -> impl Strategy<Value = Attack> {
    let first = prop::sample::select(vec![0x01, 0x02, 0x00, 0x80, 0x81, 0x82, 0x89, 0x8a]);
    let size =
        prop_oneof![(Just(0), 1..3000_usize), (1..126_usize, 1..3000_usize), (1000..50 * KIB, 1..60_usize),];
    prop_oneof![
        2 => (prop_oneof![0..60 * KIB as u64, any::<u64>()], 0..2 * KIB).prop_map(|(of, got)| Attack::Announce(of >> 1, got)),
        5 => (first, size).prop_map(|(first, (len, times))| Attack::Flood(first, len, times)),
        2 => (0..50 * KIB, 1..100_usize).prop_map(|(len, times)| Attack::Fragments(len, times)),
        1 => (1..10_000_usize).prop_map(Attack::Pings),
        1 => prop::collection::vec(any::<u8>(), 0..100).prop_map(Attack::Bytes),
        2 => (0..50 * KIB).prop_map(Attack::Send),
        1 => (0..60_000_u64).prop_map(Attack::Beat),
    ]
}

/// Input is passed on in pieces of 4 KiB as long as it is wanted, through the buffer that is lent.
fn feed(player: &mut Player, bytes: &[u8]) {
    for piece in bytes.chunks(4 * KIB) {
        if !player.connection.wants_input() {
            return;
        }
        player.connection.input().extend_from_slice(piece);
        player.connection.handle_read(player.now);
    }
}

fn suffer(player: &mut Player, attack: &Attack) {
    match attack {
        Attack::Announce(of, got) => {
            let mask = if player.role == Role::Server { 0x80 } else { 0 };
            let header = [&[0x82, mask | 0x7f], &of.to_be_bytes()[..], &vec![7; *got]].concat();
            feed(player, &header);
        }
        Attack::Flood(first, len, times) => {
            let frame = frame(player.role, *first, &vec![b'a'; *len]);
            (0..*times).for_each(|_| feed(player, &frame));
        }
        Attack::Fragments(len, times) => {
            feed(player, &frame(player.role, 0x01, b""));
            let frame = frame(player.role, 0x00, &vec![b'a'; *len]);
            (0..*times).for_each(|_| feed(player, &frame));
        }
        Attack::Pings(times) => {
            let frame = frame(player.role, 0x89, &[b'p'; 125]);
            (0..*times).for_each(|_| feed(player, &frame));
        }
        Attack::Bytes(bytes) => feed(player, bytes),
        Attack::Send(len) => {
            while player.connection.send(player.now, Message::binary(vec![7; *len])).is_ok() {}
        }
        Attack::Beat(millis) => player.sleep(player.now + Duration::from_millis(*millis)),
    }
}

/// How many bytes are allocated while this runs.
fn given(work: impl FnOnce()) -> usize {
    let before = GIVEN.get();
    work();
    GIVEN.get() - before
}

fn connection(role: Role) -> Connection {
    Player::new(role, Config::default(), [7; 32], Instant::ZERO).connection
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Law 8: neither a peer, nor an application that processes nothing, makes it take more than its limits say.
    #[test]
    fn law_8_memory_stays_within_the_limits(role in role(), attacks in prop::collection::vec(attack(), 1..12)) {
        let (config, most) = limited();
        let before = USED.get();
        let mut player = Player::new(role, config, [7; 32], Instant::ZERO);
        for attack in &attacks {
            suffer(&mut player, attack);
            let used = (USED.get() - before) as usize;
            prop_assert!(used <= most, "{used} of {most} bytes after {attack:?}");
        }
    }

    /// Law 10: a call produces no more than what went into it.
    #[test]
    fn law_10_an_input_leads_to_no_more_than_it_holds(
        role in role(),
        ops in prop::collection::vec(crate::player::op(), 1..40),
    ) {
        let mut player = Player::new(role, Config::default(), [7; 32], Instant::ZERO);
        for op in ops {
            let bytes = match &op {
                Op::Frames(frames) => frames.iter().map(|(first, payload)| frame(role, *first, payload).len()).sum(),
                Op::Bytes(bytes) => bytes.len(),
                Op::Reading(_) => continue,
                _ => {
                    player.apply(&op);
                    continue;
                }
            };
            player.take_events();
            player.apply(&Op::WriteAll);
            let told = player.events().len();
            player.apply(&op);
            player.take_events();
            // A header has two bytes, and the end may be reported in three events.
            prop_assert!(player.events().len() - told <= bytes / 2 + 3);
            // An answer is as long as its ping, except for the mask; one Close may explain itself.
            let answer: usize = player.connection.outputs().map(<[u8]>::len).sum();
            prop_assert!(answer <= 3 * bytes + 14 + 125, "{answer} bytes for {bytes}");
        }
    }
}

/// Law 10: twice the input, however it arrives, is twice the work. Allocated bytes stand for work here, because copying
/// what was already copied allocates them again and again.
#[test]
fn law_10_work_grows_with_the_input_and_no_faster() {
    let shapes: [(&str, Shape); 4] = [
        ("one frame", |role, n| frame(role, 0x82, &vec![7; n])),
        ("small messages", |role, n| frame(role, 0x81, b"small").repeat(n / 11)),
        ("fragments", |role, n| {
            let last = frame(role, 0x80, b"");
            [frame(role, 0x01, b""), frame(role, 0x00, b"fragment").repeat(n / 14), last].concat()
        }),
        ("pings", |role, n| frame(role, 0x89, b"ping").repeat(n / 10)),
    ];
    for role in [Role::Client, Role::Server] {
        for (name, shape) in shapes {
            for piece in [1, 100, usize::MAX] {
                let work = |n| {
                    let bytes = shape(role, n);
                    let mut connection = connection(role);
                    given(|| {
                        for piece in bytes.chunks(piece.min(bytes.len())) {
                            connection.handle_input(Instant::ZERO, piece);
                            while connection.poll_event().is_some() {}
                            while !connection.output().is_empty() {
                                let n = connection.output().len();
                                connection.handle_written(Instant::ZERO, n);
                            }
                        }
                    })
                };
                let (once, twice) = (work(40 * KIB), work(80 * KIB));
                assert!(
                    twice <= once * 5 / 2 + 64 * KIB,
                    "{role:?}, {name} by {piece}: {once}, then {twice}"
                );
            }
        }
    }
}

/// Law 10: the same for what is sent, however the transport accepts it.
#[test]
fn law_10_work_grows_with_the_output_and_no_faster() {
    for role in [Role::Client, Role::Server] {
        for step in [1, 1000, usize::MAX] {
            let work = |n| {
                let message = Message::binary(vec![7; n]);
                let mut connection = connection(role);
                given(|| {
                    connection.send(Instant::ZERO, message).expect("room");
                    while !connection.output().is_empty() {
                        let n = connection.output().len().min(step);
                        connection.handle_written(Instant::ZERO, n);
                    }
                })
            };
            let (once, twice) = (work(40 * KIB), work(80 * KIB));
            assert!(twice <= once * 5 / 2 + 16 * KIB, "{role:?} by {step}: {once}, then {twice}");
        }
    }
}

#[test]
fn the_allocator_counts() {
    let before = USED.get();
    let block = vec![0_u8; 1000];
    assert_eq!(USED.get() - before, 1000);
    assert_eq!(given(|| drop(Vec::<u8>::with_capacity(500))), 500);
    drop(block);
    assert_eq!(USED.get(), before);
}

/// Between two fragments of a message, a peer may send as much as it likes, and a host may append more than there is
/// room for.
#[test]
fn pings_inside_a_message_take_no_memory_permanently() {
    for role in [Role::Client, Role::Server] {
        let (config, most) = limited();
        let before = USED.get();
        let mut player = Player::new(role, config, [7; 32], Instant::ZERO);
        suffer(&mut player, &Attack::Fragments(20 * KIB, 1));
        for _ in 0..20 {
            suffer(&mut player, &Attack::Pings(1000));
            let used = (USED.get() - before) as usize;
            assert!(used <= most, "{used} of {most} bytes");
        }
    }
}
