//! The first bytes of a refusal's body, for the error message.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};

use crate::headers::{elements, single};

/// How much of the body is kept: enough for a title or a JSON error.
const KEPT: usize = 256;

/// Where the body ends (RFC 9112 §6.3).
#[derive(Debug)]
enum Framing {
    /// After this many more bytes.
    Length(u64),
    Chunked(Chunked),
    /// At the end of the connection.
    Close,
}

/// The position in a chunked body.
#[derive(Debug)]
enum Chunked {
    /// In the hexadecimal size of a chunk.
    Size(u64),
    /// After the size, before the end of its line.
    Extension(u64),
    Data(u64),
    /// After the data, before the end of the line.
    DataEnd,
}

/// Collects the start of a body. It is lenient: the body is only shown, so anything invalid simply ends it.
#[derive(Debug)]
pub(super) struct BodyStart {
    framing: Framing,
    kept: Vec<u8>,
    ended: bool,
}

impl BodyStart {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap) -> Self {
        let chunked =
            elements(headers, TRANSFER_ENCODING).any(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        let length =
            single(headers, CONTENT_LENGTH).and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
        let framing = match length {
            _ if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => Framing::Length(0),
            _ if chunked => Framing::Chunked(Chunked::Size(0)),
            Some(length) => Framing::Length(length),
            None => Framing::Close,
        };
        Self { framing, kept: Vec::new(), ended: false }
    }

    /// Adds bytes of the body.
    pub(super) fn push(&mut self, mut input: &[u8]) {
        while !input.is_empty() && !self.is_complete() {
            let data = match &mut self.framing {
                Framing::Close => input.len(),
                Framing::Length(left) | Framing::Chunked(Chunked::Data(left)) => take(left, input.len()),
                Framing::Chunked(state) => {
                    let (byte, rest) = (input[0], &input[1..]);
                    input = rest;
                    self.ended = !state.step(byte);
                    continue;
                }
            };
            let room = KEPT - self.kept.len();
            self.kept.extend_from_slice(&input[..data.min(room)]);
            input = &input[data..];
            if let Framing::Chunked(state @ Chunked::Data(0)) = &mut self.framing {
                *state = Chunked::DataEnd;
            }
        }
    }

    /// Whether there is no need to wait for more.
    pub(super) fn is_complete(&self) -> bool {
        self.ended || self.kept.len() == KEPT || matches!(self.framing, Framing::Length(0))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.kept
    }
}

impl Chunked {
    /// Processes one byte outside the data; `false` if the body ends here.
    fn step(&mut self, byte: u8) -> bool {
        *self = match (&*self, byte) {
            (Self::DataEnd, b'\n') => Self::Size(0),
            (Self::Size(0) | Self::Extension(0), b'\n') => return false,
            (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(*size),
            (Self::Size(size), _) => match char::from(byte).to_digit(16) {
                Some(digit) => Self::Size(size.saturating_mul(16).saturating_add(digit.into())),
                None => Self::Extension(*size),
            },
            (Self::Extension(size), _) => Self::Extension(*size),
            (Self::DataEnd | Self::Data(_), _) => Self::DataEnd,
        };
        true
    }
}

/// Takes as much of `available` as is left.
fn take(left: &mut u64, available: usize) -> usize {
    let taken = (*left).min(available as u64);
    *left -= taken;
    taken as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::HeaderName;

    fn body(name: HeaderName, value: &'static str, input: &[u8]) -> (Vec<u8>, bool) {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        let mut at_once = BodyStart::new(StatusCode::OK, &headers);
        at_once.push(input);
        let mut trickled = BodyStart::new(StatusCode::OK, &headers);
        for byte in input {
            trickled.push(&[*byte]);
        }
        assert_eq!(trickled.kept, at_once.kept);
        assert_eq!(trickled.is_complete(), at_once.is_complete());
        (at_once.kept, trickled.is_complete())
    }

    #[test]
    fn a_body_ends_at_its_length() {
        assert_eq!(body(CONTENT_LENGTH, "3", b"abcdef"), (b"abc".to_vec(), true));
        assert_eq!(body(CONTENT_LENGTH, "3", b"ab"), (b"ab".to_vec(), false));
        assert_eq!(body(CONTENT_LENGTH, "0", b"ab"), (b"".to_vec(), true));
    }

    #[test]
    fn a_body_without_a_length_ends_with_the_connection() {
        assert_eq!(body(CONTENT_LENGTH, "many", b"abc"), (b"abc".to_vec(), false));
    }

    #[test]
    fn chunks_are_joined() {
        let chunked = b"3\r\nabc\r\n0A;x=1\r\n0123456789\r\n0\r\n\r\nnext";
        assert_eq!(body(TRANSFER_ENCODING, "gzip, Chunked", chunked), (b"abc0123456789".to_vec(), true));
        assert_eq!(body(TRANSFER_ENCODING, "chunked", &chunked[..6]), (b"abc".to_vec(), false));
    }

    #[test]
    fn an_enormous_chunk_size_does_no_harm() {
        let (kept, complete) = body(TRANSFER_ENCODING, "chunked", b"ffffffffffffffffffffff\nabc");
        assert_eq!((kept, complete), (b"abc".to_vec(), false));
    }

    #[test]
    fn no_more_of_a_body_is_kept_than_is_shown() {
        let (kept, complete) = body(CONTENT_LENGTH, "1000", &[b'x'; 1000]);
        assert_eq!((kept.len(), complete), (KEPT, true));
        let (kept, complete) = body(CONTENT_LENGTH, "1000", &[b'x'; KEPT]);
        assert_eq!((kept.len(), complete), (KEPT, true));
    }

    #[test]
    fn no_body_is_awaited_for_a_status_without_one() {
        assert!(BodyStart::new(StatusCode::NO_CONTENT, &HeaderMap::new()).is_complete());
    }
}
