//! The progress bar, for people at a terminal.

use super::stage::{room, stage};
use super::still::{Lasting, Silence};
use super::words::shortened;
use crate::units::{Rate, Size, whole};
use bowline_tokio::LinkState;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// From this many columns on, there is room for a name, a bar, a rate and a time.
const WIDE: usize = 60;

/// A line at the bottom of the terminal.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    room: Room,
}

/// How much a line can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Narrow,
    Wide,
}

/// The current situation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    Connecting {
        outage: Option<Lasting>,
    },
    Moving {
        verb: &'static str,
        rate: u64,
        left: Option<Duration>,
    },
    /// The same for a transfer of unknown length.
    Flowing {
        rate: u64,
    },
    /// There is no link until this time.
    Away {
        until: Duration,
        outage: Option<Lasting>,
    },
    /// Nothing moves although it could.
    Still {
        silence: Silence,
    },
    /// The other side has put it off for the moment, or too many files are open here.
    Waiting {
        wait: Option<Lasting>,
    },
    Finishing {
        silence: Option<Silence>,
    },
    Paused,
}

impl Bar {
    pub(crate) fn new(title: &str) -> Self {
        Self::on(stage(), title)
    }

    fn on(target: ProgressDrawTarget, title: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        let room = if room() < WIDE { Room::Narrow } else { Room::Wide };
        let bar = Self { bar, room };
        bar.set_title(title);
        bar.set_style(true);
        bar
    }

    pub(crate) fn set_title(&self, title: &str) {
        let most = match self.room {
            Room::Narrow => 12,
            Room::Wide => 24,
        };
        self.bar.set_prefix(shortened(title, most));
    }

    /// Shows how far it has got, and out of how much, if that is known.
    pub(crate) fn draw(&self, position: u64, total: Option<u64>, mood: &Mood) {
        self.set_style(total.is_some());
        // An empty file is complete, and one of unknown length is at its start.
        self.bar.set_length(total.unwrap_or(0).max(1));
        self.bar.set_position(position);
        self.bar.set_message(match total {
            Some(_) => mood.text(self.room),
            None => format!("{}, {}", Size(position), mood.text(self.room)),
        });
        self.bar.tick();
    }

    /// Without a known end, there is no percentage either.
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
    /// The situation of the link; `None` if it is up.
    pub(crate) fn of(link: &LinkState, outage: Option<Lasting>) -> Option<Self> {
        match link {
            LinkState::Dialing { .. } => Some(Self::Connecting { outage }),
            LinkState::Waiting { until, .. } => {
                let until = until.saturating_duration_since(tokio::time::Instant::now());
                Some(Self::Away { until, outage })
            }
            _ => None,
        }
    }

    fn text(self, room: Room) -> String {
        match self {
            Self::Connecting { outage: Some(outage) } if room == Room::Wide => {
                format!("{}, connecting", outage.text())
            }
            Self::Connecting { .. } => "connecting".into(),
            Self::Moving { verb, left: None, .. } => verb.into(),
            Self::Moving { rate, .. } if room == Room::Narrow => {
                Rate { bytes: rate, seconds: 1.0 }.to_string()
            }
            Self::Flowing { rate } => Rate { bytes: rate, seconds: 1.0 }.to_string(),
            Self::Moving { rate, left: Some(left), .. } => {
                let rate = Rate { bytes: rate, seconds: 1.0 };
                format!("{rate}, {} left", whole(left.max(Duration::from_secs(1))))
            }
            Self::Away { until, outage } if until < Duration::from_secs(1) => {
                Self::Connecting { outage }.text(room)
            }
            Self::Away { until, outage: Some(outage) } if room == Room::Wide => {
                format!("{}, next try in {}", outage.text(), whole(until))
            }
            Self::Away { until, .. } => format!("connecting in {}", whole(until)),
            Self::Still { silence } if room == Room::Wide => silence.text(),
            Self::Still { silence } => format!("no news for {}", whole(silence.lasts)),
            Self::Waiting { wait: Some(wait) } if room == Room::Wide => wait.text(),
            Self::Waiting { .. } => "waiting".into(),
            Self::Finishing { silence: Some(silence) } if room == Room::Wide => {
                format!("finishing for {}", whole(silence.lasts))
            }
            Self::Finishing { .. } => "finishing".into(),
            Self::Paused => "paused".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_shown_in_a_few_words() {
        let moving = |left| Mood::Moving { verb: "sending", rate: 3_145_728, left }.text(Room::Wide);
        assert_eq!(moving(Some(Duration::from_millis(2700))), "3.0 MiB/s, 2 s left");
        assert_eq!(moving(Some(Duration::from_secs(200))), "3.0 MiB/s, 3 min 20 s left");
        assert_eq!(moving(None), "sending");
        let text = |mood: Mood| mood.text(Room::Wide);
        assert_eq!(text(Mood::Flowing { rate: 3_145_728 }), "3.0 MiB/s");
        let away = |millis| text(Mood::Away { until: Duration::from_millis(millis), outage: None });
        assert_eq!((away(3200).as_str(), away(200).as_str()), ("connecting in 3 s", "connecting"));
    }
}
