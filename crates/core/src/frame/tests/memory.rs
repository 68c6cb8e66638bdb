//! The memory of a decoder: what it lends, shares and frees.

use super::*;

/// Fills each lent buffer with small frames, the last of them complete. Returns how much room each buffer had.
fn fill(decoder: &mut Decoder) -> Vec<usize> {
    let frame = encode(Header::new(Opcode::Binary, 100), &[1; 100]);
    let mut stream = frame.iter().copied().cycle();
    let mut rooms = Vec::new();
    for _ in 0..20 {
        let place = decoder.input();
        rooms.push(place.capacity() - place.len());
        place.extend(stream.by_ref().take(*rooms.last().unwrap()));
        while decoder.decode().unwrap().is_some() {}
    }
    decoder.push(&frame[rooms.iter().sum::<usize>() % frame.len()..]);
    while decoder.decode().unwrap().is_some() {}
    rooms
}

/// Whether a payload of this length is taken without a copy.
fn is_shared(decoder: &mut Decoder, len: usize) -> bool {
    decoder.push(&encode(Header::new(Opcode::Binary, len as u64), &vec![3; len]));
    decoder.decode().unwrap().unwrap();
    let place = decoder.payload().as_ptr();
    decoder.take().as_ptr() == place
}

#[test]
fn an_unlimited_frame_gets_memory_only_as_it_arrives() {
    let mut decoder = Decoder::new(Role::Client, &Limits { frame: None, ..Limits::default() });
    decoder.push(&Header::new(Opcode::Binary, MAX_HELD).encode());
    assert_eq!(decoder.decode(), Ok(None));
    let room = decoder.input().capacity();
    assert!((1 << 20..2 << 20).contains(&room), "{room}");
}

#[test]
fn a_frame_too_long_for_any_buffer_is_refused_unless_taken_in_pieces() {
    let header = Header::new(Opcode::Binary, MAX_HELD + 1).encode();
    let mut whole = Decoder::new(Role::Client, &Limits::none());
    whole.push(&header);
    assert_eq!(whole.decode(), Err(FrameError::FrameTooLong { len: MAX_HELD + 1, limit: MAX_HELD }));
    let mut in_pieces = Decoder::in_pieces(Role::Client, &Limits::none());
    in_pieces.push(&header);
    assert_eq!(in_pieces.decode(), Ok(None));
}

#[test]
fn a_large_frame_holds_at_most_twice_what_has_arrived_or_one_mebibyte() {
    const LEN: usize = 12 << 20;
    for read in [1_000, 30_000, 300_000, usize::MAX] {
        let mut decoder = Decoder::new(Role::Client, &Limits { frame: None, ..Limits::default() });
        decoder.push(&encode(Header::new(Opcode::Binary, LEN as u64), &[]));
        assert_eq!(decoder.decode(), Ok(None));
        let mut arrived = 0;
        while arrived < LEN {
            let place = decoder.input();
            let held = place.capacity();
            assert!(
                held < (1 << 20).max(2 * arrived) + (150 << 10),
                "{held} for {arrived} in reads of {read}"
            );
            let n = read.min(held - place.len()).min(LEN - arrived);
            assert!(n >= read.min(32 << 10).min(LEN - arrived), "{n} bytes are a small read");
            place.resize(place.len() + n, 7);
            arrived += n;
            assert_eq!(decoder.decode().unwrap().is_some(), arrived == LEN);
        }
    }
}

#[test]
fn the_buffer_lent_is_as_long_as_what_is_expected_next() {
    let mut decoder = decoder(Role::Client);
    let place = decoder.input();
    let modest = place.capacity() - place.len();
    assert!((4 << 10..8 << 10).contains(&modest), "{modest}");

    let bytes = encode(Header::new(Opcode::Binary, 256 << 10), &vec![3; 256 << 10]);
    decoder.input().extend_from_slice(&bytes[..4000]);
    assert_eq!(decoder.decode(), Ok(None));
    let missing = bytes.len() - 4000;
    let place = decoder.input();
    assert!(place.capacity() - place.len() >= missing + MAX_HEADER);
    assert!(place.capacity() - place.len() < missing + 4096);
    place.extend_from_slice(&bytes[4000..]);
    place.extend_from_slice(&bytes[..MAX_HEADER]);
    decoder.decode().unwrap().unwrap();
    assert_eq!(decoder.take(), vec![3; 256 << 10]);

    // The message has been dropped, so its memory is reused.
    let before = decoder.input().capacity();
    assert_eq!(decoder.decode(), Ok(None));
    assert!(decoder.input().capacity() <= before + MAX_HEADER);
}

