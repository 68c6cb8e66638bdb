//! Why a transfer ended early, and whether it is worth another try.

use core::fmt;

/// What to do about a transfer that ended with a [`Code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Never: the same offer fails again.
    Never,
    /// Offer the same transfer again; it continues where it stopped.
    Same,
    /// Offer it again from the start.
    Restart,
    /// Offer it again, but not before the time that the peer requested.
    Wait,
    /// Offer it again on another link: this end is going away.
    Elsewhere,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $retry:ident, $text:literal;)*) => {
        /// Why a transfer ended early, as a number on the wire.
        ///
        /// Each code carries its retry class ([`Code::retry`]), so that no client has to guess.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
            /// A number that this version does not know.
            Unknown(u32),
        }

        impl Code {
            /// The code with this number on the wire.
            pub const fn from_u32(number: u32) -> Self {
                match number {
                    $($number => Self::$name,)*
                    other => Self::Unknown(other),
                }
            }

            /// The number on the wire.
            pub const fn to_u32(self) -> u32 {
                match self {
                    $(Self::$name => $number,)*
                    Self::Unknown(number) => number,
                }
            }

            /// What to do after this code.
            pub const fn retry(self) -> Retry {
                match self {
                    $(Self::$name => Retry::$retry,)*
                    Self::Unknown(_) => Retry::Never,
                }
            }

            const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Unknown(_) => "unknown error",
                }
            }
        }
    };
}

codes! {
    /// Something went wrong that is not the peer's fault.
    Internal = 1, Same, "internal error";
    /// A frame broke the rules of the protocol.
    Protocol = 2, Never, "protocol violation";
    /// This end does not know a frame, an option or a version.
    Unsupported = 3, Never, "not supported";
    /// There is no such transfer or file.
    NotFound = 4, Restart, "not found";
    /// The partial file was removed because nobody continued it in time.
    Expired = 5, Restart, "expired";
    /// This end has too much to do at the moment.
    Busy = 6, Wait, "busy";
    /// Another sender took this transfer over.
    Fenced = 7, Never, "another sender took this transfer over";
    /// The token does not permit it.
    Unauthorized = 8, Same, "not authorized";
    /// This user's limit on space or transfers is reached.
    Quota = 9, Never, "quota exceeded";
    /// The file is larger than this end accepts.
    TooLarge = 10, Never, "too large";
    /// The disk is full.
    NoSpace = 11, Wait, "no space left";
    /// The file changed while it was sent, or after a part of it was sent.
    SourceChanged = 12, Restart, "the source file changed";
    /// Frames arrive damaged.
    CorruptFrame = 13, Same, "frames arrive damaged";
    /// The digest of the whole file differs from the announced one.
    DigestMismatch = 14, Restart, "the digests differ";
    /// A frame arrived for an unexpected offset.
    BadOffset = 15, Same, "unexpected offset";
    /// A person or a program cancelled it.
    Cancelled = 16, Never, "cancelled";
    /// The other end stopped answering while the connection was alive.
    Stalled = 17, Same, "stalled";
    /// This end is going away for a while.
    ShuttingDown = 18, Elsewhere, "shutting down";
    /// The application there rejected it.
    Rejected = 19, Never, "rejected";
    /// There are more or fewer bytes than announced.
    LengthMismatch = 20, Restart, "the length differs";
    /// There were too many offers in too short a time.
    RateLimited = 21, Wait, "rate limited";
    /// The name cannot be a file name there.
    NameInvalid = 22, Never, "invalid name";
    /// The disk there reported an error.
    StoreFailed = 23, Wait, "storage error";
    /// The name is taken by another file.
    Exists = 24, Never, "another file has that name";
    /// The file has none of the requested bytes, or none were requested.
    OutOfRange = 25, Never, "the file has no such bytes";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(number) => write!(f, "unknown error {number}"),
            known => f.write_str(known.text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives_the_round_trip() {
        for number in 0..100 {
            assert_eq!(Code::from_u32(number).to_u32(), number);
        }
        assert_eq!(Code::from_u32(26), Code::Unknown(26));
        assert_eq!(Code::from_u32(25), Code::OutOfRange);
    }

    #[test]
    fn a_fenced_sender_never_retries_but_a_full_disk_is_waited_for() {
        assert_eq!(Code::Fenced.retry(), Retry::Never);
        assert_eq!(Code::NoSpace.retry(), Retry::Wait);
        assert_eq!(Code::OutOfRange.retry(), Retry::Never);
        assert_eq!(Code::Unknown(77).retry(), Retry::Never);
    }
}
