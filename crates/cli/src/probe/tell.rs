//! The results in words.

use super::idle::Idle;
use super::largest::{Largest, Refusal};
use super::link::{Closed, Opened, Pings};
use crate::args::Probe;
use crate::report::StatusLine;
use crate::report::json::Line;
use crate::units::{Size, Span, millis};
use bowline_core::Disconnect;
use bowline_core::closing::{Kind, Suspect};
use bowline_core::transfer::SUBPROTOCOL;
use std::time::Duration;

/// Why it is not known whether a message was accepted.
const MUTE: &str = "the server answers no pings, and nothing else shows that a message was accepted";
/// The default heartbeat.
const USUAL_HEARTBEAT: Duration = Duration::from_secs(20);

/// A result about the server, or the path to it.
#[derive(Clone, Debug)]
pub(super) enum Finding {
    Open(Opened),
    Pings(Pings),
    Close(Closed),
    Largest(Largest),
    NoMessages(Untried),
    Idle(Idle),
}

/// Why no messages were tried.
#[derive(Clone, Copy, Debug)]
pub(super) enum Untried {
    /// The server's subprotocol allows no other messages.
    Subprotocol,
    /// The server answers no pings.
    Mute,
}

/// Prints the results, and what is being done meanwhile.
pub(super) struct Teller {
    json: bool,
    quiet: bool,
    /// Shown only on a terminal.
    line: StatusLine,
}

impl Teller {
    pub(super) fn new(args: &Probe) -> Self {
        let line = StatusLine::counting(args.output);
        Self { json: args.output.json, quiet: args.output.quiet, line }
    }

    /// Shows what is being done from now on.
    pub(super) fn doing(&self, what: &str) {
        self.line.begin(what);
    }

    /// Shows that this many connections are silent, for up to this long.
    pub(super) fn silent(&self, count: usize, longest: Duration) {
        self.doing(&format!("keeping {count} connections silent for up to {}", Span(longest)));
    }

    /// Shows that a message of this size is on its way.
    pub(super) fn message(&self, size: u64) {
        self.doing(&format!("sending a message of {}", Size(size)));
    }

    pub(super) fn tell(&self, finding: &Finding) {
        if self.json {
            return finding.line().print();
        }
        if !self.quiet {
            let (what, text) = finding.text();
            self.line.print(&format!("{what:<11} "), &text);
        }
    }
}

impl Finding {
    fn text(&self) -> (&'static str, String) {
        match self {
            Self::Open(opened) => ("connection", open(opened)),
            Self::Pings(found) => ("pings", pings(found)),
            Self::Close(Closed { took, disconnect }) => {
                ("close", format!("{disconnect}; it took {}", time(*took)))
            }
            Self::Largest(found) => ("messages", largest(found)),
            Self::NoMessages(Untried::Subprotocol) => (
                "messages",
                format!(
                    "not tried: the server speaks {SUBPROTOCOL}, and accepts no other messages (--subprotocol asks for another)"
                ),
            ),
            Self::NoMessages(Untried::Mute) => ("messages", format!("not tried: {MUTE}")),
            Self::Idle(found) => ("silence", idle(found)),
        }
    }

    fn line(&self) -> Line {
        match self {
            Self::Open(opened) => Line::new("open")
                .with("peer", opened.peer.map(|peer| peer.to_string()))
                .with("proxy", opened.proxy.clone())
                .seconds("connect_seconds", opened.reached.as_secs_f64())
                .seconds("handshake_seconds", opened.upgraded.as_secs_f64())
                .with("tls", opened.tls)
                .with("subprotocol", opened.subprotocol.clone())
                .with("server", opened.server.clone()),
            Self::Pings(Pings { asked, round_trips, end, .. }) => Line::new("pings")
                .with("asked", *asked)
                .with("answered", round_trips.len())
                .millis("least_ms", round_trips.first().copied())
                .millis("median_ms", round_trips.get(round_trips.len() / 2).copied())
                .millis("most_ms", round_trips.last().copied())
                .with("end", end.as_ref().map(ToString::to_string)),
            Self::Close(Closed { took, disconnect }) => Line::new("close")
                .seconds("seconds", took.as_secs_f64())
                .with("answered", disconnect.received().is_some())
                .with("code", disconnect.code().as_u16())
                .with("end", disconnect.to_string()),
            Self::Largest(Largest { taken, refused }) => Line::new("largest")
                .with("taken", *taken)
                .with("refused", refused.as_ref().map(|(size, _)| *size))
                .with("why", refused.as_ref().map(|(_, refusal)| why(refusal))),
            Self::NoMessages(Untried::Subprotocol) => {
                Line::new("largest").with("why", format!("the server speaks {SUBPROTOCOL}"))
            }
            Self::NoMessages(Untried::Mute) => Line::new("largest").with("why", MUTE),
            Self::Idle(found) => idle_line(found),
        }
    }
}

