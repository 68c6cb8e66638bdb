//! Between the session of a link and the sessions of messages.

use super::{Ended, LinkId, Sessions};
use crate::{Instant, Session};

impl Sessions {
    /// Moves what can move between a server's [`Session`](crate::Session), which lives as long as its link, and the
    /// message session that this link has. Returns whether anything has moved.
    ///
    /// Call it after each [`pump`](crate::pump) of the link, and pump again if anything has moved. So messages are
    /// numbered late, and the sessions need not be at hand while files are worked on: where many threads serve links,
    /// a lock around this call is short.
    pub fn serve(&mut self, now: Instant, link: LinkId, session: &mut Session) -> bool {
        let mut moved = false;
        while let Some(frame) = session.take_frame() {
            self.handle_frame(now, link, frame);
            moved = true;
        }
        match self.poll_end(link) {
            Some(Ended::Superseded) => session.supersede(),
            Some(Ended::Broken { code, text }) => session.break_link(code, text),
            None => {
                while session.has_frame_room() {
                    let Some(frame) = self.poll_frame(now, link) else { return moved };
                    session.put_frame(frame);
                    moved = true;
                }
                return moved;
            }
        }
        true
    }
}
