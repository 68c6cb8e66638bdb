//! The usual suspects: the limits on silence and age for which proxies, balancers and servers are known.

use core::time::Duration;

/// A known limit of something between clients and servers, or of a server itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Suspect {
    /// The limit: the documented one if it is known, otherwise the measured one.
    pub limit: Duration,
    /// What is known to have this limit; empty if nothing is.
    pub names: &'static str,
    /// Whether an earlier link ended in the same way.
    pub seen_before: bool,
}

/// A limit that is documented or was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) secs: u64,
    pub(super) names: &'static str,
    /// Whether it drops the connection without a word, so that only the next packet is answered, with a reset.
    silent: bool,
}

const fn limit(secs: u64, names: &'static str) -> Limit {
    Limit { secs, names, silent: false }
}

const fn silent(secs: u64, names: &'static str) -> Limit {
    Limit { secs, names, silent: true }
}

/// How long a connection may be idle.
pub(super) static IDLE: [Limit; 9] = [
    limit(55, "Heroku router"),
    limit(60, "nginx proxy_read_timeout, AWS ALB and ELB"),
    limit(100, "Cloudflare proxy"),
    limit(120, "uWebSockets default"),
    silent(240, "Azure load balancer"),
    limit(300, "ngrok"),
    silent(350, "AWS NLB"),
    limit(600, "AWS API Gateway"),
    limit(3600, "Envoy default"),
];

/// How old a connection may become.
pub(super) static LIFETIME: [Limit; 2] =
    [limit(30, "Google Cloud HTTP(S) LB default"), limit(7200, "AWS API Gateway")];

impl Limit {
    pub(super) const fn duration(&self) -> Duration {
        Duration::from_secs(self.secs)
    }
}

/// A limit of hours is accurate to some seconds: an end that is a minute off has another cause.
const MAX_SLACK: Duration = Duration::from_secs(15);

/// The limit that matches a measured time within a fiftieth, or within `slack` if that is more.
pub(super) fn known(table: &'static [Limit], measured: Duration, slack: Duration) -> Option<&'static Limit> {
    let slack_of = |limit: &Limit| slack.max(limit.duration() / 50).min(MAX_SLACK);
    table.iter().find(|limit| measured.abs_diff(limit.duration()) <= slack_of(limit))
}

/// The largest limit up to this silence that drops connections without a word.
pub(super) fn forgetful(silence: Duration) -> Option<&'static Limit> {
    IDLE.iter().rev().find(|limit| limit.silent && limit.duration() <= silence)
}
