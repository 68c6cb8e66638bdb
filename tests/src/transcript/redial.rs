//! A client that dials again and again, where the same happens on each of its links.

use super::command::Command;
use super::settings::Settings;
use super::tell::{self, Line};
use crate::sim::rng;
use bowline_core::closing::History;
use bowline_core::reconnect::{Config, Next};
use bowline_core::{Instant, Reconnect};
use std::time::Duration;

/// Runs until `end`. `each` is what is done on each link, and how long after it has opened.
///
/// # Errors
/// A command that cannot be carried out.
pub(super) fn run(
    settings: &Settings,
    each: &[(Duration, Command)],
    end: Instant,
) -> Result<Vec<Line>, String> {
    let mut reconnect = Reconnect::new(Config::default(), &mut rng(settings.seed), Instant::ZERO);
    let mut history = History::default();
    let mut lines = Vec::new();
    let mut settings = settings.clone();
    while let Some(due) = reconnect.poll_timeout().filter(|due| *due <= end) {
        assert_eq!(reconnect.handle_timeout(due), Some(Next::Dial));
        lines.push(Line::new(due, "client", "dials"));
        let opened = due + settings.handshake;
        reconnect.handle_open(opened);
        lines.push(Line::new(opened, "client", "is connected"));

        settings.seed += 1;
        settings.client.history = history;
        let mut pair = settings.pair(opened);
        let mut foreign = Vec::new();
        for (after, command) in each {
            super::obey(&mut pair, opened + *after, command.clone(), &mut foreign)?;
        }
        pair.run_until(end);
        lines.extend(tell::lines(&pair, &foreign));

        let Some((lost, disconnect)) = pair.client.closed() else { break };
        history.record(disconnect);
        let then = match reconnect.handle_lost(lost, disconnect.retry()) {
            Some(Next::DialAt(at)) => format!("will dial at {at}"),
            Some(Next::GiveUp(why)) => format!("gives up: {why}"),
            Some(Next::Dial) | None => unreachable!("each loss is followed by one decision"),
        };
        lines.push(Line::new(lost, "client", &then));
    }
    Ok(lines)
}
