//! Promises about one connection, whatever its host, its application and its peer do.

use crate::player::{Op, Player, Saw, frame, hurried, op, play, role, script};
use bowline_core::closing::Cut;
use bowline_core::connection::{Config, Event};
use bowline_core::frame::Opcode;
use bowline_core::{CloseCode, End, Instant, Message};
use proptest::prelude::*;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Anywhere in the range of time, with its ends.
fn any_instant() -> impl Strategy<Value = Instant> {
    prop_oneof![
        3 => (0..100_000_u64).prop_map(Instant::from_millis),
        1 => any::<u64>().prop_map(Instant::from_nanos),
        1 => Just(Instant::ZERO),
        1 => Just(Instant::MAX),
    ]
}

/// Half the usual cases are enough, because each is a whole life; `PROPTEST_CASES` changes their number.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.div_ceil(2), failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn pings_keep_their_distance(
        role in role(),
        seed in any::<[u8; 32]>(),
        traffic in prop::collection::vec((0..60_000_u64, any::<bool>(), any::<bool>()), 1..20),
    ) {
        // Default times: 20 s, shortened by up to 10 %.
        let mut player = Player::new(role, Config::default(), seed, Instant::ZERO);
        let (mut pings, mut heard) = (Vec::new(), Instant::ZERO);
        for (pause, hears, sends) in traffic {
            let until = player.now + Duration::from_millis(pause);
            while player.now < until {
                player.sleep(until.min(player.now + SECOND / 10));
                let before = player.connection.stats().pings;
                player.apply(&Op::WriteAll);
                let left = player.connection.stats().pings - before;
                prop_assert!(left <= 1);
                if left > 0 {
                    prop_assert!(pings.last().is_none_or(|last| heard >= *last), "the last one has no answer");
                    pings.push(player.now);
                }
            }
            if hears {
                player.apply(&Op::Frames(vec![(0x81, b"x".to_vec())]));
                heard = player.now;
            }
            if sends {
                player.apply(&Op::Send(10));
            }
        }
        // This host's accuracy is a tenth of a second.
        prop_assert!(pings.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(17_900)), "{pings:?}");
    }

    #[test]
    fn a_control_frame_waits_for_one_fragment_at_most(
        role in role(),
        fragment in 1..3000_usize,
        ops in prop::collection::vec(
            prop_oneof![
                3 => (0..10_000_usize).prop_map(Op::Send),
                4 => any::<prop::sample::Index>().prop_map(Op::Write),
                2 => Just(Op::Frames(vec![(0x89, Vec::new())])),
            ],
            1..60,
        ),
    ) {
        let mut config = Config::default();
        config.fragment = Some(fragment);
        let mut player = Player::new(role, config, [7; 32], Instant::ZERO);
        let mut asked = Vec::new();
        for op in ops {
            match op {
                // No more than may wait at once, so that each gets its answer.
                Op::Frames(_) if asked.len() < 16 => {
                    asked.push(player.written().len());
                    player.apply(&Op::Frames(vec![(0x89, vec![asked.len() as u8])]));
                }
                Op::Frames(_) => {}
                op => player.apply(&op),
            }
        }
        player.apply(&Op::WriteAll);
        let frames = player.frames();
        let pongs = frames.iter().filter(|(_, header, _)| header.opcode == Opcode::Pong).map(|(at, ..)| *at);
        for (asked, answered) in asked.iter().zip(pongs) {
            let data = frames.iter().filter(|(_, header, _)| !header.opcode.is_control()).map(|(at, header, payload)| {
                let end = at + header.encode().len() + payload.len();
                end.min(answered).saturating_sub(*at.max(asked))
            });
            prop_assert!(data.sum::<usize>() <= fragment + 14, "asked at {asked}, answered at {answered}");
        }
    }

    #[test]
    fn the_start_of_time_does_not_matter(role in role(), script in script(), start in 0..1_u64 << 60) {
        let early = play(role, hurried(), &script, Instant::ZERO);
        let late = play(role, hurried(), &script, Instant::from_nanos(start));
        prop_assert_eq!(early.saw, late.saw);
    }

    #[test]
    fn one_close_is_written_at_most(role in role(), script in script()) {
        let player = play(role, hurried(), &script, Instant::ZERO);
        let frames = player.frames();
        let closes: Vec<_> = frames.iter().filter(|(_, header, _)| header.opcode == Opcode::Close).collect();
        prop_assert!(closes.len() <= 1, "{closes:?}");
    }

    #[test]
    fn the_close_that_is_written_is_valid(role in role(), script in script()) {
        let player = play(role, hurried(), &script, Instant::ZERO);
        for (_, header, payload) in player.frames() {
            if header.opcode == Opcode::Close {
                let code = payload.first_chunk().map(|code| CloseCode::new(u16::from_be_bytes(*code)));
                prop_assert!(code.map_or(payload.is_empty(), CloseCode::is_sendable), "{code:?}");
                prop_assert!(payload.len() <= 125 && std::str::from_utf8(&payload[payload.len().min(2)..]).is_ok());
            }
        }
    }

    #[test]
    fn nothing_follows_a_close_but_pongs_that_were_asked_for(role in role(), script in script()) {
        let player = play(role, hurried(), &script, Instant::ZERO);
        let frames = player.frames();
        let behind = frames.iter().skip_while(|(_, header, _)| header.opcode != Opcode::Close).skip(1);
        let behind: Vec<_> = behind.map(|(_, header, payload)| (header.opcode, payload)).collect();
        let pings = script.iter().filter_map(|(_, op)| if let Op::Frames(frames) = op { Some(frames) } else { None });
        let asked: Vec<_> = pings.flatten().filter(|(first, _)| *first == 0x89).map(|(_, payload)| payload).collect();
        for (opcode, payload) in behind {
            prop_assert!(opcode == Opcode::Pong && asked.contains(&payload), "{opcode:?}");
        }
        // Not even a part of another frame: only a Pong may be cut off, and only if the connection has ended.
        let whole = frames.last().map_or(0, |(at, header, payload)| at + header.encode().len() + payload.len());
        let closed = frames.iter().any(|(_, header, _)| header.opcode == Opcode::Close);
        let ended = player.events().iter().any(|event| matches!(event, Event::Closed(_)));
        let cut_off = player.written().get(whole).copied();
        prop_assert!(!closed || cut_off.is_none_or(|first| first == 0x8a && ended), "{cut_off:?}");
    }

    #[test]
    fn there_is_one_end_and_its_record_follows_from_what_happened(role in role(), script in script()) {
        let mut player = play(role, hurried(), &script, Instant::ZERO);
        player.apply(&Op::End(End::Eof));
        player.take_events();
        // A second report changes nothing, and neither does anything else.
        player.apply(&Op::End(End::Reset));
        player.apply(&Op::Frames(vec![(0x81, b"late".to_vec())]));
        player.take_events();

        let events = player.events();
        let ends = events.iter().filter(|event| matches!(event, Event::Closed(_))).count();
        prop_assert_eq!(ends, 1);
        let Some(Event::Closed(disconnect)) = events.last() else { panic!("{events:?}") };

        let frames = player.frames();
        if let Some((_, _, payload)) = frames.iter().find(|(_, header, _)| header.opcode == Opcode::Close) {
            let sent = disconnect.sent().expect("the Close that was written");
            prop_assert_eq!(&sent.encode()[..], &payload[..]);
        }
        let received = events.iter().find_map(|event| if let Event::CloseReceived(close) = event { Some(close) } else { None });
        prop_assert_eq!(disconnect.received(), received);
        prop_assert_eq!(disconnect.code(), received.map_or(CloseCode::ABNORMAL, bowline_core::Close::code));
        prop_assert!(disconnect.idle() <= disconnect.age());
        prop_assert!(disconnect.age() <= player.now - Instant::ZERO);
        let messages = events.iter().filter(|event| matches!(event, Event::Message(_))).count() as u64;
        prop_assert_eq!(player.connection.stats().messages_received, messages);
    }

    #[test]
    fn the_record_tells_where_the_input_was_cut(
        role in role(),
        messages in prop::collection::vec(prop::collection::vec(0..300_usize, 1..4), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        // Messages in fragments of these lengths, cut anywhere, as understood by a reader with a ruler.
        let (mut bytes, mut expected) = (Vec::new(), vec![(Cut::Boundary, 0)]);
        for fragments in &messages {
            let mut before = 0;
            for (i, len) in fragments.iter().enumerate() {
                let first = if i == 0 { 0x02 } else { 0 } | if i + 1 == fragments.len() { 0x80 } else { 0 };
                let frame = frame(role, first, &vec![5; *len]);
                let header = frame.len() - len;
                expected.extend((1..header).map(|_| (Cut::Header, before)));
                let opcode = first & 15;
                expected.extend((0..*len).map(|got| (Cut::Payload { opcode, got: got as u64, of: *len as u64 }, before)));
                before = if i + 1 == fragments.len() { 0 } else { before + *len as u64 };
                expected.push((Cut::Boundary, before));
                bytes.extend(frame);
            }
        }
        let cut = cut.index(bytes.len() + 1);
        let mut player = Player::new(role, Config::default(), [7; 32], Instant::ZERO);
        player.apply(&Op::Bytes(bytes[..cut].to_vec()));
        player.apply(&Op::End(End::Eof));
        player.take_events();
        let disconnect = player.disconnect().expect("the end");
        prop_assert_eq!((disconnect.cut(), disconnect.incomplete_message()), expected[cut]);
    }

    #[test]
    fn no_time_makes_it_panic_or_overflow(role in role(), script in prop::collection::vec((any_instant(), op()), 0..40)) {
        let mut player = Player::new(role, hurried(), [7; 32], Instant::from_secs(50));
        let mut latest = player.now;
        for (at, op) in script {
            player.now = at;
            latest = latest.max(at);
            player.apply(&op);
            player.connection.handle_timeout(at);
            prop_assert!(player.connection.poll_timeout().is_none_or(|next| next > latest), "{latest}");
            player.take_events();
        }
    }

    #[test]
    fn the_same_seed_and_the_same_calls_give_the_same_bytes(role in role(), script in script(), seed in any::<[u8; 32]>()) {
        let run = || {
            let mut player = Player::new(role, hurried(), seed, Instant::ZERO);
            for (pause, op) in &script {
                player.sleep(player.now + Duration::from_millis(*pause));
                player.apply(op);
            }
            (player.saw, player.connection.poll_timeout())
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn how_the_transport_drains_changes_no_message(
        role in role(),
        lens in prop::collection::vec(0..20_000_usize, 0..12),
        shares in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        // Whatever is written at once, all of it arrives, in order, and as late as the transport is slow.
        let mut config = Config::default();
        config.send_buffer = usize::MAX;
        let mut player = Player::new(role, config, [7; 32], Instant::ZERO);
        for (len, share) in lens.iter().zip(shares.iter().cycle()) {
            player.apply(&Op::Send(*len));
            player.apply(&Op::Write(*share));
        }
        player.apply(&Op::WriteAll);
        let mut peer = Player::new(
            if role == bowline_core::Role::Client { bowline_core::Role::Server } else { bowline_core::Role::Client },
            Config::default(),
            [8; 32],
            Instant::ZERO,
        );
        for (_, saw) in &player.saw {
            let Saw::Wrote(bytes) = saw else { continue };
            peer.apply(&Op::Bytes(bytes.clone()));
            peer.take_events();
        }
        let expected: Vec<_> = lens.iter().map(|len| Event::Message(Message::binary(vec![7; *len]))).collect();
        prop_assert!(peer.events().into_iter().eq(expected.iter()));
    }
}
