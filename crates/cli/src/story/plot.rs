//! One plot of a page: an SVG as wide as the page allows, with text that keeps its size.
//!
//! Positions are percentages, so no script has to redraw it when a window changes. Curves are in an inner picture of
//! 1000 by 1000, which is stretched.

use super::samples::{Bin, Range, Samples};
use crate::units::Span;
use std::fmt::Write as _;
use std::time::Duration;

/// What is drawn, and over which time.
pub(super) struct Plot<'a> {
    pub(super) samples: &'a Samples,
    pub(super) end: Duration,
    pub(super) outages: &'a [Outage],
}

/// The beginning and the end of a time without a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    pub(super) from: Duration,
    pub(super) to: Duration,
    /// Whether it began with the end of a connection.
    pub(super) is_cut: bool,
}

/// The unit of an axis.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    Bytes,
    BytesPerSecond,
    Seconds,
}

/// A curve: its values, and its name.
pub(super) struct Curve<'a> {
    pub(super) class: &'static str,
    pub(super) of: &'a dyn Fn(&Bin) -> Option<Range>,
}

impl Plot<'_> {
    /// The picture of these curves, at least one of which has a value; `label` says what it shows, for people who
    /// cannot see it.
    pub(super) fn draw(&self, label: &str, unit: Unit, curves: &[Curve<'_>]) -> String {
        let most = curves.iter().filter_map(|curve| self.samples.range(curve.of)).map(|range| range.most);
        let top = unit.ceiling(most.fold(0.0, f64::max));
        let mut svg = format!("<svg class=\"plot\" role=\"img\" aria-label=\"{label}\">");
        for outage in self.outages {
            let (from, to) = (self.percent(outage.from), self.percent(outage.to));
            let _ = write!(
                svg,
                "<rect class=\"gap\" x=\"{from:.2}%\" width=\"{:.2}%\" height=\"100%\"/>",
                to - from
            );
        }
        for (place, share) in [(100, 0.0), (50, 0.5), (0, 1.0)] {
            let text = unit.text(top * share);
            let _ = write!(
                svg,
                "<line class=\"grid\" x2=\"100%\" y1=\"{place}%\" y2=\"{place}%\"/>\
                 <text class=\"y\" x=\"-8\" y=\"{place}%\" dy=\".32em\">{text}</text>"
            );
        }
        for at in ticks(self.end) {
            let (x, text) = (self.percent(at), time(at));
            let _ = write!(svg, "<text class=\"x\" x=\"{x:.2}%\" y=\"100%\" dy=\"1.5em\">{text}</text>");
        }
        svg.push_str(
            "<svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" width=\"100%\" height=\"100%\">",
        );
        for curve in curves {
            let _ = write!(svg, "<path class=\"{}\" d=\"{}\"/>", curve.class, self.path(curve.of, top));
        }
        svg.push_str("</svg>");
        for outage in self.outages.iter().filter(|outage| outage.is_cut) {
            let x = self.percent(outage.from);
            let _ = write!(svg, "<line class=\"cut\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y2=\"100%\"/>");
        }
        svg.push_str("</svg>");
        svg
    }

    /// The outline of a curve: along its highest values from left to right, and back along its lowest ones, once for
    /// each stretch without a gap.
    fn path(&self, of: &dyn Fn(&Bin) -> Option<Range>, top: f64) -> String {
        let (mut path, bins) = (String::new(), self.samples.bins());
        let (width, end) = (self.samples.width().as_secs_f64(), self.end.as_secs_f64());
        let x = |place: usize| 1000.0 * (width * place as f64 / end).min(1.0);
        let y = |value: f64| 1000.0 * (1.0 - value / top);
        let mut first = 0;
        while first < bins.len() {
            let stretch: Vec<_> = bins[first..].iter().map_while(of).collect();
            for (index, range) in stretch.iter().enumerate() {
                let (start, from, to) =
                    (if index == 0 { 'M' } else { 'L' }, x(first + index), x(first + index + 1));
                let _ = write!(path, "{start}{from:.1} {:.1}H{to:.1}", y(range.most));
            }
            for (index, range) in stretch.iter().enumerate().rev() {
                let _ = write!(path, "V{:.1}H{:.1}", y(range.least), x(first + index));
            }
            if !stretch.is_empty() {
                path.push('Z');
            }
            first += stretch.len().max(1);
        }
        path
    }

    fn percent(&self, at: Duration) -> f64 {
        100.0 * (at.as_secs_f64() / self.end.as_secs_f64()).min(1.0)
    }
}

impl Unit {
    pub(super) fn text(self, value: f64) -> String {
        match self {
            _ if value == 0.0 => "0".into(),
            Self::Bytes => size(value),
            Self::BytesPerSecond => size(value) + "/s",
            Self::Seconds if value < 0.9995 => trimmed(value * 1000.0, "ms"),
            Self::Seconds => trimmed(value, "s"),
        }
    }

