//! What is known about one path, and the line of text that stores it.

use crate::Instant;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use thiserror::Error;

/// A shorter silence says nothing: no idle limit is that strict.
pub(super) const FLOOR: Duration = Duration::from_secs(1);

/// For how many seconds a limit is trusted without confirmation. Paths change: people move, operators tune.
const BELIEVED: u64 = 7 * 24 * 3600;

/// The highest interval for a limit that was not observed directly: the real limit may be much lower than the silence
/// after which the connection was found dead. It equals the default heartbeat, below the strictest of the common
/// limits.
const CAUTION: Duration = Duration::from_secs(20);

/// The longest key, in bytes.
const MAX_KEY: usize = 255;

/// How long a silence a path allows: the longest that was survived, and the shortest that ended a connection.
///
/// As text it is one line: the key, both silences in seconds (`-` if unknown, `<` before one that may be far above the
/// limit), and the time of the last lesson in seconds since 1970.
///
/// ```
/// use bowline_core::adapt::Path;
///
/// let path: Path = "example.org:443 45.000 60.040 1790000000".parse()?;
/// assert_eq!(path.key(), "example.org:443");
/// assert_eq!(path.to_string(), "example.org:443 45.000 60.040 1790000000");
/// assert_eq!(Path::new("example.org:443").to_string(), "example.org:443 - - 0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    key: String,
    lo: Option<Duration>,
    hi: Option<Limit>,
    learned: u64,
}

impl Default for Path {
    /// A path without a name, about which nothing is known.
    fn default() -> Self {
        Self::new("")
    }
}

/// A silence that ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    silence: Duration,
    /// Whether the end came by itself, so that this is the limit. Otherwise the end was only found at the next attempt
    /// to send.
    exact: bool,
}

/// What a silence that ended a connection teaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taught {
    Nothing,
    Limit,
    /// It contradicts what is known: one of the two is wrong, or the path has changed.
    Doubt,
}

impl Path {
    /// A path about which nothing is known. The key identifies it: the endpoint, and the network if the caller can tell
    /// networks apart. Control characters in the key become spaces, and it is cut to 255 bytes.
    pub fn new(key: &str) -> Self {
        Self { key: normal(key), lo: None, hi: None, learned: 0 }
    }

    /// The key that identifies it.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The longest silence that a connection survived.
    pub fn lo(&self) -> Option<Duration> {
        self.lo
    }

    /// The shortest silence that ended one.
    pub fn hi(&self) -> Option<Duration> {
        self.hi.map(|hi| hi.silence)
    }

    /// When something was last learned, in seconds since 1970.
    pub fn learned(&self) -> u64 {
        self.learned
    }

    /// An interval safely below the limit, if one is known: a quarter below the limit, or a tenth below what is known
    /// to be survived.
    pub(super) fn calm(&self) -> Option<Duration> {
        let hi = self.hi?;
        let below = hi.silence * 3 / 4;
        let below = if hi.exact { below } else { below.min(CAUTION) };
        Some(below.max(self.proven().unwrap_or_default()))
    }

    /// A tenth below what is known to be survived.
    pub(super) fn proven(&self) -> Option<Duration> {
        self.lo.map(|lo| lo * 9 / 10)
    }

    /// Forgets a limit that is too old to be trusted.
    pub(super) fn forget(&mut self, unix: u64) {
        if unix.saturating_sub(self.learned) >= BELIEVED {
            self.hi = None;
        }
    }

    pub(super) fn survive(&mut self, unix: u64, silence: Duration) {
        let silence = whole_millis(silence);
        if silence < FLOOR {
            return;
        }
        self.lo = self.lo.max(Some(silence));
        if self.hi.is_some_and(|hi| hi.silence <= silence) {
            self.hi = None;
        }
        if self.hi.is_none() {
            // The time belongs to the limit as long as there is one.
            self.learned = unix;
        }
    }

    pub(super) fn kill(&mut self, unix: u64, silence: Duration, exact: bool) -> Taught {
        let silence = whole_millis(silence);
        if silence < FLOOR {
            return Taught::Nothing;
        }
        self.learned = unix;
        if self.lo.is_some_and(|lo| silence <= if exact { lo } else { lo + lo / 20 }) {
            self.lo = None;
            return Taught::Doubt;
        }
        match &mut self.hi {
            Some(hi) if hi.silence < silence => {}
            Some(hi) if hi.silence == silence => hi.exact |= exact,
            hi => *hi = Some(Limit { silence, exact }),
        }
        Taught::Limit
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, lo, hi, learned } = self;
        let mark = if hi.is_some_and(|hi| !hi.exact) { "<" } else { "" };
        write!(f, "{key} {} {mark}{} {learned}", Secs(*lo), Secs(self.hi()))
    }
}

