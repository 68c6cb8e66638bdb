//! A line at the bottom of a terminal that says what is going on; elsewhere there is none.

use crate::args::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// Goes when it is dropped.
pub(crate) struct StatusLine(ProgressBar);

impl StatusLine {
    /// One of this form, in which `{msg}` stands for what is said.
    pub(crate) fn new(output: Output, template: &str) -> Self {
        let target = if output.json || output.quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(10)
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Counts the time in it, each second.
    pub(crate) fn counting(self) -> Self {
        self.0.enable_steady_tick(Duration::from_secs(1));
        self
    }

    pub(crate) fn say(&self, text: impl Into<String>) {
        self.0.set_message(text.into());
    }

    /// Says it, and counts from here on.
    pub(crate) fn begin(&self, text: &str) {
        self.0.reset_elapsed();
        self.say(text);
    }

    /// Prints something above it.
    pub(crate) fn above(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
