//! Bytes that are pushed in parts: unmasked on the way, and with no more memory than needed.

use super::*;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame of a client that contains only `x`.
fn masked(len: usize) -> Vec<u8> {
    encode(Header::new(Opcode::Binary, len as u64).masked(KEY), &vec![b'x'; len])
}

/// Everything the decoder finds, given at most `size` bytes at once.
fn decode_parts(decoder: &mut Decoder, bytes: &[u8], size: usize) -> Frames {
    let mut frames = Vec::new();
    for mut piece in bytes.chunks(size) {
        while !piece.is_empty() {
            let n = decoder.push_part(piece);
            assert!(n > 0, "each part gets on");
            piece = &piece[n..];
            while let Some(header) = decoder.decode().unwrap() {
                frames.push((header, decoder.take()));
            }
        }
    }
    frames
}

#[test]
fn the_current_frame_is_unmasked_as_it_is_pushed() {
    let bytes = masked(100_000);
    let mut decoder = decoder(Role::Server);
    decoder.push(&bytes[..100]);
    assert_eq!(decoder.decode(), Ok(None));
    for (from, to) in [(100, 103), (103, 5_000), (5_000, 50_000)] {
        decoder.push(&bytes[from..to]);
        assert!(decoder.input().iter().rev().take(to - from).all(|byte| *byte == b'x'));
        assert_eq!(decoder.arrived(), 86, "nothing is shown before it is asked for");
    }
    assert_eq!(decoder.decode(), Ok(None));
    assert_eq!(decoder.payload(), vec![b'x'; 50_000 - 14]);
    decoder.push(&bytes[50_000..]);
    assert_eq!(decoder.decode().unwrap().map(|header| header.len), Some(100_000));
    assert_eq!(decoder.take(), vec![b'x'; 100_000]);
}

#[test]
fn bytes_after_a_pushed_frame_are_left_masked() {
    let mut decoder = decoder(Role::Server);
    let bytes = masked(10_000).repeat(3);
    decoder.push(&bytes[..5_000]);
    assert_eq!(decoder.decode(), Ok(None));
    decoder.push(&bytes[5_000..]);
    for _ in 0..3 {
        assert!(decoder.decode().unwrap().is_some());
        assert_eq!(decoder.take(), vec![b'x'; 10_000]);
    }
    assert!(decoder.is_between_frames());
}

#[test]
fn pushing_and_reading_can_alternate() {
    let bytes = masked(70_000).repeat(2);
    let mut decoder = decoder(Role::Server);
    let (mut found, mut is_pushed) = (0, false);
    for piece in bytes.chunks(999) {
        if is_pushed {
            decoder.push(piece);
        } else {
            decoder.input().extend_from_slice(piece);
        }
        // Not checked after each.
        is_pushed = !is_pushed;
        if piece[0] % 3 > 0 {
            continue;
        }
        while decoder.decode().unwrap().is_some() {
            found += 1;
            assert_eq!(decoder.take(), vec![b'x'; 70_000]);
        }
    }
    while decoder.decode().unwrap().is_some() {
        found += 1;
    }
    assert_eq!(found, 2);
}

#[test]
fn pushes_are_not_split_when_pieces_are_taken_as_they_arrive() {
    let bytes = masked(29_999);
    let mut decoder = Decoder::in_pieces(Role::Server, &Limits::default());
    let mut taken = Vec::new();
    for piece in bytes.chunks(5_001) {
        assert_eq!(decoder.push_part(piece), piece.len());
        decoder.decode().unwrap();
        taken.extend(decoder.take_arrived());
    }
    assert_eq!(taken, vec![b'x'; 29_999]);
}

#[test]
fn bytes_pushed_after_the_last_decode_stay_when_the_others_are_taken() {
    let bytes = masked(6_000);
    let mut decoder = Decoder::in_pieces(Role::Server, &Limits::default());
    decoder.push(&bytes[..1_000]);
    assert_eq!(decoder.decode(), Ok(None));
    decoder.push(&bytes[1_000..4_001]);
    assert_eq!(decoder.take_arrived(), vec![b'x'; 992]);
    decoder.push(&bytes[4_001..]);
    assert!(decoder.decode().unwrap().is_some());
    assert_eq!(decoder.take_arrived(), vec![b'x'; 5_008]);
}

#[test]
fn a_part_ends_with_the_current_frame() {
    let bytes = masked(100_000).repeat(2);
    let mut decoder = decoder(Role::Server);
    let start = decoder.push_part(&bytes);
    assert!((1_000..10_000).contains(&start), "{start} bytes are unmasked afterwards");
    assert_eq!(decoder.decode(), Ok(None));
    assert_eq!(start + decoder.push_part(&bytes[start..]), bytes.len() / 2);
    assert!(decoder.decode().unwrap().is_some());
}

#[test]
fn a_large_pushed_frame_stays_where_it_is() {
    const LEN: usize = 256 << 10;
    let mut decoder = decoder(Role::Server);
    let bytes = masked(LEN);
    let mut frames = decode_parts(&mut decoder, &bytes, 64 << 10);
    for _ in 0..3 {
        // Somebody still holds the last one.
        assert_eq!(decode_parts(&mut decoder, &bytes[..1_000], 1_000).len(), 0);
        let place = decoder.payload().as_ptr();
        frames = decode_parts(&mut decoder, &bytes[1_000..], 64 << 10);
        assert_eq!(frames[0].1.as_ptr(), place);
        assert!(decoder.memory() < LEN + 100, "{}", decoder.memory());
    }
    assert_eq!(frames[0].1, vec![b'x'; LEN]);
}

#[test]
fn a_pushed_frame_holds_at_most_twice_what_has_arrived_or_one_mebibyte() {
    const LEN: usize = 12 << 20;
    let bytes = masked(LEN);
    for size in [1_000, 30_000, 300_000, usize::MAX] {
        let mut decoder = Decoder::new(Role::Server, &Limits { frame: None, ..Limits::default() });
        let mut arrived = 0;
        for piece in bytes.chunks(size) {
            let mut rest = piece;
            while !rest.is_empty() {
                let n = decoder.push_part(rest);
                (rest, arrived) = (&rest[n..], arrived + n);
                let held = decoder.memory();
                assert!(held < (1 << 20).max(2 * arrived) + (150 << 10), "{held} for {arrived}");
                assert_eq!(decoder.decode().unwrap().is_some(), arrived == bytes.len());
            }
        }
        assert_eq!(decoder.take(), vec![b'x'; LEN]);
    }
}

proptest! {
    #[test]
    fn pushing_in_parts_equals_pushing_at_once(
        lens in prop::collection::vec(prop_oneof![0..200_usize, 4_000..9_000_usize, 60_000..200_000_usize], 1..6),
        size in prop_oneof![1..100_usize, 1_000..100_000_usize],
        to_server in any::<bool>(),
    ) {
        let (role, mask) = if to_server { (Role::Server, Some(KEY)) } else { (Role::Client, None) };
        let frames: Vec<_> = lens.into_iter().map(|len| {
            let payload: Vec<u8> = (0..len).map(|n| n as u8).collect();
            (Header { mask, ..Header::new(Opcode::Binary, len as u64) }, Bytes::from(payload))
        }).collect();
        let bytes = frames.iter().map(|(header, payload)| encode(*header, payload)).collect::<Vec<_>>().concat();
        prop_assert!(decode_parts(&mut decoder(role), &bytes, size) == frames);
    }
}
