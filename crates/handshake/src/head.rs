//! The head of an HTTP message, collected as it arrives.
//!
//! The parser below starts over at each call, so this reader first looks for the blank line, examining each byte once,
//! and the head is parsed once. It also detects at the first wrong byte that the peer does not speak HTTP, where a
//! parser that waits for a blank line would wait in vain.

use bytes::{Bytes, BytesMut};

use crate::Config;
use crate::headers::is_tchar;

/// How many headers the parser holds at most.
pub(crate) const PARSER_HEADERS: usize = 124;
/// How much of a foreign protocol's greeting is kept for the error.
const GREETING: usize = 64;

/// What a message must start with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    /// `METHOD target HTTP/1.1`
    Request,
    /// `HTTP/1.1 101 Switching Protocols`
    Response,
}

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// Not known yet.
    Partial,
    /// A head with its blank line, removed from the reader.
    Complete(Bytes),
    /// Not HTTP, and long enough to be shown.
    Foreign(Bytes),
    /// The limit was reached without a blank line.
    TooLarge,
    /// One header more than the limit.
    TooManyHeaders,
}

/// The kind of line at the current position.
#[derive(Clone, Copy)]
enum Line {
    Empty,
    /// Only a carriage return so far.
    Return,
    Text,
}

/// Collects one head, or several in a row.
pub(crate) struct HeadReader {
    expect: Expect,
    buffer: BytesMut,
    /// Where the first line starts: empty lines before it are skipped, as RFC 9112 §2.2 advises.
    start: usize,
    scanned: usize,
    line: Line,
    /// Lines of text so far; the first is the request line or status line.
    lines: usize,
    /// Whether a space has ended the method of the request line.
    past_method: bool,
    foreign: bool,
    /// How many bytes heads may still use, over all heads read.
    budget: usize,
    head_bytes: usize,
    header_limit: usize,
}

impl HeadReader {
    pub(crate) fn new(expect: Expect, config: &Config) -> Self {
        Self {
            expect,
            buffer: BytesMut::new(),
            start: 0,
            scanned: 0,
            line: Line::Empty,
            lines: 0,
            past_method: false,
            foreign: false,
            budget: config.head_bytes,
            head_bytes: config.head_bytes,
            header_limit: config.headers,
        }
    }

    /// Adds bytes. What follows the head stays here until [`HeadReader::take_rest`].
    pub(crate) fn push(&mut self, input: &[u8]) {
        self.buffer.extend_from_slice(input);
    }

    /// Examines the bytes that were not examined before.
    pub(crate) fn scan(&mut self) -> Scan {
        while !self.foreign && self.scanned < self.buffer.len() {
            if self.scanned == self.budget {
                return Scan::TooLarge;
            }
            let byte = self.buffer[self.scanned];
            if self.lines == 0 && !self.fits(byte) {
                self.foreign = true;
                break;
            }
            self.scanned += 1;
            match (self.line, byte) {
                (Line::Empty | Line::Return, b'\n') if self.lines > 0 => {
                    return Scan::Complete(self.take_head());
                }
                (Line::Empty | Line::Return, b'\n') => {
                    self.start = self.scanned;
                    self.line = Line::Empty;
                }
                (Line::Text, b'\n') => {
                    self.line = Line::Empty;
                    self.lines += 1;
                    if self.lines - 1 > self.header_limit {
                        return Scan::TooManyHeaders;
                    }
                }
                (Line::Empty, b'\r') => self.line = Line::Return,
                _ => self.line = Line::Text,
            }
        }
        let greeting = self.greeting();
        if self.foreign && (greeting.len() == GREETING || greeting.len() < self.buffer.len() - self.start) {
            return Scan::Foreign(Bytes::copy_from_slice(greeting));
        }
        if self.scanned == self.budget { Scan::TooLarge } else { Scan::Partial }
    }

    /// Whether the bytes are known not to be HTTP.
    pub(crate) fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// The first line as far as it has arrived, cut for display.
    pub(crate) fn greeting(&self) -> &[u8] {
        let bytes = &self.buffer[self.start..];
        let bytes = &bytes[..bytes.len().min(GREETING)];
        let line = bytes.iter().position(|byte| *byte == b'\n');
        &bytes[..line.unwrap_or(bytes.len())]
    }

    /// How many bytes the heads so far had.
    pub(crate) fn taken(&self) -> usize {
        self.head_bytes - self.budget
    }

    /// How many bytes are held.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Everything after the heads taken so far.
    pub(crate) fn take_rest(&mut self) -> Bytes {
        self.scanned = 0;
        self.buffer.split().freeze()
    }

    /// Whether `byte` is allowed as the next byte of the first line in HTTP/1.
    fn fits(&mut self, byte: u8) -> bool {
        let position = self.scanned - self.start;
        if matches!(byte, b'\r' | b'\n') && !matches!(self.line, Line::Text) {
            return true;
        }
        match self.expect {
            Expect::Response => b"HTTP/1.".get(position).is_none_or(|expected| *expected == byte),
            Expect::Request => {
                self.past_method |= byte == b' ' && position > 0;
                self.past_method || is_tchar(byte)
            }
        }
    }