/// Seconds with three decimals, or `-`.
struct Secs(Option<Duration>);

impl fmt::Display for Secs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(silence) => write!(f, "{}.{:03}", silence.as_secs(), silence.subsec_millis()),
            None => f.write_str("-"),
        }
    }
}

/// Why a line does not describe a path: the first field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParsePathError {
    /// There are fewer than four fields.
    #[error("the field `{0}` is missing; a line is: key lo hi time")]
    Missing(&'static str),
    /// The longest silence survived is not a number of seconds.
    #[error("the field `lo` is {0:?}; expected seconds such as 45.000, or -")]
    Lo(String),
    /// The shortest silence that ended a connection is not a number of seconds.
    #[error("the field `hi` is {0:?}; expected seconds such as 60.040 or <60.040, or -")]
    Hi(String),
    /// The silence said to be survived is not below the one said to have ended a connection.
    #[error("the field `hi` is {hi:?}, which is not above the {lo:?} of `lo`")]
    Order {
        /// The silence said to be survived.
        lo: Duration,
        /// The silence said to have ended a connection.
        hi: Duration,
    },
    /// The time is not a whole number of seconds.
    #[error("the field `time` is {0:?}; expected whole seconds since 1970")]
    Time(String),
}

impl FromStr for Path {
    type Err = ParsePathError;

    /// Parses a line. The key may contain spaces: the last three words are the other fields.
    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let words: Vec<_> = line.split_whitespace().collect();
        let &[ref key @ .., lo, hi, time] = &words[..] else {
            return Err(ParsePathError::Missing(["key", "lo", "hi"][words.len()]));
        };
        if key.is_empty() {
            return Err(ParsePathError::Missing("time"));
        }
        let lo = silence_or_dash(lo).map_err(|()| ParsePathError::Lo(lo.into()))?;
        let hi = match hi.strip_prefix('<') {
            Some(guess) => silence(guess).ok_or(()).map(|silence| Some(Limit { silence, exact: false })),
            None => silence_or_dash(hi).map(|hi| hi.map(|silence| Limit { silence, exact: true })),
        }
        .map_err(|()| ParsePathError::Hi(hi.into()))?;
        let learned = time.parse().map_err(|_| ParsePathError::Time(time.into()))?;
        if let (Some(lo), Some(Limit { silence: hi, .. })) = (lo, hi) {
            if lo >= hi {
                return Err(ParsePathError::Order { lo, hi });
            }
        }
        Ok(Self { key: normal(&key.join(" ")), lo, hi, learned })
    }
}

/// A silence in seconds, or `-` for none.
fn silence_or_dash(text: &str) -> Result<Option<Duration>, ()> {
    if text == "-" { Ok(None) } else { silence(text).map(Some).ok_or(()) }
}

/// Seconds, at least one.
fn silence(text: &str) -> Option<Duration> {
    let (secs, millis) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(secs) || !is_number(millis) || millis.len() > 3 {
        return None;
    }
    let scale = 10_u64.pow(3 - millis.len() as u32);
    let millis = millis.parse::<u64>().ok()? * scale;
    let silence = Duration::from_secs(secs.parse().ok()?).checked_add(Duration::from_millis(millis))?;
    (FLOOR..=Instant::MAX.since_start()).contains(&silence).then_some(silence)
}

/// The part of a duration that the text can express.
fn whole_millis(silence: Duration) -> Duration {
    let silence = silence.min(Instant::MAX.since_start());
    Duration::from_secs(silence.as_secs()) + Duration::from_millis(silence.subsec_millis().into())
}

/// Makes the key fit into a line.
fn normal(key: &str) -> String {
    let mut end = key.len().min(MAX_KEY);
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    let mut normal = String::new();
    for word in key[..end].split(|char: char| char.is_whitespace() || char.is_control()) {
        if !normal.is_empty() && !word.is_empty() {
            normal.push(' ');
        }
        normal.push_str(word);
    }
    if normal.is_empty() { "-".into() } else { normal }
}
