//! What happened, as lines.

use crate::sim::{Did, Pair, other};
use bowline_core::connection::Event;
use bowline_core::frame::{Decoder, Header, Limits, Opcode};
use bowline_core::{Close, Instant, Message, Role};
use bytes::{Bytes, BytesMut};
use std::fmt::Write as _;

/// Frames up to this length are shown whole.
const SHOWN: usize = 40;
/// Of a series of equal lines, only the first and the last are shown.
const ROW: usize = 4;

/// A line, before it is written.
pub(super) struct Line {
    at: Instant,
    who: &'static str,
    /// What changes from line to line in a series.
    bytes: String,
    what: String,
}

/// Everything that happened on one link. What a host did to the transport comes before what its application was told,
/// because it does things in that order.
pub(super) fn lines(pair: &Pair, foreign: &[(Instant, Did)]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (who, role, host) in [("client", Role::Client, &pair.client), ("server", Role::Server, &pair.server)]
    {
        did(&mut lines, who, role, host.tap.as_deref().unwrap_or_default());
        if role == Role::Server {
            did(&mut lines, who, role, foreign);
        }
        lines.extend(host.events.iter().map(|(at, event)| Line::new(*at, who, &describe_event(event))));
    }
    lines
}

/// The lines as text, in chronological order.
pub(super) fn tell(mut lines: Vec<Line>) -> String {
    lines.sort_by_key(|line| line.at);
    let mut out = String::new();
    let mut rest = &lines[..];
    while let Some(first) = rest.first() {
        let like = |line: &&Line| line.who == first.who && line.what == first.what;
        let row = rest.iter().take_while(like).count();
        if row < ROW {
            first.write(&mut out);
            rest = &rest[1..];
        } else {
            first.write(&mut out);
            let _ = writeln!(out, "{:>9}  {:>6}  ... {} more like this ...", "", "", row - 2);
            rest[row - 1].write(&mut out);
            rest = &rest[row..];
        }
    }
    out
}

/// How those ends explain what happened to them.
pub(super) fn explain(pair: &mut Pair, whose: &[Role]) -> String {
    let now = pair.now();
    let mut out = String::new();
    for role in whose {
        let host = pair.host(*role);
        let story = match host.closed() {
            Some((_, disconnect)) => disconnect.explain().to_string(),
            None => host.connection.timeline(now).to_string(),
        };
        let _ = write!(out, "\nThe {} explains:\n\n{story}", format!("{role:?}").to_lowercase());
    }
    out
}

fn did(lines: &mut Vec<Line>, who: &'static str, role: Role, tap: &[(Instant, Did)]) {
    let mut frames = Frames::new(role);
    for (at, did) in tap {
        let mut line = |bytes, what: String| lines.push(Line { at: *at, who, bytes, what });
        match did {
            Did::Wrote(bytes) => frames.take(bytes, line),
            Did::FailedToWrite => line(String::new(), "could not write".into()),
            Did::ReadEnd(end) => line(String::new(), format!("found the end: {end:?}")),
            Did::Finished => line(String::new(), "finished writing".into()),
            Did::Left => line(String::new(), "closed the socket".into()),
        }
    }
}

impl Line {
    pub(super) fn new(at: Instant, who: &'static str, what: &str) -> Self {
        Self { at, who, bytes: String::new(), what: what.into() }
    }

    fn write(&self, out: &mut String) {
        let space = if self.bytes.is_empty() { "" } else { "  " };
        let _ = writeln!(out, "{:>9}  {}  {}{space}{}", self.at.to_string(), self.who, self.bytes, self.what);
    }
}

/// Bytes written by one host, cut into frames again.
struct Frames {
    raw: BytesMut,
    decoder: Decoder,
}

impl Frames {
    fn new(writer: Role) -> Self {
        let mut limits = Limits::default();
        limits.frame = None;
        Self { raw: BytesMut::new(), decoder: Decoder::new(other(writer), &limits) }
    }

    /// Adds a line for each frame whose last byte is among these.
    fn take(&mut self, bytes: &Bytes, mut tell: impl FnMut(String, String)) {
        self.raw.extend_from_slice(bytes);
        self.decoder.push(bytes);
        loop {
            match self.decoder.decode() {
                Ok(Some(header)) => {
                    let head = header.encode().len();
                    let frame = self.raw.split_to(head + header.len as usize);
                    tell(hex(&frame, head, header.mask.is_some()), describe(&header, self.decoder.payload()));
                }
                Ok(None) => return,
                Err(error) => {
                    let rest = self.raw.split();
                    return tell(hex(&rest, 2, false), format!("not a frame: {error}"));
                }
            }
        }
    }
}

/// The header in bytes, the mask and the payload in one piece each; of a long frame, only the beginning.
fn hex(frame: &[u8], head: usize, masked: bool) -> String {
    let mut out = String::new();
    let key = if masked { 4 } else { 0 };
    for (at, byte) in frame.iter().take(if frame.len() > SHOWN { head } else { SHOWN }).enumerate() {
        if at > 0 && (at <= head - key || at == head) {
            out.push(' ');
        }
        let _ = write!(out, "{byte:02x}");
    }
    out + if frame.len() > SHOWN { " ..." } else { "" }
}

fn describe(header: &Header, payload: &[u8]) -> String {
    let text = || std::str::from_utf8(payload).ok().filter(|text| text.len() <= 60);
    let mut what = match (header.opcode, text()) {
        (Opcode::Text, Some(text)) if header.fin => format!("Text {text:?}"),
        (Opcode::Close, _) => format!("Close {}", Close::decode(payload).0),
        (Opcode::Ping | Opcode::Pong, _) if payload.is_empty() => format!("{:?}", header.opcode),
        (opcode, _) => format!("{opcode:?} of {} bytes", payload.len()),
    };
    if !header.fin {
        what += ", to be continued";
    }
    what
}

fn describe_event(event: &Event) -> String {
    match event {
        Event::Message(Message::Text(text)) if text.len() <= 60 => format!("got Text {:?}", text.as_str()),
        Event::Message(Message::Text(text)) => format!("got Text of {} bytes", text.len()),
        Event::Message(Message::Binary(bytes)) => format!("got Binary of {} bytes", bytes.len()),
        Event::Pong { rtt } => format!("measured a round trip of {rtt:?}"),
        Event::Stalled { late } => format!("did not run for {late:?}"),
        Event::Resumed { slept } => format!("slept for {slept:?}"),
        Event::PeerDoesNotPong => "says that the peer does not pong".into(),
        Event::WriteBlocked { lasted } => format!("could not write for {lasted:?}"),
        Event::Unblocked { lasted } => format!("can write again after {lasted:?}"),
        Event::CloseSent(close) => format!("has closed: {close}"),
        Event::CloseReceived(close) => format!("was asked to close: {close}"),
        Event::Closed(end) => {
            format!("ended: {end} [{}, {:?}, retry {}]", end.who(), end.kind(), end.retry())
        }
        other => format!("{other:?}"),
    }
}
