//! Heads that are correct except for a few things, and the decisions of the two applications.

use crate::fuzz::choice::{Blob, Many, Span, choice};
use bowline_handshake::Config;

choice! {
    enum Meeting {
        /// This arrives at a server.
        Asked(head: Head, answer: Answer, terms: Terms),
        /// A client sends a request, and this comes back.
        Answered(ask: Ask, head: Head, terms: Terms),
        /// A client and a server of ours.
        Both(ask: Ask, answer: Answer, terms: Terms),
    }
}

choice! {
    struct Terms {
        head_bytes: Option<u16>,
        headers: Option<u8>,
        /// The pieces in which bytes arrive.
        cuts: Blob,
        /// What follows the head.
        rest: Blob,
        /// How long it takes until somebody looks at the clock.
        waits: Span,
    }
}

choice! {
    /// A head, line by line, with changes to it.
    struct Head {
        changes: Many<Change>,
        /// Lines end without a carriage return.
        bare: bool,
    }
}

choice! {
    enum Change {
        Missing(line: u8),
        Replaced(line: u8, by: Blob),
        Added(line: u8, text: Blob),
        Repeated(line: u8),
        LowerCase(line: u8),
        Byte(at: u16, value: u8),
        Inserted(at: u16, text: Blob),
        /// Nothing arrives from here on.
        Cut(at: u16),
    }
}

choice! {
    /// What a client requests.
    struct Ask {
        /// After `ws://`, if given; otherwise an ordinary one.
        url: Option<Blob>,
        subprotocols: Many<Blob>,
        headers: Many<Header>,
        /// The write fails before it has begun.
        write_fails: bool,
    }
}

choice! {
    /// The decision of a server's application.
    struct Answer {
        /// With this status, if it is valid; otherwise it accepts.
        rejects: Option<u16>,
        subprotocol: Option<Blob>,
        headers: Many<Header>,
        body: Blob,
    }
}

choice! {
    struct Header {
        name: Blob,
        value: Blob,
    }
}

impl Terms {
    pub(super) fn config(&self) -> Config {
        let mut config = Config::default();
        if let Some(bytes) = self.head_bytes {
            config.head_bytes = bytes.into();
        }
        if let Some(headers) = self.headers {
            config.headers = headers.into();
        }
        config
    }
}

impl Head {
    /// The bytes of the head with these lines, the first of which is no header.
    pub(super) fn bytes(&self, lines: &[&str]) -> Vec<u8> {
        let mut lines: Vec<_> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        for change in &self.changes.0 {
            change.hit(&mut lines);
        }
        lines.push(Vec::new());
        let end = if self.bare { &b"\n"[..] } else { b"\r\n" };
        let mut bytes: Vec<u8> = lines.iter().flat_map(|line| line.iter().chain(end)).copied().collect();
        for change in &self.changes.0 {
            change.hit_bytes(&mut bytes);
        }
        bytes
    }
}

impl Change {
    fn hit(&self, lines: &mut Vec<Vec<u8>>) {
        let count = lines.len();
        let place = |line: &u8| usize::from(*line) % count.max(1);
        match self {
            Self::Missing(line) if count > 0 => drop(lines.remove(place(line))),
            Self::Replaced(line, by) if count > 0 => lines[place(line)].clone_from(&by.0),
            Self::Added(line, text) => lines.insert(place(line), text.0.clone()),
            Self::Repeated(line) if count > 0 => lines.push(lines[place(line)].clone()),
            Self::LowerCase(line) if count > 0 => lines[place(line)].make_ascii_lowercase(),
            _ => {}
        }
    }

    fn hit_bytes(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        match self {
            Self::Byte(at, value) if len > 0 => bytes[usize::from(*at) % len] = *value,
            Self::Inserted(at, text) => {
                let at = usize::from(*at) % (len + 1);
                bytes.splice(at..at, text.0.iter().copied());
            }
            Self::Cut(at) => bytes.truncate(usize::from(*at) % (len + 1)),
            _ => {}
        }
    }
}