#[test]
fn large_frames_are_read_in_pieces() {
    let begin = |mut decoder: Decoder, len: u64, mask| {
        let header = Header { mask, ..Header::new(Opcode::Binary, len) };
        decoder.push(&header.encode());
        assert_eq!(decoder.decode().unwrap(), None);
        decoder.read_limit()
    };
    let key = Some([1, 2, 3, 4]);
    assert_eq!(decoder(Role::Server).read_limit(), usize::MAX, "small messages come as they come");
    assert_eq!(
        begin(decoder(Role::Server), (32 << 10) + 100, key),
        usize::MAX,
        "no rest is left for another read"
    );
    assert_eq!(begin(decoder(Role::Server), 50_000, key), 32 << 10);
    assert_eq!(begin(decoder(Role::Server), 1 << 20, key), 32 << 10);
    assert_eq!(begin(decoder(Role::Client), 64 << 10, None), usize::MAX);
    assert_eq!(begin(decoder(Role::Client), 1 << 20, None), 64 << 10);
    let in_pieces = Decoder::in_pieces(Role::Server, &Limits::none());
    assert_eq!(begin(in_pieces, 1 << 20, key), usize::MAX, "each read makes a piece");
}

#[test]
fn a_ping_between_large_frames_does_not_end_their_run() {
    let mut decoder = decoder(Role::Client);
    decoder.push(&encode(Header::new(Opcode::Binary, 256 << 10), &vec![3; 256 << 10]));
    decoder.push(b"\x89\x01a");
    for opcode in [Opcode::Binary, Opcode::Ping] {
        assert_eq!(decoder.decode().unwrap().unwrap().opcode, opcode);
        decoder.take();
    }
    assert!(decoder.wanted() >= 256 << 10, "{}", decoder.wanted());
}

#[test]
fn a_buffer_with_enough_room_is_lent_again() {
    let bytes = encode(Header::new(Opcode::Binary, 3500), &[3; 3500]);
    let mut decoder = decoder(Role::Client);
    let before = decoder.input().capacity();
    decoder.input().extend_from_slice(&bytes[..100]);
    assert_eq!(decoder.decode(), Ok(None));
    assert_eq!(decoder.input().capacity(), before);
}

#[test]
fn a_buffer_with_just_enough_room_is_lent_again() {
    let mut decoder = decoder(Role::Client);
    let before = decoder.input().capacity();
    let bytes = encode(Header::new(Opcode::Binary, before as u64 - 1000), &vec![3; before]);
    decoder.input().extend_from_slice(&bytes[..before - (2 << 10)]);
    assert_eq!(decoder.decode(), Ok(None));
    assert_eq!(decoder.input().capacity(), before);
}

#[test]
fn a_buffer_starts_over_once_all_of_it_is_decoded() {
    let mut decoder = decoder(Role::Client);
    decoder.input().extend_from_slice(b"\x81\x01a");
    decoder.decode().unwrap().unwrap();
    decoder.take();
    assert!(decoder.input().is_empty());
}

#[test]
fn a_buffer_is_large_enough_to_avoid_many_small_reads() {
    let bytes = encode(Header::new(Opcode::Binary, 3500), &[3; 3500]);
    let mut decoder = decoder(Role::Client);
    decoder.input().extend_from_slice(&bytes[..3000]);
    assert_eq!(decoder.decode(), Ok(None));
    // 504 bytes are missing, but more frames may follow them.
    let place = decoder.input();
    assert!(place.capacity() - place.len() >= 2 << 10);
}

#[test]
fn a_stream_that_fills_its_buffer_gets_a_larger_one() {
    let rooms = fill(&mut decoder(Role::Client));
    let most = rooms.iter().max().unwrap();
    assert!((60 << 10..140 << 10).contains(most), "{rooms:?}");
    assert!(rooms[0] < 8 << 10);
}

#[test]
fn the_end_of_a_large_frame_does_not_move_what_has_arrived() {
    for len in [64 << 10, 256 << 10] {
        let mut decoder = decoder(Role::Client);
        let stream = encode(Header::new(Opcode::Binary, len as u64), &vec![7; len]).repeat(6);
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let place = decoder.input();
            assert!(place.capacity() < len + 100, "{} bytes for {len}", place.capacity());
            let (read, behind) =
                rest.split_at((place.capacity() - place.len()).min(64 << 10).min(rest.len()));
            place.extend_from_slice(read);
            rest = behind;
            while decoder.decode().unwrap().is_some() {
                assert_eq!(decoder.take().len(), len);
            }
        }
    }
}

