//! What programs read. A transfer continues even if nobody can read about it any longer.

use crate::exit::{Exit, Trouble};
use crate::printer::Printer;
use crate::report::complain;
use std::io::{self, ErrorKind, Write as _};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

/// How often somebody who waits for that looks whether stdout accepts no more.
const LOOK: Duration = Duration::from_millis(100);

/// Set once stdout accepts no more; says whether that is a failure. A reader that has gone has read what it wanted.
static LOST: OnceLock<Exit> = OnceLock::new();

static PRINTER: LazyLock<Printer> = LazyLock::new(|| Printer::to(&io::stdout(), write));

/// Prints this soon. Nothing is left out, so if you print a lot, wait for [`room`] first.
pub(crate) fn print(text: &[u8]) {
    PRINTER.print(text);
}

/// Whether a program has read enough for there to be room for more.
pub(crate) fn has_room() -> bool {
    PRINTER.has_room()
}

/// Waits until there is room for what a task prints before it waits again.
pub(crate) async fn room() {
    PRINTER.room().await;
}

/// Waits until everything is written, without blocking other tasks.
pub(crate) async fn written() {
    PRINTER.written().await;
}

/// Waits until it turns out that stdout accepts no more.
pub(crate) async fn lost() {
    while LOST.get().is_none() {
        tokio::time::sleep(LOOK).await;
    }
}

/// A failure is reported once, and nothing is printed after it: half a line would be read as one with the next.
fn write(text: &[u8]) {
    let mut stdout = io::stdout().lock();
    if LOST.get().is_none() {
        note(stdout.write_all(text).and_then(|()| stdout.flush()));
    }
}

/// Records the result of printing something.
pub(crate) fn note(printed: io::Result<()>) {
    let Err(error) = printed else { return };
    let exit = if error.kind() == ErrorKind::BrokenPipe { Exit::Done } else { Exit::Failed };
    if LOST.set(exit).is_ok() && exit == Exit::Failed {
        complain(&Trouble::failed(format!("stdout accepts no more: {error}")));
    }
}

/// The exit code of a command that has done everything else.
pub(crate) fn exit() -> Exit {
    PRINTER.finish(Duration::MAX);
    LOST.get().copied().unwrap_or(Exit::Done)
}
