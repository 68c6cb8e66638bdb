//! A frame in words: what it is, whose, and the progress that it reports.

use super::{Frame, Handle};
use alloc::format;
use alloc::string::String;

impl Frame {
    /// For a message about a frame that came at the wrong time. Frames that belong to no transfer are allowed at any
    /// time.
    pub(in crate::transfer) fn words(&self) -> String {
        let of =
            |name: &str, handle: &Handle, bytes: u64| format!("{name} for handle {handle}, {bytes} bytes");
        match self {
            Self::Offer(handle, _) => format!("OFFER for handle {handle}"),
            Self::Request(handle, _) => format!("REQUEST for handle {handle}"),
            Self::Accept(handle, accept) => of("ACCEPT", handle, accept.resume),
            Self::Data(handle, data) => {
                format!("{} at {}", of("DATA", handle, data.payload.len() as u64), data.offset)
            }
            Self::Fin(handle, whole) => of("FIN", handle, whole.length),
            Self::Ack(handle, ack) => of("ACK", handle, ack.received),
            Self::Done(handle, whole) => of("DONE", handle, whole.length),
            Self::Finishing(handle, _) => format!("FINISHING for handle {handle}"),
            Self::Pause(handle, pause) => of("PAUSE", handle, pause.offset),
            Self::Resume(handle, resume) => of("RESUME", handle, resume.offset),
            Self::Cancel(handle, cancel) => {
                format!("CANCEL for handle {handle}, code {}", cancel.code.to_u32())
            }
            Self::Unsupported(handle, kind) => format!("frame type {kind:#04x} for handle {handle}"),
            Self::Hello(_)
            | Self::GoAway { .. }
            | Self::Error { .. }
            | Self::Probe(_)
            | Self::ProbeAck(_)
            | Self::Ignored(_) => "a frame for no handle".into(),
        }
    }
}
