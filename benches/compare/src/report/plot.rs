//! A table as bars: a group for each column, where the height of each bar is its share of the highest contender in the
//! group. A limit above that is cut off.

use std::fmt::Write;

use crate::table::{Kind, Table};

const WIDTH: usize = 960;
const HEIGHT: usize = 240;
const LEFT: usize = 16;
const TOP: usize = 40;
/// The distance between the lines of the legend.
const LINE: usize = 18;

const LIMIT: &str = "#bbbbbb";
const OURS: [&str; 3] = ["#c1272d", "#e8747a", "#f4b6b9"];
const PEERS: [&str; 10] = [
    "#0b3c5d", "#1d6996", "#38a6a5", "#0f8554", "#73af48", "#edad08", "#e17c05", "#94346e", "#6f4070",
    "#994e95",
];

pub(super) fn plot(table: &Table) -> String {
    let legend = table.rows.len().div_ceil(2) * LINE;
    let height = TOP + HEIGHT + 48 + legend;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"20\" font-size=\"15\">{} \
         ({})</text>\n",
        escape(&table.title),
        escape(table.unit)
    );
    let colours = colours(table);
    let group = (WIDTH - 2 * LEFT) / table.columns.len().max(1);
    let bar = (group - 12) / table.rows.len().max(1);
    for (column, title) in table.columns.iter().enumerate() {
        let start = LEFT + column * group;
        let figures = table.rows.iter().map(|row| table.figure(row, column));
        let contenders = table.rows.iter().filter(|row| row.kind != Kind::Limit);
        let highest = contenders
            .filter_map(|row| table.figure(row, column))
            .map(|figure| figure.median)
            .fold(f64::MIN_POSITIVE, f64::max);
        for (n, figure) in figures.enumerate() {
            let Some(figure) = figure else { continue };
            let tall = (figure.median / highest * HEIGHT as f64).clamp(1.0, HEIGHT as f64);
            let _ = writeln!(
                out,
                "<rect x=\"{}\" y=\"{:.1}\" width=\"{}\" height=\"{tall:.1}\" fill=\"{}\"><title>{}: {}</title></rect>",
                start + n * bar,
                (TOP + HEIGHT) as f64 - tall,
                bar.saturating_sub(1).max(1),
                colours[n],
                escape(&table.rows[n].name),
                super::number(figure.median)
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{start}\" y=\"{}\">{}</text>\n<text x=\"{start}\" y=\"{}\" fill=\"#666\">highest {}</text>",
            TOP + HEIGHT + 16,
            escape(title),
            TOP + HEIGHT + 32,
            super::number(highest)
        );
    }
    for (n, row) in table.rows.iter().enumerate() {
        let (x, y) = (LEFT + n % 2 * WIDTH / 2, TOP + HEIGHT + 44 + n / 2 * LINE);
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{}\"/><text x=\"{}\" y=\"{}\">{}</text>",
            colours[n],
            x + 18,
            y + 10,
            escape(&row.name)
        );
    }
    out + "</svg>\n"
}

fn colours(table: &Table) -> Vec<&'static str> {
    let (mut ours, mut peers) = (OURS.into_iter().cycle(), PEERS.into_iter().cycle());
    let colour = |kind| match kind {
        Kind::Limit => Some(LIMIT),
        Kind::Bowline => ours.next(),
        Kind::Peer => peers.next(),
    };
    table.rows.iter().map(|row| row.kind).map(colour).map(|colour| colour.unwrap_or(LIMIT)).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
