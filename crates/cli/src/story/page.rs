//! The page that `--report` writes: a single file without scripts that needs nothing else.

use super::plot::{Curve, Plot, Unit};
use super::samples::{Bin, Range};
use super::turns::Kind;
use super::{FILES, Life, Story};
use crate::plain::plain;
use crate::units::{Rate, Size, Span, span, utc};
use std::fmt::Write as _;

const STYLE: &str = include_str!("page.css");
/// Nothing is loaded, and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The whole page.
pub(super) fn page(story: &Story) -> String {
    let title = escape(&format!("bowline {}: {}", story.command, story.title));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    let _ = writeln!(page, "<p class=\"faint\">{}, {}</p>", escape(&story.server), utc(story.day));
    summary(story, &mut page);
    plots(story, &mut page);
    files(story, &mut page);
    timeline(story, &mut page);
    lives(story, &mut page);
    let _ = write!(
        page,
        "<footer>Written by bowline {}.</footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    );
    page
}

/// The outcome, in words and in numbers.
fn summary(story: &Story, page: &mut String) {
    let (class, verdict) = match &story.end.trouble {
        None => {
            ("verdict", "Everything has arrived, and both ends have computed the same digests.".to_owned())
        }
        Some(trouble) => ("verdict bad", format!("Not everything has arrived: {trouble}.")),
    };
    let _ = writeln!(page, "<p class=\"{class}\">{}</p>", escape(&verdict));
    let sums = &story.sums;
    let _ = writeln!(page, "<p>{}</p>", escape(&life(story)));
    page.push_str("<dl>\n");
    let span = story.end.at;
    let mut tile = |name: &str, value: String| {
        // A number keeps its unit next to it, however narrow a tile is.
        let value = value.replace(' ', "\u{a0}").replace("\u{a0}to\u{a0}", "\u{a0}to ");
        let _ = writeln!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    };
    let count = if sums.files == 1 { "In one file".into() } else { format!("In {} files", sums.files) };
    tile(&count, Size(sums.bytes).to_string());
    tile("Time", Span(span).to_string());
    let seconds = span.as_secs_f64();
    tile("Average rate", Rate { bytes: story.samples.moved(), seconds }.to_string());
    tile("Connections", story.links.to_string());
    tile("Crossed again", Size(sums.resent).to_string());
    if let Some(range) = story.samples.range(|bin| bin.round_trip) {
        tile("Round trips", between(Unit::Seconds, range));
    }
    page.push_str("</dl>\n");
}

/// How the links fared, in sentences.
fn life(story: &Story) -> String {
    let mut text = match (story.links, story.cuts) {
        (0, _) => "There was no connection.".to_owned(),
        (1, 0) => "One connection carried it to the end.".to_owned(),
        (links, 0) => format!("It took {links} connections, none of which broke."),
        (1, _) => "The only connection broke.".to_owned(),
        (links, cuts) => {
            let times = if cuts == 1 { "once".into() } else { format!("{cuts} times") };
            format!(
                "It took {links} connections: the link broke {times}, and was down for {} in all.",
                Span(story.without)
            )
        }
    };
    if story.end.trouble.is_none() && story.cuts > 0 {
        text += if story.sums.resent > 0 {
            " Each time it resumed where it had stopped; only what was on its way had to cross again."
        } else {
            " Each time it resumed where it had stopped; nothing had to cross again."
        };
    }
    let range = story.samples.range(|bin| bin.control_delay).filter(|range| range.most > 0.0);
    if let Some(Range { most, .. }) = range {
        let _ = write!(
            text,
            " Whatever was urgent waited behind files for {} at most.",
            Unit::Seconds.text(most)
        );
    }
    text
}

fn plots(story: &Story, page: &mut String) {
    let samples = &story.samples;
    page.push_str("<h2>Over time</h2>\n<p class=\"faint\">");
    if samples.bins().is_empty() {
        page.push_str("Nothing was measured.</p>\n");
        return;
    }
    page.push_str(
        "<span class=\"key gap\"></span>no connection<span class=\"key cut\"></span>a connection ended early</p>\n",
    );
    let plot = Plot { samples, end: story.end.at.max(samples.width()), outages: &story.outages };
    let bin = samples.width().as_secs_f64();
    let rate = |place: &Bin| Some(Range { least: 0.0, most: place.moved / bin });
    let mut panel = |name: &str, caption: &str, unit: Unit, curves: &[Curve<'_>]| {
        let Some(range) = curves.iter().filter_map(|curve| samples.range(curve.of)).reduce(Range::with)
        else {
            return;
        };
        let label = format!("{name} over time: {}", between(unit, range));
        let svg = plot.draw(&label, unit, curves);
        let _ = writeln!(
            page,
            "<figure><figcaption><b>{name}</b> <span>{caption}</span></figcaption>{svg}</figure>"
        );
    };
    let one = |of| [Curve { class: "first", of }];
    panel("Throughput", "bytes of files that have arrived", Unit::BytesPerSecond, &one(&rate));
    panel(
        "Window",
        "<span class=\"key first\"></span>may be on its way unacknowledged<span class=\"key second\"></span>is on its way",
        Unit::Bytes,
        &[
            Curve { class: "first", of: &|bin| bin.window },
            Curve { class: "second", of: &|bin| bin.in_flight },
        ],
    );
    panel("Chunk", "how many bytes travel in one piece", Unit::Bytes, &one(&|bin| bin.chunk));
    panel("Round trip", "with the queues on the way", Unit::Seconds, &one(&|bin| bin.round_trip));
    panel(
        "Control delay",
        "how long whatever is urgent waits in those queues",
        Unit::Seconds,
        &one(&|bin| bin.control_delay),
    );
    if samples.range(|bin| bin.window).is_none() {
        page.push_str("<p class=\"faint\">Only the side that sends knows the window.</p>\n");
    }
}

fn files(story: &Story, page: &mut String) {
    if story.named.is_empty() {
        return;
    }
    page.push_str("<h2>Files</h2>\n<table>\n<tr><th>Name and BLAKE3</th><th>Size</th><th>Time</th><th>Links</th></tr>\n");
    for file in &story.named {
        let (name, links) =
            (escape(&file.name), if file.deduplicated { "was there".into() } else { file.links.to_string() });
        let (size, time) = (Size(file.bytes), span(file.seconds));
        let _ = writeln!(
            page,
            "<tr><td>{name}<br><code>{}</code></td><td class=\"number\">{size}</td><td class=\"number\">{time}</td>\
             <td class=\"number\">{links}</td></tr>",
            file.digest
        );
    }
    page.push_str("</table>\n");
    if story.sums.files > FILES {
        let _ = writeln!(
            page,
            "<p class=\"faint\">These are the first; in all there were {}.</p>",
            story.sums.files
        );
    }
}

fn timeline(story: &Story, page: &mut String) {
    page.push_str("<h2>What happened</h2>\n<table>\n<tr><th>At</th><th>What</th></tr>\n");
    for (index, turn) in story.turns.iter().enumerate() {
        if index == super::turns::FIRST && story.turns.left_out() > 0 {
            let left_out = story.turns.left_out();
            let _ = writeln!(page, "<tr><td></td><td class=\"faint\">{left_out} more are not kept</td></tr>");
        }
        let class = match turn.kind {
            Kind::Down if turn.at < story.end.at => "cut",
            Kind::Failure => "failure",
            Kind::Done => "done",
            _ => "turn",
        };
        let (at, text) = (turn.at.as_secs_f64(), escape(&turn.text));
        let _ =
            writeln!(page, "<tr class=\"{class}\"><td class=\"number\">{at:.3} s</td><td>{text}</td></tr>");
    }
    page.push_str("</table>\n");
}

fn lives(story: &Story, page: &mut String) {
    let with_record = |life: &Life| Some((life.link, life.began, life.disconnect.timeline()?.to_string()));
    let records: Vec<_> = story.lives.iter().filter_map(with_record).collect();
    if records.is_empty() {
        return;
    }
    page.push_str("<h2>The record of each connection</h2>\n");
    for (link, began, record) in records {
        let began = began.as_secs_f64();
        let _ = writeln!(
            page,
            "<details><summary>Connection {link}, from {began:.3} s on</summary><pre>{}</pre></details>",
            record.lines().map(escape).collect::<Vec<_>>().join("\n")
        );
    }
}

/// `1 ms to 3 ms`, or a single value.
fn between(unit: Unit, range: Range) -> String {
    let (least, most) = (unit.text(range.least), unit.text(range.most));
    match (least.split_once(' '), most.split_once(' ')) {
        _ if least == most => most,
        (Some((number, one)), Some((_, other))) if one == other => format!("{number} to {most}"),
        _ => format!("{least} to {most}"),
    }
}

/// Text from anybody, escaped.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_name_becomes_markup() {
        assert_eq!(
            escape("<b a='1' c=\"2\">&\u{202e}\n"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\u{fffd}\u{fffd}"
        );
    }
}
