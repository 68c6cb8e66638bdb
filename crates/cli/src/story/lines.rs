//! A story for a terminal.

use super::{FILES, Life, Story, turns};
use crate::plain::wrapped;

/// The width of a line.
const COLUMNS: usize = 80;
/// The width of a time, as in the records of connections.
const TIME: usize = 13;

impl Story {
    /// All its lines, for a terminal.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![String::new(), "What happened since the command started:".into(), String::new()];
        for (index, turn) in self.turns.iter().enumerate() {
            if index == turns::FIRST && self.turns.left_out() > 0 {
                lines.push(format!("{:TIME$}  ... {} more are not kept ...", "", self.turns.left_out()));
            }
            let time = format!("{:.3} s", turn.at.as_secs_f64());
            let (width, mut label) = (time.len().max(TIME), time.as_str());
            for line in wrapped(&turn.text, COLUMNS - width - 2) {
                lines.push(format!("{label:>width$}  {line}"));
                label = "";
            }
        }
        if self.sums.files > FILES {
            lines.push(format!("{:TIME$}  {} files in all", "", self.sums.files));
        }
        for Life { link, began, disconnect } in &self.lives {
            // A link that never became a connection has no record.
            let Some(timeline) = disconnect.timeline() else { continue };
            let began = format!("Connection {link}, from {:.3} s on:", began.as_secs_f64());
            lines.extend([String::new(), began, String::new()]);
            lines.extend(timeline.to_string().lines().map(str::to_owned));
        }
        lines
    }
}
