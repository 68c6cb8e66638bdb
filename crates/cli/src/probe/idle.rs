//! The longest silence that the path allows.
//!
//! Several connections are left alone in parallel, each for a different time. Then a counter-test tells a limit on
//! silence from one on age, and both from an accident: of two further connections, one stays silent and must die, and
//! the other one does not and must live.

use super::link::{Answer, Link, open};
use super::search::{Bounds, Search};
use super::tell::Teller;
use crate::target::Target;
use bowline_core::Disconnect;
use bowline_core::connection::Event;
use bowline_tokio::DialError;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

/// What a server sends at the beginning does not count as breaking the silence.
const GREETING: Duration = Duration::from_millis(500);
/// How often a silent connection is checked, to see when the last byte arrived.
const LOOK: Duration = Duration::from_millis(100);
/// Once one connection is found dead, how long to wait for others that end at the same time.
const SLACK: Duration = Duration::from_secs(1);

/// What was found.
#[derive(Clone, Debug)]
pub(super) enum Idle {
    /// This silence was survived, and longer ones were not tried.
    Borne(Duration),
    /// The longest silence that is survived is between the two.
    Limit {
        borne: Duration,
        fatal: Duration,
        /// Whether `fatal` is the exact limit.
        exact: bool,
        /// How it ended.
        disconnect: Option<Disconnect>,
        /// An interval at which pings keep the connection open.
        heartbeat: Duration,
    },
    /// Connections do not live longer than this, silent or not; with the end of one that was not silent, if it was
    /// reported.
    Age(Duration, Option<Disconnect>),
    /// The server itself breaks every silence of this length.
    Spoken(Duration),
    /// The server answers no pings, so nothing tells whether a silent connection lives.
    Mute,
    /// The results contradict each other: the end of a connection after this silence was not repeated.
    Unclear(Duration, Option<Disconnect>),
}

/// What happened to a silent connection.
#[derive(Debug)]
enum Silence {
    Borne,
    /// The other side broke the silence after this time.
    Broken(Duration),
    /// The connection ended after this time.
    Ended(Duration, Disconnect),
    /// It was dead when it was pinged.
    Dead(Option<Disconnect>),
}

/// What happened to the connection that was not silent.
#[derive(Debug)]
enum Busy {
    Lived,
    /// It did not end, but no ping was ever answered.
    Mute,
    /// It ended at this age, or was found dead at it.
    Ended(Duration, Option<Disconnect>),
}

pub(super) async fn search(target: &Target, most: Duration, teller: &mut Teller) -> Result<Idle, DialError> {
    let mut search = Search::new(most);
    let mut last = None;
    loop {
        let silences = search.next();
        let Some(longest) = silences.iter().max().copied() else { break };
        teller.silent(silences.len(), longest);
        let mut links = JoinSet::new();
        for silence in silences {
            let (link, _) = open(target).await?;
            let patience = target.patience();
            links.spawn(async move { (silence, keep_silent(link, silence, patience).await) });
        }
        let mut until = None;
        while let Some((silence, outcome)) = next(&mut links, until).await {
            match outcome {
                Silence::Borne => search.handle_borne(silence),
                Silence::Broken(after) => return Ok(Idle::Spoken(after)),
                Silence::Ended(after, disconnect) => {
                    search.handle_fatal(after, true);
                    last = Some(disconnect);
                    // The others have been silent for just as long.
                    until = Some(Instant::now() + SLACK);
                }
                Silence::Dead(disconnect) => {
                    search.handle_fatal(silence, false);
                    last = disconnect.or(last);
                }
            }
        }
    }
    let Bounds { borne, fatal, exact } = search.bounds();
    let Some(fatal) = fatal else { return Ok(Idle::Borne(borne)) };
    teller.doing("comparing with a connection that is not silent");
    let heartbeat = if exact { fatal } else { borne.max(fatal / 2) } / 4 * 3;
    Ok(match compare(target, fatal, heartbeat).await? {
        (Silence::Borne, _) => Idle::Unclear(fatal, last),
        (Silence::Broken(after), _) => Idle::Spoken(after),
        (_, Busy::Ended(age, disconnect)) => Idle::Age(age, disconnect),
        (Silence::Dead(_), Busy::Mute) => Idle::Mute,
        _ => Idle::Limit { borne: borne.min(fatal), fatal, exact, disconnect: last, heartbeat },
    })
}

/// The next result; `None` if there is none, or none before `until`.
async fn next<T: 'static>(links: &mut JoinSet<T>, until: Option<Instant>) -> Option<T> {
    loop {
        let joined = match until {
            Some(until) => timeout_at(until, links.join_next()).await.ok()?,
            None => links.join_next().await,
        };
        // A task that was lost shows nothing.
        if let Ok(outcome) = joined? {
            return Some(outcome);
        }
    }
}

/// Keeps one connection silent for a little longer than the fatal silence, and next to it one that is not silent.
async fn compare(
    target: &Target,
    fatal: Duration,
    heartbeat: Duration,
) -> Result<(Silence, Busy), DialError> {
    let length = fatal + SLACK.max(fatal / 10);
    let (silent, _) = open(target).await?;
    let (busy, _) = open(target).await?;
    let patience = target.patience();
    let (silent, busy) =
        tokio::join!(keep_silent(silent, length, patience), keep_busy(busy, length, heartbeat, patience));
    Ok((silent, busy))
}

/// Pings at this interval for this long, whether or not there are answers, and then checks whether the connection
/// lives.
async fn keep_busy(mut link: Link, length: Duration, interval: Duration, patience: Duration) -> Busy {
    let (start, mut is_mute) = (Instant::now(), true);
    while start.elapsed() < length {
        link.beat();
        let until = Instant::now() + interval.min(length);
        while let Ok(event) = timeout_at(until, link.socket.event()).await {
            match event {
                Event::Closed(disconnect) => return Busy::Ended(start.elapsed(), Some(disconnect)),
                Event::Answered { .. } => is_mute = false,
                _ => {}
            }
        }
    }
    let age = start.elapsed();
    match link.ask(patience).await {
        Answer::Came(_) => Busy::Lived,
        Answer::None if is_mute => Busy::Mute,
        Answer::None => Busy::Ended(age, None),
        Answer::Ended(disconnect) => Busy::Ended(age, Some(disconnect)),
    }
}

/// Stays silent for this long after the last byte, and then checks whether the connection lives.
async fn keep_silent(mut link: Link, length: Duration, patience: Duration) -> Silence {
    let start = Instant::now();
    let (mut bytes, mut since) = (0, start);
    loop {
        let now = Instant::now();
        let received = link.socket.stats().bytes_received;
        if received != bytes {
            if !link.socket.conn().is_open() {
                // That was its Close.
                let after = now - since;
                return Silence::Ended(after, link.socket.ended().await);
            }
            if start.elapsed() > GREETING {
                return Silence::Broken(now - since);
            }
            (bytes, since) = (received, now);
        }
        let left = length.saturating_sub(now - since);
        if left.is_zero() {
            break;
        }
        let wait = LOOK.min(left);
        if let Ok(Event::Closed(disconnect)) = timeout(wait, link.socket.event()).await {
            return Silence::Ended(since.elapsed(), disconnect);
        }
    }
    match link.ask(patience).await {
        Answer::Came(_) => Silence::Borne,
        Answer::None => Silence::Dead(None),
        Answer::Ended(disconnect) => Silence::Dead(Some(disconnect)),
    }
}
