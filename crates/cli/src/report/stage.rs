//! Where bars and changing lines are drawn: on the terminal behind stderr, if there is one.

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};
use std::io;

/// The highest number of times per second that it is drawn.
const RATE: u8 = 10;
/// How many columns stay free. A terminal shows `^C` when it is pressed. Without room on the line, that would begin
/// another line, and what was drawn would never be wiped away.
const MARGIN: u16 = 2;

/// A place to draw on, or an invisible one.
pub(super) fn stage() -> ProgressDrawTarget {
    let terminal = Term::buffered_stderr();
    if terminal.features().is_attended() {
        ProgressDrawTarget::term_like_with_hz(Box::new(Stage(terminal)), RATE)
    } else {
        ProgressDrawTarget::hidden()
    }
}

/// How many characters fit.
pub(super) fn room() -> usize {
    Stage(Term::stderr()).width().into()
}

/// A terminal that claims to be slightly narrower than it is.
#[derive(Debug)]
struct Stage(Term);

impl TermLike for Stage {
    fn width(&self) -> u16 {
        self.0.size().1.saturating_sub(MARGIN)
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
