//! A frame in words: what it is, and its number.

use super::Frame;
use alloc::format;
use alloc::string::String;

impl Frame {
    /// For a message about a frame that came at the wrong time.
    pub(in crate::messages) fn words(&self) -> String {
        match self {
            Self::Data(data) => match data.number {
                Some(number) => format!("DATA with number {number}"),
                None => "DATA without a number".into(),
            },
            Self::Ack(last) => format!("ACK of {last}"),
            Self::Resume(resume) => format!("RESUME with epoch {}", resume.epoch),
            Self::Resumed(resumed) => format!("RESUMED with epoch {}", resumed.epoch),
            Self::NewSession { why, .. } => format!("NEWSESSION with reason {}", why.to_u32()),
            Self::Unsupported(kind) => format!("frame type {kind:#04x}"),
        }
    }
}