    /// The next round number whose half is round, too.
    fn ceiling(self, value: f64) -> f64 {
        let value = value.max(match self {
            Self::Bytes | Self::BytesPerSecond => 1024.0,
            Self::Seconds => 0.001,
        });
        let base = match self {
            Self::Bytes | Self::BytesPerSecond => {
                let unit = 1024_f64.powf(value.log(1024.0).floor());
                unit * 10_f64.powf((value / unit).log10().floor())
            }
            Self::Seconds => 10_f64.powf(value.log10().floor()),
        };
        [1.0, 2.0, 4.0, 6.0, 8.0]
            .into_iter()
            .map(|step| step * base)
            .find(|top| *top >= value * 0.999)
            .unwrap_or(10.0 * base)
    }
}

fn size(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = (bytes.log(1024.0).floor().max(0.0) as usize).min(units.len() - 1);
    trimmed(bytes / 1024_f64.powf(power as f64), units[power])
}

/// With as many digits as matter.
fn trimmed(value: f64, unit: &str) -> String {
    let digits = usize::from(value < 9.95);
    let text = format!("{value:.digits$}");
    format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// The times to mark along the axis: a few round ones.
fn ticks(end: Duration) -> impl Iterator<Item = Duration> {
    const MOST: u32 = 5;
    let steps = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000];
    let longer = [2, 5, 10, 15, 30, 60, 120, 240, 480, 1440].map(|minutes| minutes * 60_000);
    let mut all = steps.into_iter().chain(longer).map(Duration::from_millis);
    let fits = |step: &Duration| *step * MOST >= end;
    // Beyond a few days, any fifth will do.
    let step = all.find(fits).unwrap_or(end / MOST);
    (0..=MOST).map(move |n| step * n).filter(move |at| *at <= end)
}

fn time(at: Duration) -> String {
    let seconds = at.as_secs();
    match seconds {
        _ if at.is_zero() => "0".into(),
        0..60 => Unit::Seconds.text(at.as_secs_f64()),
        60..3600 if seconds % 60 == 0 => format!("{} min", seconds / 60),
        60..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        _ => Span(at).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::transfer::Traffic;

    #[test]
    fn an_axis_ends_at_the_next_round_number() {
        let kib = 1024.0;
        for (unit, value, top, text) in [
            (Unit::Bytes, 0.0, kib, "1 KiB"),
            (Unit::Bytes, 130.0 * kib, 200.0 * kib, "200 KiB"),
            (Unit::Bytes, 900.0 * kib, 1000.0 * kib, "1000 KiB"),
            (Unit::BytesPerSecond, 3.5 * kib * kib, 4.0 * kib * kib, "4 MiB/s"),
            (Unit::Seconds, 0.000_2, 0.001, "1 ms"),
            (Unit::Seconds, 0.033, 0.04, "40 ms"),
            (Unit::Seconds, 1.5, 2.0, "2 s"),
        ] {
            let ceiling = unit.ceiling(value);
            assert!((ceiling - top).abs() < 1e-9 * top, "{value}: {ceiling}");
            assert_eq!(unit.text(ceiling), text);
        }
        assert_eq!(Unit::Seconds.text(0.0005), "0.5 ms");
        assert_eq!(Unit::Bytes.text(0.0), "0");
    }

    #[test]
    fn times_along_the_axis_are_round_and_few() {
        let told = |seconds: f64| ticks(Duration::from_secs_f64(seconds)).map(time).collect::<Vec<_>>();
        assert_eq!(told(0.26), ["0", "100 ms", "200 ms"]);
        assert_eq!(told(4.2), ["0", "1 s", "2 s", "3 s", "4 s"]);
        assert_eq!(told(130.0), ["0", "30 s", "1 min", "1:30", "2 min"]);
        assert_eq!(told(20_000.0), ["0", "2 h", "4 h"]);
        assert_eq!(told(9e6).len(), 6);
    }

    #[test]
    fn a_curve_has_a_gap_where_nothing_was_measured() {
        let mut samples = Samples::default();
        for (at, window) in [(10, Some(500)), (60, Some(1000)), (110, None), (160, Some(250))] {
            let mut traffic = Traffic::default();
            traffic.window = window;
            samples.observe(Duration::from_millis(at), &traffic);
        }
        let plot = Plot { samples: &samples, end: Duration::from_millis(200), outages: &[] };
        assert_eq!(
            plot.path(&|bin| bin.window, 1000.0),
            "M0.0 500.0H250.0L250.0 0.0H500.0V0.0H250.0V500.0H0.0ZM750.0 750.0H1000.0V750.0H750.0Z"
        );
    }

    #[test]
    fn outages_are_drawn_where_they_were() {
        let mut samples = Samples::default();
        samples.observe(Duration::from_millis(10), &Traffic::default());
        let at = Duration::from_secs;
        let outages = [
            Outage { from: at(0), to: at(1), is_cut: false },
            Outage { from: at(5), to: at(7), is_cut: true },
        ];
        let plot = Plot { samples: &samples, end: at(10), outages: &outages };
        let svg = plot.draw("x", Unit::Bytes, &[]);
        assert!(svg.contains("<rect class=\"gap\" x=\"0.00%\" width=\"10.00%\""), "{svg}");
        assert!(svg.contains("<rect class=\"gap\" x=\"50.00%\" width=\"20.00%\""), "{svg}");
        assert_eq!(svg.matches("class=\"cut\"").count(), 1);
        assert!(svg.contains("<line class=\"cut\" x1=\"50.00%\""), "{svg}");
    }
}