fn open(opened: &Opened) -> String {
    let Opened { peer, proxy, tls, reached, upgraded, subprotocol, server } = opened;
    let place = match (proxy, peer) {
        (Some(proxy), _) => format!("the proxy {proxy} and the server behind it reached"),
        (None, Some(peer)) => format!("{peer} reached"),
        (None, None) => "reached".into(),
    };
    let mut parts = vec![format!("{place} in {}, WebSocket {} later", time(*reached), time(*upgraded))];
    parts.push(match tls {
        Some("TLSv1_3") => "TLS 1.3".into(),
        Some("TLSv1_2") => "TLS 1.2".into(),
        Some(other) => (*other).to_owned(),
        None => "no TLS".into(),
    });
    parts.push(match subprotocol {
        Some(name) => format!("subprotocol {name}"),
        None => "no subprotocol".into(),
    });
    parts.extend(server.as_ref().map(|server| format!("the server calls itself {server}")));
    parts.join("; ")
}

fn pings(found: &Pings) -> String {
    let Pings { asked, round_trips, waited, end } = found;
    let mut parts = vec![match round_trips[..] {
        [] if *asked == 0 => "none were sent".into(),
        [] if end.is_some() => "not answered".into(),
        [] => return format!("not answered within {}", Span(*waited)),
        [only] => format!("1 of {asked} answered, in {}", time(only)),
        [least, .., most] => {
            let median = round_trips[round_trips.len() / 2];
            let (least, median, most) = (time(least), time(median), time(most));
            let answered = format!("{} of {asked} answered", round_trips.len());
            format!("{answered}, in {least} at least, {median} median, {most} at most")
        }
    }];
    if let Some(disconnect) = end {
        parts.push(format!("then {disconnect}"));
    } else if *waited > Duration::ZERO {
        parts.push(format!("the last one not within {}", Span(*waited)));
    }
    parts.join("; ")
}

fn largest(found: &Largest) -> String {
    let Largest { taken, refused } = found;
    match refused {
        None => format!("{} are accepted; larger ones were not tried", Size(*taken)),
        Some((_, refusal)) if *taken == 0 => format!("none is accepted, whatever its size: {}", why(refusal)),
        Some((size, refusal)) => {
            let doubt = if refusal.is_too_big() { "" } else { ", maybe because of its size" };
            format!("{} are accepted, {} are not{doubt}: {}", Size(*taken), Size(*size), why(refusal))
        }
    }
}

fn why(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Ended(disconnect) => disconnect.to_string(),
        Refusal::Unanswered => "no ping after it was answered".into(),
        Refusal::Stuck(after) => format!("some of it had not left after {}", Span(*after)),
    }
}

fn idle(found: &Idle) -> String {
    match found {
        Idle::Borne(silence) => {
            format!("a connection survives {}; longer silences were not tried (--max)", Span(*silence))
        }
        Idle::Spoken(after) => format!(
            "the server breaks it after {}, so no limit on silence is reached",
            Span(*after)
        ),
        Idle::Age(age, Some(disconnect)) => format!(
            "not the reason: a connection that was not silent also ended, at the age of {}: {disconnect}",
            Span(*age)
        ),
        Idle::Age(age, None) => format!(
            "not the reason: a connection that was not silent was also dead, at the age of {} or earlier, and nobody is told",
            Span(*age)
        ),
        Idle::Mute => {
            "not known: the server answers no pings, and nothing else shows whether a silent connection is alive"
                .into()
        }
        Idle::Unclear(after, disconnect) => {
            // What such an end suggests has just been refuted.
            let told = disconnect.as_ref().filter(|end| !matches!(end.kind(), Kind::IdleDrop { .. }));
            let how = told.map(|end| format!(" ({end})")).unwrap_or_default();
            format!("a connection ended after {}{how}, but a second one survived that: try again", Span(*after))
        }
        Idle::Limit { borne, fatal, exact, disconnect, heartbeat } => {
            let limit = if *exact {
                format!("a connection ends after {}", Span(*fatal))
            } else {
                format!("a connection survives {} but not {}, and nobody is told", Span(*borne), Span(*fatal))
            };
            let end = match (suspect(disconnect.as_ref()), disconnect) {
                (Some(names), _) => Some(format!("known for that: {names}")),
                (None, end) => end.as_ref().map(ToString::to_string),
            };
            let cure = if *heartbeat >= USUAL_HEARTBEAT {
                format!("the usual heartbeat of {} keeps it open", Span(USUAL_HEARTBEAT))
            } else {
                format!("--heartbeat {:.1}s keeps it open", heartbeat.as_secs_f64())
            };
            [Some(limit), end, Some(cure)].into_iter().flatten().collect::<Vec<_>>().join("; ")
        }
    }
}

