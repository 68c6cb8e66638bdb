//! Why a transfer ended early, and whether it is worth another try.

use core::fmt;

/// What to do about a transfer that ended with a [`Code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Never: the same offer fails again.
    Never,
    /// Offer the same transfer again; it goes on where it stopped.
    Same,
    /// Offer it again from the start.
    Restart,
    /// Offer it again, but not before the time that the peer named.
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
    /// A frame, an option or a version that this end does not know.
    Unsupported = 3, Never, "not supported";
    /// There is no such transfer or no such file.
    NotFound = 4, Restart, "not found";
    /// The partial file was removed because nobody came back for it in time.
    Expired = 5, Restart, "expired";
    /// Too much is going on here at the moment.
    Busy = 6, Wait, "busy";
    /// Somebody else took this transfer over.
    Fenced = 7, Never, "another sender took this transfer over";
    /// The token does not allow it.
    Unauthorized = 8, Same, "not authorized";
    /// The space or the number of transfers that this user may hold is used up.
    Quota = 9, Never, "quota exceeded";
    /// The file is larger than this end takes.
    TooLarge = 10, Never, "too large";
    /// The disk is full.
    NoSpace = 11, Wait, "no space left";
    /// The file changed while it was sent, or since it was sent in part.
    SourceChanged = 12, Restart, "the source file changed";
    /// Frames arrive damaged.
    CorruptFrame = 13, Same, "frames arrive damaged";
    /// The whole file's digest is not the one that was announced.
    DigestMismatch = 14, Restart, "the digests differ";
    /// A frame came for an offset where nothing was expected.
    BadOffset = 15, Same, "unexpected offset";
    /// A person or a program said so.
    Cancelled = 16, Never, "cancelled";
    /// The other end stopped answering while the connection lived.
    Stalled = 17, Same, "stalled";
    /// This end is going away for a while.
    ShuttingDown = 18, Elsewhere, "shutting down";
    /// The application there said no.
    Rejected = 19, Never, "rejected";
    /// There are more or fewer bytes than announced.
    LengthMismatch = 20, Restart, "the length differs";
    /// Too many offers in too short a time.
    RateLimited = 21, Wait, "rate limited";
    /// The name cannot be a file name there.
    NameInvalid = 22, Never, "invalid name";
    /// The disk there reported an error.
    StoreFailed = 23, Wait, "storage error";
    /// The name is taken by another file.
    Exists = 24, Never, "another file has that name";
    /// The file has none of the bytes that were asked for, or none were.
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
    fn every_number_finds_its_way_back() {
        for number in 0..100 {
            assert_eq!(Code::from_u32(number).to_u32(), number);
        }
        assert_eq!(Code::from_u32(26), Code::Unknown(26));
        assert_eq!(Code::from_u32(25), Code::OutOfRange);
    }

    #[test]
    fn a_fenced_sender_never_tries_again_while_a_full_disk_is_waited_for() {
        assert_eq!(Code::Fenced.retry(), Retry::Never);
        assert_eq!(Code::NoSpace.retry(), Retry::Wait);
        assert_eq!(Code::OutOfRange.retry(), Retry::Never);
        assert_eq!(Code::Unknown(77).retry(), Retry::Never);
    }
}
