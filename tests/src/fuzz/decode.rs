//! Bytes through the frame decoder and the assembler of messages.

use super::choice::{Blob, Rest, Seed, Tell, choice, choose};
use super::differential::stream::pieces;
use crate::heap;
use bowline_core::frame::{Decoder, Encoder, FrameError, Header, Limits};
use bowline_core::mask::Keys;
use bowline_core::message::Assembler;
use bowline_core::{Message, Rng, Role, mask};
use std::mem;

choice! {
    struct Input {
        to_server: bool,
        /// With small limits, or with the usual ones.
        limited: bool,
        cuts: Blob,
        bytes: Rest,
    }
}

/// What a decoder may hold besides what it was given: the buffer that it lends, and the trust in one header.
const ALLOWED: usize = (2 << 20) + (256 << 10);

/// How bytes reach the decoder.
#[derive(Clone, Copy)]
enum Way {
    Pushed,
    /// As many at once as the decoder takes.
    InParts,
    /// Read into the buffer that it lends.
    InPlace,
    /// The same, and buffers are kept.
    InKept,
}

/// Bytes through the decoder, at once, in pieces, and read into the buffer that it lends: the frames and messages are
/// the same, the frames encode to the same bytes in either role, and the memory does not depend on what headers
/// promise.
pub fn decode(data: &[u8]) {
    let input: Input = choose(data);
    let _tell = Tell(&input);
    let bytes = &input.bytes.0;
    let whole = input.decode(&[bytes], Way::Pushed);
    let split = pieces(bytes, &input.cuts);
    assert_eq!(whole, input.decode(&split, Way::Pushed), "splitting changes nothing");
    assert_eq!(whole, input.decode(&split, Way::InParts), "pushing in parts changes nothing");
    assert_eq!(whole, input.decode(&split, Way::InPlace), "reading in place changes nothing");
    assert_eq!(whole, input.decode(&split, Way::InKept), "keeping places changes nothing");
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(whole, input.decode(&single, Way::Pushed), "byte by byte");
    assert!(bytes.starts_with(&whole.encoded), "a frame encodes to the bytes that it came from");
    let written = whole.written(Encoder::server());
    assert!(input.to_server || whole.encoded == written, "an encoder writes it as it was");
    let masked = whole.written(Encoder::client(Keys::new(Rng::from_seed([1; 32]))));
    assert_eq!(whole.unmasked(), unmasked(&masked), "what a client writes is read");
}

/// Frames that a client has written.
fn unmasked(bytes: &[u8]) -> Vec<(Header, Vec<u8>)> {
    let mut decoder = Decoder::new(Role::Server, &Limits::none());
    decoder.push(bytes);
    let mut frames = Vec::new();
    while let Some(header) = decoder.decode().expect("frames that are right") {
        frames.push((Header { mask: None, ..header }, decoder.payload().to_vec()));
    }
    frames
}

/// What was found.
#[derive(Debug, Default, PartialEq)]
struct Found {
    frames: Vec<(Header, Vec<u8>)>,
    messages: Vec<Message>,
    error: Option<FrameError>,
    /// The frames, encoded again.
    encoded: Vec<u8>,
    /// What the assembler has taken of an incomplete frame.
    taken: Vec<u8>,
}

impl Input {
    fn decode(&self, pieces: &[&[u8]], way: Way) -> Found {
        let role = if self.to_server { Role::Server } else { Role::Client };
        let mut limits = Limits::default();
        if self.limited {
            limits.frame = Some(1000);
            limits.message = Some(1500);
            limits.fragments = Some(3);
        }
        let mut decoder = Decoder::new(role, &limits);
        decoder.keep_places(matches!(way, Way::InKept));
        let mut assembler = Assembler::new(limits);
        let mut found = Found::default();
        let mut given = 0;
        for piece in pieces {
            given += piece.len();
            let mut rest = *piece;
            while !rest.is_empty() {
                let (taken, used) = heap::measure(|| match way {
                    Way::Pushed => {
                        decoder.push(rest);
                        rest.len()
                    }
                    Way::InParts => decoder.push_part(rest),
                    Way::InPlace | Way::InKept => {
                        decoder.input().extend_from_slice(rest);
                        rest.len()
                    }
                });
                assert!(used.peak <= ALLOWED + 4 * given, "{used:?} for {given} bytes");
                rest = &rest[taken..];
                while found.next(&mut decoder, &mut assembler) {}
            }
        }
        // How much of the last frame there is depends on when a fault is noticed.
        found.taken.clear();
        found
    }
}

