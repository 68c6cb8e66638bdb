//! A line at the bottom of a terminal that says what is going on. Without a terminal, or beside a log, there is none.

use super::print_lines;
use super::stage::{room, stage};
use super::words::shortened;
use crate::args::Output;
use crate::plain::{beside, columns, plain};
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// The width of a count of seconds, with the space after it.
const COUNT: usize = 6;

/// Disappears when dropped.
pub(crate) struct StatusLine {
    bar: ProgressBar,
    /// How many columns there are before the text.
    before: usize,
}

impl StatusLine {
    /// A line that shows what it is told, as far as that fits.
    pub(crate) fn new(output: Output) -> Self {
        Self::of(output, "{msg}", 0)
    }

    /// The same, after a count of seconds.
    pub(crate) fn counting(output: Output) -> Self {
        let line = Self::of(output, "{elapsed:>4}  {msg}", COUNT);
        line.bar.enable_steady_tick(Duration::from_secs(1));
        line
    }

    fn of(output: Output, template: &str, before: usize) -> Self {
        // Log lines would tear it apart.
        let is_hidden = output.json || output.quiet || output.level().is_some();
        let target = if is_hidden { ProgressDrawTarget::hidden() } else { stage() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, before }
    }

    pub(crate) fn say(&self, text: &str) {
        self.bar.set_message(shortened(text, room().saturating_sub(self.before)));
    }

    /// Shows this text, and counts from now on.
    pub(crate) fn begin(&self, text: &str) {
        self.bar.reset_elapsed();
        self.say(text);
    }

    /// Prints a text above it, after this head. Its other lines are aligned with the first.
    pub(crate) fn print(&self, head: &str, text: &str) {
        let text = beside(head.len(), &plain(text), columns(&Term::stderr()));
        self.above(|| print_lines(&format!("{head}{text}")));
    }

    /// Prints something above it.
    pub(crate) fn above(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