#[test]
fn a_large_frame_stays_where_it_is_however_the_stream_is_cut() {
    const LEN: usize = 256 << 10;
    // Reads as loopback delivers them: more packets or fewer at a time, or the peer has not written more yet.
    const PACKET: usize = 65_483;
    let frame = encode(Header::new(Opcode::Binary, LEN as u64), &vec![7; LEN]);
    let stream = frame.repeat(40);
    for seed in 0..20 {
        let mut rng = crate::Rng::from_seed([seed; 32]);
        let mut decoder = decoder(Role::Client);
        let (mut rest, mut last) = (&stream[..], Bytes::new());
        while !rest.is_empty() {
            let (begun, place) = (decoder.payload().len(), decoder.payload().as_ptr());
            let room = decoder.input();
            let whole = (rest.len() - 1) % frame.len() + 1;
            let there =
                if rng.next_u32() % 2 == 0 { whole } else { rng.next_u32() as usize % 4 * PACKET + PACKET };
            let read = (room.capacity() - room.len()).min(there).min(rest.len());
            room.extend_from_slice(&rest[..read]);
            rest = &rest[read..];
            let is_moved = decoder.payload().as_ptr() != place;
            assert!(!is_moved || begun <= 16 << 10, "{begun} bytes of a frame, seed {seed}");
            while decoder.decode().unwrap().is_some() {
                // Holding each message until the next one arrives means that each is read into another buffer.
                last = decoder.take();
            }
        }
        assert_eq!(last.len(), LEN);
    }
}

#[test]
fn a_buffer_larger_than_a_frame_is_lent_for_one_frame() {
    const LEN: usize = 256 << 10;
    let stream = encode(Header::new(Opcode::Binary, LEN as u64), &vec![7; LEN]).repeat(20);
    let mut decoder = decoder(Role::Client);
    // A buffer for two, where the second one would always end outside.
    decoder.input().reserve(2 * LEN);
    let (mut rest, mut moved) = (&stream[..], 0);
    while !rest.is_empty() {
        let (begun, place) = (decoder.payload().len(), decoder.payload().as_ptr());
        let room = decoder.input();
        let read = (room.capacity() - room.len()).min(rest.len());
        room.extend_from_slice(&rest[..read]);
        rest = &rest[read..];
        moved += if decoder.payload().as_ptr() == place { 0 } else { begun };
        while decoder.decode().unwrap().is_some() {
            assert_eq!(decoder.take().len(), LEN);
        }
    }
    assert!(moved < 2 * LEN, "{moved} bytes have moved");
}

#[test]
fn a_buffer_has_room_for_more_after_a_whole_frame() {
    let mut decoder = decoder(Role::Client);
    let bytes = encode(Header::new(Opcode::Binary, 100_000), &vec![7; 100_000]);
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let place = decoder.input();
        let (now, behind) = rest.split_at((place.capacity() - place.len()).min(rest.len()));
        place.extend_from_slice(now);
        rest = behind;
        decoder.decode().unwrap();
    }
    for _ in 0..100 {
        let place = decoder.input();
        assert!(place.capacity() > place.len(), "a read of nothing would look like the end");
        place.extend_from_slice(b"\x89");
    }
}

#[test]
fn a_mebibyte_plus_protocol_overhead_fits_through_one_buffer() {
    const LEN: usize = (1 << 20) + 44;
    let mut decoder = decoder(Role::Client);
    let stream = encode(Header::new(Opcode::Binary, LEN as u64), &vec![7; LEN]).repeat(3);
    let mut rest = &stream[..];
    while !rest.is_empty() {
        let place = decoder.input();
        assert!(place.capacity() < LEN + 1100, "{} bytes", place.capacity());
        let (read, behind) = rest.split_at((place.capacity() - place.len()).min(rest.len()));
        place.extend_from_slice(read);
        rest = behind;
        while decoder.decode().unwrap().is_some() {
            assert_eq!(decoder.take().len(), LEN);
        }
    }
}

