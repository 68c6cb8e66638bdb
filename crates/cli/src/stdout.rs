//! What programs read. A transfer goes on where nobody can read of it any more.

use crate::exit::{Exit, Trouble};
use crate::printer::Printer;
use crate::report::complain;
use std::io::{self, ErrorKind, Write as _};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

/// That stdout takes no more, and whether that is a failure: a reader who has gone has had what he wanted.
static LOST: OnceLock<Exit> = OnceLock::new();

static PRINTER: LazyLock<Printer> = LazyLock::new(|| Printer::to(&io::stdout(), write));

/// Prints it, soon. Nothing of it is left out, so who prints much waits for [`room`] first.
pub(crate) fn print(text: &[u8]) {
    PRINTER.print(text);
}

/// Whether a program has read so much that there is room for more.
pub(crate) fn has_room() -> bool {
    PRINTER.has_room()
}

/// Waits until a program has read so much that there is room for what a task prints before it waits again.
pub(crate) async fn room() {
    PRINTER.room().await;
}

/// Waits until everything is written, and holds nobody else up meanwhile.
pub(crate) async fn written() {
    PRINTER.written().await;
}

/// That it cannot be printed is told once, and nothing is printed after it: half a line would be read with the next one as a
/// whole.
fn write(text: &[u8]) {
    let mut stdout = io::stdout().lock();
    if LOST.get().is_none() {
        note(stdout.write_all(text).and_then(|()| stdout.flush()));
    }
}

/// Takes note of what has become of something that was printed.
pub(crate) fn note(printed: io::Result<()>) {
    let Err(error) = printed else { return };
    let exit = if error.kind() == ErrorKind::BrokenPipe { Exit::Done } else { Exit::Failed };
    if LOST.set(exit).is_ok() && exit == Exit::Failed {
        complain(&Trouble::failed(format!("stdout accepts no more: {error}")));
    }
}

/// How a command ends that has done everything else.
pub(crate) fn exit() -> Exit {
    PRINTER.finish(Duration::MAX);
    LOST.get().copied().unwrap_or(Exit::Done)
}
