//! The figures in the text format of Prometheus, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use super::{Figures, Moved, ROUND_TRIPS, Stages};

impl Figures {
    /// The content type of [`prometheus`](Self::prometheus).
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// All figures, in the text format of Prometheus.
    ///
    /// ```
    /// let text = bowline_host::server::Figures::default().prometheus();
    /// assert!(text.starts_with("# HELP bowline_connections "));
    /// ```
    pub fn prometheus(&self) -> String {
        let mut page = Page::default();
        // Writing to a string does not fail.
        let _ = self.write(&mut page);
        page.0
    }

    fn write(&self, page: &mut Page) -> fmt::Result {
        let traffic = &self.traffic;
        page.gauge("connections", "Connections that are open.")?.one(self.connections)?;
        page.counter("connections_opened_total", "Connections since the start.")?.one(self.opened)?;
        page.counter("connections_ended_total", "Connections that have ended, by kind of end.")?
            .by("kind", &self.ended)?;
        page.counter("refused_total", "Clients that got no connection, by reason.")?
            .by("reason", &self.refused)?;
        let bytes = [("in", traffic.bytes_received), ("out", traffic.bytes_sent)];
        page.counter("connection_bytes_total", "Bytes that have crossed connections, with all headers.")?
            .each("direction", bytes)?;
        page.counter("pings_sent_total", "Pings of the heartbeat.")?.one(traffic.pings)?;
        page.counter("pongs_received_total", "Pings of the heartbeat that were answered.")?
            .one(traffic.pongs)?;
        page.counter("pings_received_total", "Pings of clients.")?.one(traffic.pings_received)?;
        self.write_round_trips(page)?;

        let ways = [("in", &self.sent_by_clients), ("out", &self.fetched_by_clients)];
        page.gauge("transfers", "Transfers under way, by stage.")?;
        for (way, Moved { open, .. }) in ways {
            let Stages { opening, moving, paused, finishing } = *open;
            for (stage, count) in
                [("opening", opening), ("moving", moving), ("paused", paused), ("finishing", finishing)]
            {
                page.sample("", &[("direction", way), ("stage", stage)], count)?;
            }
        }
        page.counter("transfers_done_total", "Files that have arrived, or were there already.")?;
        for (way, moved) in ways {
            let sent = moved.done - moved.already_there;
            for (result, count) in [("arrived", sent), ("already_there", moved.already_there)] {
                page.sample("", &[("direction", way), ("result", result)], count)?;
            }
        }
        page.counter("transfers_failed_total", "Transfers that have ended early, by reason.")?;
        for (way, Moved { failed, .. }) in ways {
            for (code, count) in failed {
                page.sample("", &[("direction", way), ("code", code)], *count)?;
            }
        }
        page.counter("file_bytes_total", "Bytes of the files that have arrived.")?
            .each("direction", ways.map(|(way, moved)| (way, moved.bytes)))?;

        page.gauge("unfinished_bytes", "Bytes of unfinished files in the store.")?
            .one(self.unfinished_bytes)?;
        page.gauge("unfinished_files", "Unfinished files in the store.")?.one(self.unfinished_files)?;
        if let Some(free) = self.free_bytes {
            page.gauge("disk_free_bytes", "Free bytes on the disk of the store.")?.one(free)?;
        }
        Ok(())
    }

    fn write_round_trips(&self, page: &mut Page) -> fmt::Result {
        page.head("round_trip_seconds", "histogram", "How long pings took to be answered.")?;
        let mut count = 0;
        for (bin, most) in self.round_trips.iter().zip(ROUND_TRIPS) {
            count += bin;
            page.sample("_bucket", &[("le", &Seconds(Duration::from_millis(most)).to_string())], count)?;
        }
        let all: u64 = self.round_trips.iter().sum();
        page.sample("_bucket", &[("le", "+Inf")], all)?;
        page.sample("_sum", &[], Seconds(self.round_trip_sum))?;
        page.sample("_count", &[], all)
    }
}

/// The text, and the name of the current metric.
#[derive(Default)]
struct Page(String, &'static str);

impl Page {
    fn gauge(&mut self, name: &'static str, help: &str) -> Result<&mut Self, fmt::Error> {
        self.head(name, "gauge", help)?;
        Ok(self)
    }

    fn counter(&mut self, name: &'static str, help: &str) -> Result<&mut Self, fmt::Error> {
        self.head(name, "counter", help)?;
        Ok(self)
    }

    fn head(&mut self, name: &'static str, kind: &str, help: &str) -> fmt::Result {
        self.1 = name;
        writeln!(self.0, "# HELP bowline_{name} {help}\n# TYPE bowline_{name} {kind}")
    }

    fn one(&mut self, value: u64) -> fmt::Result {
        self.sample("", &[], value)
    }

    fn by(&mut self, label: &str, values: &BTreeMap<&'static str, u64>) -> fmt::Result {
        self.each(label, values.iter().map(|(name, value)| (*name, *value)))
    }

    fn each<'a>(&mut self, label: &str, values: impl IntoIterator<Item = (&'a str, u64)>) -> fmt::Result {
        values.into_iter().try_for_each(|(name, value)| self.sample("", &[(label, name)], value))
    }

    /// Labels are our own words and need no quoting.
    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl fmt::Display) -> fmt::Result {
        let Self(text, name) = self;
        write!(text, "bowline_{name}{suffix}")?;
        for (n, (label, word)) in labels.iter().enumerate() {
            write!(text, "{}{label}=\"{word}\"", if n == 0 { '{' } else { ',' })?;
        }
        writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" })
    }
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs_f64())
    }
}
