//! A sender without a window: messages of one size, as fast as the transport accepts them.

use super::{Outcome, Route, Scene};
use bowline_core::connection::Config;
use bowline_core::{Connection, Instant, Message};
use bytes::{Bytes, BytesMut};

/// Sends messages of `chunk` bytes, each in one frame, whenever the connection has room.
pub fn fixed(scene: Scene, chunk: usize) -> Outcome {
    let mut config = Config::default();
    config.fragment = Some(usize::MAX);
    let mut sender = Connection::server(config, [1; 32], Instant::ZERO);
    let body = Bytes::from(vec![0; chunk]);
    let mut route = scene.route();
    let mut frames = Frames::default();
    let end = scene.end();
    let mut now = Instant::ZERO;
    while now <= end {
        route.handle_timeout(now);
        while route.read(now).is_some() {
            // The receiver sends nothing back; that it took the bytes is sign of life enough.
            sender.handle_blocked(now);
        }
        loop {
            while sender.room() > 0 {
                sender.send(now, Message::binary(body.clone())).expect("there is room");
            }
            if write(now, scene, &mut sender, &mut route, &mut frames, false) == 0 {
                break;
            }
        }
        sender.handle_blocked(now);
        route.probe(now, frames.left());
        now = route.poll_timeout().expect("the buffer is full");
    }
    outcome(scene, &route, chunk as u64)
}

pub(super) fn outcome(scene: Scene, route: &Route, mean_chunk: u64) -> Outcome {
    let used = route.passed() as f64 / scene.line().capacity(scene.end()) as f64;
    Outcome { used, worst_wait: route.worst_wait(), calm_since: route.calm_since(), mean_chunk }
}

/// One write, if there is room for all of it: a sender that waits for room is woken when there is some, not for each
/// byte. Returns how many bytes were accepted.
pub(super) fn write(
    now: Instant,
    scene: Scene,
    sender: &mut Connection,
    route: &mut Route,
    frames: &mut Frames,
    carry: bool,
) -> usize {
    let mut len = 0;
    let mut bytes = BytesMut::new();
    let before = frames.clone();
    for piece in sender.outputs() {
        let piece = &piece[..piece.len().min(scene.write(now) - len)];
        len += piece.len();
        frames.pass(piece);
        if carry {
            bytes.extend_from_slice(piece);
        }
    }
    if len > route.room() {
        *frames = before;
        return 0;
    }
    if len > 0 {
        route.write(now, len, bytes.freeze());
        sender.handle_written(now, len);
    }
    len
}

/// Follows a stream of unmasked frames, to know where the next one begins: a control frame may go there.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    left: u64,
    head: Vec<u8>,
}

impl Frames {
    /// How many bytes are left of the current frame.
    pub(super) fn left(&self) -> usize {
        self.left as usize
    }

    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some(byte) = bytes.first() {
            if self.left > 0 {
                let taken = (bytes.len() as u64).min(self.left);
                self.left -= taken;
                bytes = &bytes[taken as usize..];
                continue;
            }
            self.head.push(*byte);
            bytes = &bytes[1..];
            // RFC 6455 §5.2
            let (at, len) = match self.head.get(1) {
                None => continue,
                Some(126) => (2, 2),
                Some(127) => (2, 8),
                Some(_) => (1, 1),
            };
            if let Some(len) = self.head.get(at..at + len) {
                self.left = len.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                self.head.clear();
            }
        }
    }
}