#[test]
fn a_buffer_has_room_for_another_large_frame_after_the_first() {
    let large = encode(Header::new(Opcode::Binary, 200_000), &vec![7; 200_000]);
    let small = encode(Header::new(Opcode::Binary, 10), &[1; 10]);
    let ping = encode(Header::new(Opcode::Ping, 2), b"hi");
    let mut decoder = decoder(Role::Client);
    let mut room_after = |bytes: &[u8]| {
        decoder.push(bytes);
        while decoder.decode().unwrap().is_some() {
            decoder.take();
        }
        let place = decoder.input();
        place.capacity() - place.len()
    };
    assert!(room_after(&small) <= 8 << 10);
    // With the header of the next one, a single read is enough for each.
    assert!((200_014..210_000).contains(&room_after(&large)));
    assert!((200_014..210_000).contains(&room_after(&ping)));
    assert!(room_after(&large[..100]) >= 200_014 - 100);
    assert!(room_after(&large[100..]) >= 200_014);
    let mut decoder = self::decoder(Role::Client);
    decoder.push(&large);
    decoder.decode().unwrap().unwrap();
    decoder.take();
    decoder.push(&small);
    decoder.decode().unwrap().unwrap();
    decoder.release();
    assert!(decoder.input().capacity() <= 8 << 10, "it may have been the last");
}

#[test]
fn a_payload_of_a_kibibyte_or_more_is_shared() {
    assert!(is_shared(&mut decoder(Role::Client), 1024));
    assert!(!is_shared(&mut decoder(Role::Client), 1023));
}

/// Reads a large frame whose payload is `byte` all over, and takes it.
fn read_large(decoder: &mut Decoder, byte: u8, len: usize) -> Bytes {
    let frame = encode(Header::new(Opcode::Binary, len as u64), &vec![byte; len]);
    let mut rest = &frame[..];
    loop {
        let place = decoder.input();
        let (read, behind) = rest.split_at((place.capacity() - place.len()).min(rest.len()));
        place.extend_from_slice(read);
        rest = behind;
        if decoder.decode().unwrap().is_some() {
            return decoder.take();
        }
    }
}

fn keeping() -> Decoder {
    let mut decoder = decoder(Role::Client);
    decoder.keep_places(true);
    decoder
}

/// How many buffers are used for large frames while the last three are held.
fn places_in_turn(decoder: &mut Decoder) -> usize {
    const LEN: usize = 256 << 10;
    let mut held = alloc::collections::VecDeque::new();
    let mut places = alloc::collections::BTreeSet::new();
    for n in 0..40 {
        let payload = read_large(decoder, n, LEN);
        places.insert(payload.as_ptr() as usize);
        held.push_back((n, payload));
        if held.len() > 3 {
            let (n, oldest) = held.pop_front().unwrap();
            assert!(oldest == vec![n; LEN], "what is held is left alone");
        }
    }
    assert!(decoder.memory() <= 6 * (LEN + 1000), "{} bytes", decoder.memory());
    places.len()
}

#[test]
fn large_frames_that_are_held_for_a_while_share_a_few_buffers() {
    // Some follow what has arrived of them in the previous buffer.
    assert!(places_in_turn(&mut keeping()) <= 10);
}

#[test]
fn about_four_mebibytes_of_buffers_are_kept() {
    let mut decoder = keeping();
    let held: Vec<_> = (0..30).map(|n| read_large(&mut decoder, n, 1 << 20)).collect();
    drop(held);
    assert!((3 << 20..6 << 20).contains(&decoder.memory()), "{} bytes", decoder.memory());
}

#[test]
fn smaller_buffers_make_way_when_frames_become_longer() {
    let mut decoder = keeping();
    for len in [100 << 10, 200 << 10, 400 << 10] {
        drop([1, 2, 3].map(|n| read_large(&mut decoder, n, len)));
    }
    assert!(decoder.memory() <= 4 * (401 << 10), "{} bytes", decoder.memory());
}

#[test]
fn a_frame_longer_than_a_kept_buffer_gets_memory_of_its_own() {
    let mut decoder = keeping();
    for n in 0..4 {
        let held = [read_large(&mut decoder, n, 3 << 20), read_large(&mut decoder, n, 3 << 20)];
        assert!(held.iter().all(|frame| *frame == vec![n; 3 << 20]));
    }
    decoder.release();
    assert_eq!(decoder.memory(), 0);
}

#[test]
fn a_new_stream_of_frames_knows_nothing_of_the_previous_one() {
    let mut decoder = decoder(Role::Client);
    read_large(&mut decoder, 1, 1 << 20);
    decoder.clear();
    assert_eq!(decoder.wanted(), self::decoder(Role::Client).wanted());
}

