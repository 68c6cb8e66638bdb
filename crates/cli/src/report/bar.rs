//! The progress bar, for people at a terminal.

use crate::units::{Rate, Size, Span};
use bowline_tokio::LinkState;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// A line at the bottom of the terminal.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
}

/// What is going on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    Connecting,
    Moving {
        verb: &'static str,
        rate: u64,
        left: Option<Duration>,
    },
    /// The same where nobody knows the end.
    Flowing {
        rate: u64,
    },
    Reconnecting {
        after: Duration,
    },
    Finishing,
    Paused,
}

impl Bar {
    pub(crate) fn new(title: &str) -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(10), title)
    }

    fn on(target: ProgressDrawTarget, title: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_prefix(title.to_owned());
        let bar = Self { bar };
        bar.set_style(true);
        bar
    }

    pub(crate) fn set_title(&self, title: String) {
        self.bar.set_prefix(title);
    }

    /// Shows how far it is; of how many, if that is known.
    pub(crate) fn draw(&self, position: u64, total: Option<u64>, mood: &Mood) {
        self.set_style(total.is_some());
        // An empty file is as far as it can be; an unknown one is at its start.
        self.bar.set_length(total.unwrap_or(0).max(1));
        self.bar.set_position(position);
        self.bar.set_message(match total {
            Some(_) => mood.text(),
            None => format!("{}, {}", Size(position), mood.text()),
        });
        self.bar.tick();
    }

    /// What has no known end has no share of it either.
    fn set_style(&self, has_end: bool) {
        let template = if has_end {
            "{prefix:.bold} [{wide_bar}] {percent:>3}%  {msg}"
        } else {
            "{prefix:.bold}  {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
    }

    /// Prints something above the bar.
    pub(crate) fn above(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Mood {
    /// What the link has to say; nothing, if it is up.
    pub(crate) fn of(link: &LinkState) -> Option<Self> {
        match link {
            LinkState::Dialing { .. } => Some(Self::Connecting),
            LinkState::Waiting { until, .. } => {
                let after = until.saturating_duration_since(tokio::time::Instant::now());
                Some(Self::Reconnecting { after })
            }
            _ => None,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Connecting => "connecting".into(),
            Self::Moving { verb, left: None, .. } => verb.into(),
            Self::Flowing { rate } => Rate { bytes: rate, seconds: 1.0 }.to_string(),
            Self::Moving { rate, left: Some(left), .. } => {
                let rate = Rate { bytes: rate, seconds: 1.0 };
                // Whole seconds: tenths of a forecast would only flicker.
                let left = Span(left.max(Duration::from_secs(1)));
                let left = if left.0 < Duration::from_secs(10) {
                    format!("{} s", left.0.as_secs())
                } else {
                    left.to_string()
                };
                format!("{rate}, {left} left")
            }
            Self::Reconnecting { after } if after < Duration::from_secs(1) => "reconnecting".into(),
            Self::Reconnecting { after } => format!("reconnecting in {} s", after.as_secs()),
            Self::Finishing => "finishing".into(),
            Self::Paused => "paused".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_told_in_a_few_words() {
        let moving = |left| Mood::Moving { verb: "sending", rate: 3_145_728, left }.text();
        assert_eq!(moving(Some(Duration::from_millis(2700))), "3.0 MiB/s, 2 s left");
        assert_eq!(moving(Some(Duration::from_secs(200))), "3.0 MiB/s, 3 min 20 s left");
        assert_eq!(moving(None), "sending");
        assert_eq!(Mood::Flowing { rate: 3_145_728 }.text(), "3.0 MiB/s");
        assert_eq!(Mood::Reconnecting { after: Duration::from_millis(3200) }.text(), "reconnecting in 3 s");
        assert_eq!(Mood::Reconnecting { after: Duration::from_millis(200) }.text(), "reconnecting");
    }
}
