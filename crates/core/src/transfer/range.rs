//! Parts of files that can be requested.

use core::fmt;
use core::ops;
use core::str::FromStr;

/// A range of bytes of a file: from one offset up to another or to the end. By default all of them.
///
/// As text it has the form of HTTP: the first and the last byte, both inclusive.
///
/// ```
/// use bowline_core::transfer::ByteRange;
/// let range: ByteRange = "100-199".parse()?;
/// assert_eq!(range, ByteRange::new(100, 200)?);
/// assert_eq!(range.within(1000)?, 100..200);
/// assert_eq!("100-".parse::<ByteRange>()?.within(1000)?, 100..1000);
/// assert!(range.within(100).is_err(), "there are only bytes 0 to 99");
/// # Ok::<(), bowline_core::transfer::RangeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    from: u64,
    /// The first byte after it; [`END`](Self::END) stands for the end of the file.
    to: u64,
}

/// An invalid range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeError {
    /// It contains no bytes.
    #[error("the range from byte {from} up to byte {to} is empty")]
    Empty {
        /// Where it begins.
        from: u64,
        /// The first byte after it.
        to: u64,
    },
    /// Its ends are swapped.
    #[error("the first byte, {first}, comes after the last, {last}")]
    Reversed {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// The file ends before the range begins.
    #[error("the range begins at byte {from}, and the file has {length} bytes")]
    Beyond {
        /// Where it begins.
        from: u64,
        /// How many bytes the file has.
        length: u64,
    },
    /// The text is not a range.
    #[error("a range is written FIRST-LAST or FIRST-, in bytes")]
    Syntax,
}

impl ByteRange {
    /// Everything, even of an empty file.
    pub const WHOLE: Self = Self { from: 0, to: Self::END };

    /// What stands for the end of a file, whatever its length.
    pub const END: u64 = u64::MAX;

    /// The bytes from `from` up to but excluding `to`; [`END`](Self::END) means up to the end.
    ///
    /// # Errors
    /// `Empty` unless `from` is below `to`.
    pub const fn new(from: u64, to: u64) -> Result<Self, RangeError> {
        if from < to { Ok(Self { from, to }) } else { Err(RangeError::Empty { from, to }) }
    }

    /// The offset of the first byte.
    pub const fn from(self) -> u64 {
        self.from
    }

    /// The offset after the last byte, or [`END`](Self::END).
    pub const fn to(self) -> u64 {
        self.to
    }

    /// Whether nothing is left out.
    pub fn is_whole(self) -> bool {
        self == Self::WHOLE
    }

    /// The range within a file of this length. Anything beyond the end is cut off.
    ///
    /// # Errors
    /// `Beyond` if nothing of it is left. The whole of an empty file is valid.
    pub fn within(self, length: u64) -> Result<ops::Range<u64>, RangeError> {
        if self.from >= length && !self.is_whole() {
            return Err(RangeError::Beyond { from: self.from, length });
        }
        Ok(self.from..self.to.min(length))
    }

    /// Whether this many bytes may be the result of the range in some file.
    pub fn admits(self, length: u64) -> bool {
        self.is_whole() || (1..=self.to - self.from).contains(&length)
    }
}

impl Default for ByteRange {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.from)?;
        if self.to == Self::END { Ok(()) } else { write!(f, "{}", self.to - 1) }
    }
}

impl FromStr for ByteRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let (first, last) = text.split_once('-').ok_or(RangeError::Syntax)?;
        let first = number(first)?;
        if last.is_empty() {
            return Self::new(first, Self::END);
        }
        let last = number(last)?;
        if last < first {
            return Err(RangeError::Reversed { first, last });
        }
        // No file is long enough to have a byte after the last offset.
        Self::new(first, last.saturating_add(1))
    }
}

/// Digits and nothing else: no sign, no blanks.
fn number(text: &str) -> Result<u64, RangeError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain).ok_or(RangeError::Syntax)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    fn range(from: u64, to: u64) -> ByteRange {
        ByteRange::new(from, to).expect("not empty")
    }

    #[test]
    fn a_range_is_clipped_to_the_file() {
        assert_eq!(range(10, 20).within(100), Ok(10..20));
        assert_eq!(range(10, 20).within(20), Ok(10..20));
        assert_eq!(range(10, 20).within(15), Ok(10..15));
        assert_eq!(range(10, 20).within(11), Ok(10..11));
        assert_eq!(range(10, ByteRange::END).within(15), Ok(10..15));
        for length in [0, 9, 10] {
            let beyond = Err(RangeError::Beyond { from: 10, length });
            assert_eq!(range(10, 20).within(length), beyond);
            assert_eq!(range(10, ByteRange::END).within(length), beyond);
        }
    }

    #[test]
    fn an_empty_file_has_a_whole_and_no_parts() {
        assert_eq!(ByteRange::default().within(0), Ok(0..0));
        assert_eq!(range(0, 5).within(0), Err(RangeError::Beyond { from: 0, length: 0 }));
    }

    #[test]
    fn an_empty_range_is_refused() {
        for (from, to) in [(5, 5), (6, 5), (0, 0), (u64::MAX, u64::MAX)] {
            assert_eq!(ByteRange::new(from, to), Err(RangeError::Empty { from, to }));
        }
    }

    #[test]
    fn a_part_is_never_longer_than_the_range_and_never_empty() {
        let admitted = |range: ByteRange| [0, 1, 10, 11, u64::MAX].map(|length| range.admits(length));
        assert_eq!(admitted(range(10, 20)), [false, true, true, false, false]);
        assert_eq!(admitted(range(10, ByteRange::END)), [false, true, true, true, false]);
        assert_eq!(admitted(ByteRange::WHOLE), [true; 5]);
    }

    #[test]
    fn a_range_is_written_with_its_last_byte_inclusive() {
        for (text, expected) in [
            ("0-0", range(0, 1)),
            ("0-99", range(0, 100)),
            ("100-199", range(100, 200)),
            ("7-", range(7, ByteRange::END)),
            ("0-", ByteRange::WHOLE),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
            assert_eq!(expected.to_string(), text);
        }
        for end in ["18446744073709551614", "18446744073709551615"] {
            assert_eq!(alloc::format!("3-{end}").parse(), Ok(range(3, ByteRange::END)));
        }
    }

    #[test]
    fn text_that_is_no_range_is_refused() {
        for text in ["", "-", "-5", "5", "a-b", "1-2-3", "+1-2", "1 - 2", "1-+2", "1-18446744073709551616"] {
            assert_eq!(text.parse::<ByteRange>(), Err(RangeError::Syntax), "{text}");
        }
        assert_eq!("9-5".parse::<ByteRange>(), Err(RangeError::Reversed { first: 9, last: 5 }));
        let last = "18446744073709551615-".parse::<ByteRange>();
        assert_eq!(last, Err(RangeError::Empty { from: u64::MAX, to: u64::MAX }));
    }
}