#[test]
fn buffers_are_kept_until_all_memory_is_given_back() {
    for ends in [Decoder::release, Decoder::clear, |decoder: &mut Decoder| decoder.keep_places(false)] {
        let mut decoder = keeping();
        drop([1, 2, 3].map(|n| read_large(&mut decoder, n, 256 << 10)));
        decoder.keep_places(true);
        assert!(decoder.memory() >= 512 << 10, "{} bytes", decoder.memory());
        ends(&mut decoder);
        assert!(decoder.memory() <= 257 << 10, "{} bytes", decoder.memory());
        decoder.release();
        assert_eq!(decoder.memory(), 0);
    }
}

#[test]
fn a_payload_of_less_than_a_sixteenth_of_its_buffer_is_copied() {
    for less in [0, 1] {
        let mut decoder = decoder(Role::Client);
        fill(&mut decoder);
        let place = decoder.memory();
        assert!((64 << 10..140 << 10).contains(&place), "{place}");
        assert_eq!(is_shared(&mut decoder, place.div_ceil(16) - less), less == 0);
    }
}

#[test]
fn an_idle_decoder_owns_no_memory() {
    let mut decoder = decoder(Role::Client);
    decoder.push(b"\x82\x01a\x82");
    decoder.decode().unwrap();
    assert!(!decoder.is_between_frames());
    decoder.release();
    assert!(!decoder.is_between_frames()); // half a header is kept
    decoder.push(b"\x01b");
    decoder.decode().unwrap().unwrap();
    assert_eq!(decoder.payload(), b"b");
    assert!(decoder.is_between_frames());
    decoder.release();
    assert_eq!(
        alloc::format!("{decoder:?}"),
        "Decoder { role: Client, buffered: 0, capacity: 0, frame: None, .. }"
    );
}

#[test]
fn a_decoder_that_failed_keeps_nothing() {
    let mut decoder = decoder(Role::Client);
    decoder.push(b"\xff");
    assert!(decoder.decode().is_err());
    for _ in 0..100 {
        decoder.push(&[0; 1000]);
    }
    assert!(decoder.memory() < 4096);
}

#[test]
fn a_truncated_buffer_does_no_harm() {
    let mut decoder = decoder(Role::Server);
    let bytes = encode(Header::new(Opcode::Binary, 2000).masked([1; 4]), &[1; 2000]);
    for len in [0, 1, 7, 8, 1000] {
        decoder.push(&bytes);
        let _ = decoder.decode();
        decoder.input().truncate(len);
        let _ = (decoder.decode(), decoder.payload().len(), decoder.take(), decoder.is_between_frames());
        decoder.input().clear();
    }
}

/// How much memory is held by an owner of all payloads of 5,000 bytes from a stream in which each follows a mebibyte.
fn held_behind_large_ones(
    mut decoder: Decoder,
    put: impl for<'a> Fn(&mut Decoder, &'a [u8]) -> &'a [u8],
) -> usize {
    let mut held = Vec::new();
    for len in [1 << 20, 5_000].repeat(20) {
        let wire = encode(Header::new(Opcode::Binary, len), &vec![7; len as usize]);
        let mut rest = &wire[..];
        while !rest.is_empty() {
            rest = put(&mut decoder, rest);
            while decoder.decode().unwrap().is_some() {
                held.extend(Some(decoder.take()).filter(|payload| payload.len() == 5_000));
            }
        }
    }
    drop(decoder);
    assert_eq!(held.len(), 20);
    held.into_iter().map(|payload| payload.try_into_mut().unwrap().capacity()).sum()
}

fn push_some<'a>(decoder: &mut Decoder, bytes: &'a [u8]) -> &'a [u8] {
    &bytes[decoder.push_part(bytes)..]
}

fn read_some<'a>(decoder: &mut Decoder, bytes: &'a [u8]) -> &'a [u8] {
    let place = decoder.input();
    let (read, rest) = bytes.split_at((place.capacity() - place.len()).min(bytes.len()));
    place.extend_from_slice(read);
    rest
}

#[test]
fn a_small_frame_after_a_large_one_does_not_hold_its_buffer() {
    for begin in [|| decoder(Role::Client), keeping] {
        for put in [push_some, read_some] {
            let held = held_behind_large_ones(begin(), put);
            assert!(held < 20 * 16 * 5_000, "{held}");
        }
    }
}

#[test]
fn a_stream_of_small_frames_gives_up_the_buffer_of_a_large_one() {
    let mut decoder = decoder(Role::Client);
    read_large(&mut decoder, 1, 1 << 20);
    for n in 0..40 {
        read_large(&mut decoder, n, 32 << 10);
    }
    assert!(decoder.memory() < 200 << 10, "{} bytes", decoder.memory());
    assert!(is_shared(&mut decoder, 32 << 10));
}
