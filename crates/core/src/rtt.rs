//! How long the path takes there and back.

use core::time::Duration;

/// The least that is added to the smoothed round trip before an answer counts as overdue: the coarsest timer that
/// the usual systems have.
const GRANULARITY: Duration = Duration::from_millis(10);

/// No sample counts for more: arithmetic on a smaller figure cannot overflow.
const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);

/// A smoothed round-trip time, its variation, and the smallest one seen (RFC 6298 §2).
///
/// ```
/// use bowline_core::Rtt;
/// use core::time::Duration;
///
/// let mut rtt = Rtt::default();
/// assert_eq!(rtt.srtt(), None);
/// rtt.sample(Duration::from_millis(80));
/// assert_eq!(rtt.srtt(), Some(Duration::from_millis(80)));
/// assert_eq!(rtt.pto(), Some(Duration::from_millis(80 + 4 * 40)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rtt {
    known: Option<Known>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    smoothed: Duration,
    variation: Duration,
    min: Duration,
    latest: Duration,
}

impl Rtt {
    /// Takes a new measurement into account.
    pub fn sample(&mut self, latest: Duration) {
        let latest = latest.min(LONGEST);
        self.known = Some(match self.known {
            // RFC 6298 §2.2
            None => Known { smoothed: latest, variation: latest / 2, min: latest, latest },
            // RFC 6298 §2.3: the variation first, it looks at the old smoothed value.
            Some(old) => Known {
                variation: (old.variation * 3 + old.smoothed.abs_diff(latest)) / 4,
                smoothed: (old.smoothed * 7 + latest) / 8,
                min: old.min.min(latest),
                latest,
            },
        });
    }

    /// The smoothed round-trip time; `None` before the first sample.
    pub fn srtt(&self) -> Option<Duration> {
        self.known.map(|known| known.smoothed)
    }

    /// The smallest round-trip time seen: the path without its queues.
    pub fn min(&self) -> Option<Duration> {
        self.known.map(|known| known.min)
    }

    /// The newest sample.
    pub fn latest(&self) -> Option<Duration> {
        self.known.map(|known| known.latest)
    }

    /// How long an answer may take on this path before it is worth asking again (RFC 9002 §6.2.1): the smoothed
    /// round trip and four times its variation, of the latter at least 10 ms.
    pub fn pto(&self) -> Option<Duration> {
        self.known.map(|known| known.smoothed + (known.variation * 4).max(GRANULARITY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn after(samples: &[u64]) -> Rtt {
        let mut rtt = Rtt::default();
        for sample in samples {
            rtt.sample(ms(*sample));
        }
        rtt
    }

    #[test]
    fn nothing_is_known_before_the_first_sample() {
        let rtt = Rtt::default();
        assert_eq!((rtt.srtt(), rtt.pto(), rtt.min(), rtt.latest()), (None, None, None, None));
    }

    #[test]
    fn the_first_sample_is_the_estimate_and_half_of_it_is_the_variation() {
        let rtt = after(&[100]);
        assert_eq!(rtt.srtt(), Some(ms(100)));
        assert_eq!(rtt.pto(), Some(ms(100 + 4 * 50)));
    }

    #[test]
    fn later_samples_count_for_an_eighth_and_their_deviation_for_a_quarter() {
        let rtt = after(&[80, 160]);
        assert_eq!(rtt.srtt(), Some(ms(70 + 20)));
        assert_eq!(rtt.pto(), Some(ms(90 + 4 * (30 + 20))));
    }

    #[test]
    fn a_shorter_sample_adds_to_the_deviation_too() {
        let rtt = after(&[160, 80]);
        assert_eq!(rtt.srtt(), Some(ms(150)));
        assert_eq!(rtt.pto(), Some(ms(150 + 4 * (60 + 20))));
    }

    #[test]
    fn a_steady_path_keeps_ten_milliseconds_of_patience() {
        let rtt = after(&[40; 64]);
        assert_eq!(rtt.srtt(), Some(ms(40)));
        assert_eq!(rtt.pto(), Some(ms(50)));
    }

    #[test]
    fn the_smallest_and_the_newest_are_remembered() {
        let rtt = after(&[50, 20, 90]);
        assert_eq!((rtt.min(), rtt.latest()), (Some(ms(20)), Some(ms(90))));
    }

    #[test]
    fn absurd_samples_do_not_overflow() {
        let mut rtt = Rtt::default();
        for sample in [Duration::MAX, Duration::ZERO, Duration::MAX] {
            rtt.sample(sample);
            assert!(rtt.pto() >= rtt.srtt());
        }
    }
}