    fn take_head(&mut self) -> Bytes {
        let head = self.buffer.split_to(self.scanned);
        self.budget -= self.scanned;
        let head = head.freeze().slice(self.start..);
        (self.start, self.scanned, self.line, self.lines, self.past_method) = (0, 0, Line::Empty, 0, false);
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(expect: Expect, head_bytes: usize, headers: usize) -> HeadReader {
        HeadReader::new(expect, &Config { head_bytes, headers, ..Config::default() })
    }

    /// Feeds byte by byte until there is a result.
    fn trickle(reader: &mut HeadReader, bytes: &[u8]) -> Scan {
        for byte in bytes {
            reader.push(&[*byte]);
            let scan = reader.scan();
            if scan != Scan::Partial {
                return scan;
            }
        }
        Scan::Partial
    }

    #[test]
    fn a_head_ends_at_its_blank_line_and_the_rest_is_kept() {
        let mut reader = reader(Expect::Response, 100, 10);
        reader.push(b"HTTP/1.1 101 X\r\nA: b\r\n\r\n\x81\x00rest");
        assert_eq!(reader.scan(), Scan::Complete(Bytes::from_static(b"HTTP/1.1 101 X\r\nA: b\r\n\r\n")));
        assert_eq!(reader.take_rest(), &b"\x81\x00rest"[..]);
    }

    #[test]
    fn bare_line_feeds_end_lines() {
        let head = b"GET / HTTP/1.1\nHost: a\n\n";
        assert_eq!(
            trickle(&mut reader(Expect::Request, 100, 10), head),
            Scan::Complete(Bytes::from_static(head))
        );
    }

    #[test]
    fn empty_lines_before_the_head_are_skipped() {
        let scan = trickle(&mut reader(Expect::Request, 100, 10), b"\r\n\nGET / HTTP/1.1\r\n\r\n");
        assert_eq!(scan, Scan::Complete(Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n")));
    }

    #[test]
    fn a_head_of_exactly_the_limit_passes() {
        let head = b"GET / HTTP/1.1\r\n\r\n";
        assert!(matches!(trickle(&mut reader(Expect::Request, head.len(), 10), head), Scan::Complete(_)));
        assert_eq!(trickle(&mut reader(Expect::Request, head.len() - 1, 10), head), Scan::TooLarge);
        let mut at_once = reader(Expect::Request, head.len() - 1, 10);
        at_once.push(head);
        assert_eq!(at_once.scan(), Scan::TooLarge);
    }

    #[test]
    fn the_limit_counts_all_heads_in_a_row() {
        let head = b"HTTP/1.1 103 X\r\n\r\n";
        let mut reader = reader(Expect::Response, 2 * head.len() - 1, 10);
        reader.push(head);
        reader.push(head);
        assert!(matches!(reader.scan(), Scan::Complete(_)));
        assert_eq!(reader.scan(), Scan::TooLarge);
    }

    #[test]
    fn headers_are_counted_before_they_are_parsed() {
        let head = b"GET / HTTP/1.1\r\na: 1\r\nb: 2\r\n\r\n";
        assert!(matches!(trickle(&mut reader(Expect::Request, 100, 2), head), Scan::Complete(_)));
        assert_eq!(trickle(&mut reader(Expect::Request, 100, 1), head), Scan::TooManyHeaders);
    }

    #[test]
    fn a_greeting_of_another_protocol_is_kept_up_to_the_end_of_its_line() {
        let mut reader = reader(Expect::Response, 100, 10);
        assert_eq!(trickle(&mut reader, b"SSH-2.0-OpenSSH_9.6\r"), Scan::Partial);
        assert!(reader.is_foreign());
        reader.push(b"\nmore");
        assert_eq!(reader.scan(), Scan::Foreign(Bytes::from_static(b"SSH-2.0-OpenSSH_9.6\r")));
    }

    #[test]
    fn a_greeting_without_a_line_end_is_cut() {
        let mut reader = reader(Expect::Request, 100, 10);
        reader.push(&[0x16; 80]);
        assert_eq!(reader.scan(), Scan::Foreign(Bytes::from_static(&[0x16; 64])));
    }

    #[test]
    fn a_greeting_is_complete_once_no_more_of_it_would_be_kept() {
        let mut reader = reader(Expect::Request, 100, 10);
        assert_eq!(trickle(&mut reader, &[0x16; 63]), Scan::Partial);
        reader.push(&[0x16]);
        assert_eq!(reader.scan(), Scan::Foreign(Bytes::from_static(&[0x16; 64])));
    }

    #[test]
    fn a_request_starts_with_its_method() {
        let mut reader = reader(Expect::Request, 100, 10);
        assert_eq!(
            trickle(&mut reader, b" GET / HTTP/1.1\r\n"),
            Scan::Foreign(Bytes::from_static(b" GET / HTTP/1.1\r"))
        );
    }

    #[test]
    fn each_head_in_a_row_must_start_like_one() {
        let mut reader = reader(Expect::Response, 100, 10);
        assert!(matches!(trickle(&mut reader, b"HTTP/1.1 103 X\r\n\r\n"), Scan::Complete(_)));
        assert_eq!(trickle(&mut reader, b"garbage\n"), Scan::Foreign(Bytes::from_static(b"garbage")));
        let mut reader = self::reader(Expect::Request, 100, 10);
        assert!(matches!(trickle(&mut reader, b"GET / HTTP/1.1\r\n\r\n"), Scan::Complete(_)));
        assert_eq!(trickle(&mut reader, b"\0\n"), Scan::Foreign(Bytes::from_static(b"\0")));
    }

    #[test]
    fn a_request_line_may_hold_any_byte_after_the_method() {
        let mut reader = reader(Expect::Request, 100, 10);
        assert_eq!(trickle(&mut reader, b"GET /\xff\x00"), Scan::Partial);
        assert!(!reader.is_foreign());
    }
}
