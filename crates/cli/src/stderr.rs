//! What people and logs read. It never delays what it reports.

use crate::printer::Printer;
use std::io::{self, Write};
use std::sync::LazyLock;
use std::time::Duration;

/// How long the last words wait for a reader who reads nothing. What fits into a pipe is read later anyway.
const LAST_WORDS: Duration = Duration::from_secs(2);

static PRINTER: LazyLock<Printer> = LazyLock::new(|| Printer::to(&io::stderr(), write));

/// Prints this. If nobody reads it, nothing is lost that could be saved.
pub(crate) fn print(text: &[u8]) {
    PRINTER.print_or_drop(text);
}

fn write(text: &[u8]) {
    let _ = io::stderr().write_all(text);
}

/// Waits until everything is written, but not for ever.
pub(crate) fn finish() {
    PRINTER.finish(LAST_WORDS);
}

/// The destination of a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        print(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