impl Found {
    /// The bytes that an encoder makes of the frames.
    fn written(&self, mut encoder: Encoder) -> Vec<u8> {
        for (header, payload) in &self.frames {
            let written = if header.fin {
                encoder.encode(header.opcode, payload)
            } else {
                encoder.encode_fragment(header.opcode, payload)
            };
            written.expect("what a decoder takes");
        }
        encoder.output().to_vec()
    }

    /// The frames, whatever masked them.
    fn unmasked(&self) -> Vec<(Header, Vec<u8>)> {
        let frames = self.frames.iter();
        frames.map(|(header, payload)| (Header { mask: None, ..*header }, payload.clone())).collect()
    }

    /// Takes the next frame; returns whether there was one.
    fn next(&mut self, decoder: &mut Decoder, assembler: &mut Assembler) -> bool {
        if self.error.is_some() {
            return false;
        }
        match decoder.decode() {
            Ok(Some(header)) => {
                let mut payload = mem::take(&mut self.taken);
                payload.extend_from_slice(decoder.payload());
                assert_eq!(payload.len() as u64, header.len);
                if !header.opcode.is_control() {
                    // A frame that is refused may have been refused before it was complete.
                    match assembler.handle_frame(&header, decoder) {
                        Ok(message) => self.messages.extend(message),
                        Err(error) => {
                            self.error = Some(error);
                            return false;
                        }
                    }
                }
                self.frames.push((header, payload.clone()));
                if let Some(key) = header.mask {
                    mask::apply(&mut payload, key, 0);
                }
                self.encoded.extend([&header.encode(), &payload[..]].concat());
                true
            }
            Ok(None) => {
                if let Some(header) = decoder.header().filter(|header| !header.opcode.is_control()).copied() {
                    let arrived = decoder.payload().to_vec();
                    self.error = assembler.handle_arrived(&header, decoder).err();
                    if decoder.payload().is_empty() {
                        self.taken.extend(arrived);
                    }
                }
                false
            }
            Err(error) => {
                assert_eq!(decoder.decode(), Err(error), "an error stays");
                self.error = Some(error);
                false
            }
        }
    }
}

/// Inputs to start from.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let input = |to_server, limited, cuts: &[u8], bytes: &[u8]| {
        let (cuts, bytes) = (Blob(cuts.to_vec()), Rest(bytes.to_vec()));
        Input { to_server, limited, cuts, bytes }.seed()
    };
    let to_client = |bytes: &[u8]| input(false, true, &[1, 7, 50], bytes);
    let to_server = |bytes: &[u8]| input(true, false, &[5, 1, 90], bytes);
    let key = [1, 2, 3, 4];
    let masked = |start: &[u8], payload: &[u8]| {
        let mut body = payload.to_vec();
        mask::apply(&mut body, key, 0);
        [start, &key, &body].concat()
    };
    vec![
        ("hello", to_client(b"\x81\x05Hello")),
        ("masked_hello", to_server(&masked(b"\x81\x85", b"Hello"))),
        ("fragments_around_a_ping", to_client(b"\x01\x03Hel\x89\x01?\x80\x02lo")),
        ("half_a_letter", to_client(b"\x01\x02a\xc3\x80\x01\xbc")),
        ("bad_text_in_half_a_frame", to_server(&masked(b"\x81\x90", b"ab\xff"))),
        ("length_of_16_bits", to_client(&[b"\x82\x7e\x01\x2c", &[7; 300][..]].concat())),
        (
            "length_of_64_bits",
            input(false, false, &[200], &[&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0], &[7; 400][..]].concat()),
        ),
        ("padded_length", to_client(b"\x82\x7e\x00\x01x")),
        ("huge_length", to_server(b"\x82\xff\x80\0\0\0\0\0\0\0\x01\x02\x03\x04")),
        ("over_the_limit", to_client(b"\x82\x7e\x03\xe9")),
        (
            "message_over_the_limit",
            to_client(&[b"\x02\x7e\x03\xe8", &[7; 1000][..], b"\x80\x7e\x01\xf5"].concat()),
        ),
        ("too_many_fragments", to_client(b"\x02\x00\x00\x00\x00\x00\x80\x00")),
        ("reserved_bits", to_server(b"\xc1\x80\x01\x02\x03\x04")),
        ("reserved_opcode", to_client(b"\x83\x00")),
        ("too_long_for_a_control_frame", to_client(b"\x89\x7e\x00\x7e\x01\x02")),
        ("fragmented_ping", to_client(b"\x09\x00")),
        ("loose_continuation", to_client(b"\x80\x01x")),
        ("interleaved", to_client(b"\x01\x01a\x82\x01b")),
        ("unmasked", to_server(b"\x81\x01a")),
        ("close", to_server(&masked(b"\x88\x85", b"\x03\xe8bye"))),
        ("half_a_header", to_server(b"\x82\xfe\x01")),
    ]
}