fn idle_line(found: &Idle) -> Line {
    let line = Line::new("idle");
    match found {
        Idle::Borne(silence) => {
            line.with("found", "no_limit").seconds("borne_seconds", silence.as_secs_f64())
        }
        Idle::Spoken(after) => {
            line.with("found", "server_speaks").seconds("after_seconds", after.as_secs_f64())
        }
        Idle::Age(age, disconnect) => line
            .with("found", "age")
            .seconds("age_seconds", age.as_secs_f64())
            .with("end", disconnect.as_ref().map(ToString::to_string)),
        Idle::Mute => line.with("found", "no_pongs"),
        Idle::Unclear(after, disconnect) => line
            .with("found", "unclear")
            .seconds("after_seconds", after.as_secs_f64())
            .with("end", disconnect.as_ref().map(ToString::to_string)),
        Idle::Limit { borne, fatal, exact, disconnect, heartbeat } => line
            .with("found", "limit")
            .seconds("borne_seconds", borne.as_secs_f64())
            .seconds("fatal_seconds", fatal.as_secs_f64())
            .with("exact", *exact)
            .with("suspect", suspect(disconnect.as_ref()))
            .with("end", disconnect.as_ref().map(ToString::to_string))
            .seconds("heartbeat_seconds", heartbeat.min(&USUAL_HEARTBEAT).as_secs_f64()),
    }
}

/// What is known to cause such an end.
fn suspect(disconnect: Option<&Disconnect>) -> Option<&'static str> {
    disconnect?.suspect().map(|Suspect { names, .. }| names).filter(|names| !names.is_empty())
}

/// A second or more in a few digits, less than that in milliseconds.
fn time(time: Duration) -> String {
    if time >= Duration::from_secs(1) { Span(time).to_string() } else { millis(time) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::connection::{self, Event};
    use bowline_core::{Connection, End, Instant};
    use std::iter;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_server_is_shown_by_the_name_it_gives_itself() {
        let opened = Opened {
            peer: None,
            proxy: None,
            tls: None,
            reached: millis(1),
            upgraded: millis(2),
            subprotocol: None,
            server: Some("nginx".into()),
        };
        let expected = "reached in 1.0 ms, WebSocket 2.0 ms later; no TLS; no subprotocol; the server calls itself nginx";
        assert_eq!(open(&opened), expected);
        let proxy = Some("http://10.0.0.1:3128".into());
        let through = Opened { peer: Some("10.0.0.1:3128".parse().expect("an address")), proxy, ..opened };
        let expected = "the proxy http://10.0.0.1:3128 and the server behind it reached in 1.0 ms, WebSocket 2.0 ms later; ";
        assert!(open(&through).starts_with(expected), "{}", open(&through));
    }

    #[test]
    fn round_trips_are_summed_up_by_least_median_and_most() {
        let found =
            Pings { asked: 3, round_trips: [1, 2, 30].map(millis).into(), waited: millis(0), end: None };
        assert_eq!(pings(&found), "3 of 3 answered, in 1.0 ms at least, 2.0 ms median, 30.0 ms at most");
    }

    #[test]
    fn an_unanswered_ping_is_reported_with_the_time_waited() {
        let found = Pings { asked: 1, round_trips: Vec::new(), waited: millis(10_000), end: None };
        assert_eq!(pings(&found), "not answered within 10 s");
    }

    #[test]
    fn a_probe_claims_only_what_it_has_found_out() {
        let dead = "not the reason: a connection that was not silent was also dead, at the age of 5 s or earlier, and nobody is told";
        assert_eq!(idle(&Idle::Age(millis(5000), None)), dead);
        assert!(idle(&Idle::Mute).starts_with("not known: the server answers no pings"));
        let stuck = Largest { taken: 1024, refused: Some((2048, Refusal::Stuck(millis(10_000)))) };
        assert_eq!(
            largest(&stuck),
            "1.0 KiB are accepted, 2.0 KiB are not, maybe because of its size: some of it had not left after 10 s"
        );
    }

    #[test]
    fn a_silence_that_another_survived_comes_without_the_advice_it_refutes() {
        let mut config = connection::Config::default();
        config.heartbeat.interval = Duration::from_secs(600);
        let at = |secs| Instant::from(Duration::from_secs(secs));
        let mut silent = Connection::client(config, [1; 32], at(0));
        silent.handle_end(at(47), End::Reset);
        let end = iter::from_fn(|| silent.poll_event()).find_map(|event| match event {
            Event::Closed(disconnect) => Some(disconnect),
            _ => None,
        });
        assert!(end.as_ref().is_some_and(|end| end.to_string().contains("set the heartbeat")), "{end:?}");
        assert_eq!(
            idle(&Idle::Unclear(Duration::from_secs(47), end)),
            "a connection ended after 47 s, but a second one survived that: try again"
        );
    }

    #[test]
    fn a_limit_comes_with_a_heartbeat_that_keeps_below_it() {
        let limit = |fatal: u64, exact| Idle::Limit {
            borne: millis(fatal / 2),
            fatal: millis(fatal),
            exact,
            disconnect: None,
            heartbeat: millis(fatal / 4 * 3),
        };
        assert_eq!(idle(&limit(3000, true)), "a connection ends after 3 s; --heartbeat 2.2s keeps it open");
        assert_eq!(
            idle(&limit(60_000, false)),
            "a connection survives 30 s but not 60 s, and nobody is told; the usual heartbeat of 20 s keeps it open"
        );
    }
}
