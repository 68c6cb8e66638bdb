//! Ctrl-C and its relatives: the first asks to end well, the second ends.

use crate::exit::{Exit, Trouble};
use crate::report::complain;
use crate::stderr;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// Whether somebody wants the process to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    come: watch::Receiver<bool>,
    /// Whether the command ends because of it.
    heeded: Arc<AtomicBool>,
}

impl Interrupt {
    /// Begins to listen; a second signal ends the process at once, with this word. Once nobody has this any more, the command
    /// has said how it ended, and waits for whoever reads what it prints: then the next signal ends that without a word, and so
    /// does one that the command has not heeded. Needs a runtime.
    pub(crate) fn listen(last_word: Trouble) -> Result<Self, Trouble> {
        let (tell, come) = watch::channel(false);
        let heeded = Arc::new(AtomicBool::new(false));
        let was_heeded = Arc::clone(&heeded);
        let mut signals = heard(Signals::new())?;
        heard(outlive_long_files())?;
        tokio::spawn(async move {
            let impatient = async {
                signals.next().await;
                tell.send_replace(true);
                signals.next().await;
            };
            tokio::select! {
                biased;
                () = tell.closed() => {
                    let has_come = *tell.borrow();
                    if !has_come || was_heeded.load(Ordering::Relaxed) {
                        signals.next().await;
                    }
                }
                () = impatient => complain(&last_word),
            }
            stderr::finish();
            std::process::exit(i32::from(Exit::Interrupted as u8));
        });
        Ok(Self { come, heeded })
    }

    /// Waits for the first signal.
    pub(crate) async fn come(mut self) {
        if self.come.wait_for(|come| *come).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.heeded.store(true, Ordering::Relaxed);
    }
}

/// What a person says to a command that transfers something.
pub(crate) struct Orders {
    pub(crate) interrupt: Interrupt,
    pub(crate) wishes: Wishes,
}

impl Orders {
    /// Begins to listen to all of it. A signal that nobody waits for ends the process, so this comes before all that takes time.
    pub(crate) fn listen(interrupt: Interrupt) -> Result<Self, Trouble> {
        Ok(Self { interrupt, wishes: heard(Wishes::listen())? })
    }
}

/// What has become of listening, in the words of a command.
fn heard<T>(listening: io::Result<T>) -> Result<T, Trouble> {
    listening.map_err(|e| Trouble::failed(format!("the system allows no handling of signals: {e}")))
}

/// Whoever writes more into a file than the system lets him (`ulimit -f`) has an error of that write, and not the end of this
/// process with all that it does beside.
#[cfg(unix)]
fn outlive_long_files() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    // It is caught for good, whether or not anybody waits for it.
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

/// Where there is no such signal, it is an error anyway.
#[cfg(not(unix))]
fn outlive_long_files() -> io::Result<()> {
    Ok(())
}

/// What somebody wants of the transfers meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(unix, test)), expect(dead_code, reason = "nobody can say so there"))]
pub(crate) enum Wish {
    Pause,
    Resume,
}

/// Waits for SIGUSR1, which pauses, and SIGUSR2, which resumes.
#[cfg(unix)]
pub(crate) struct Wishes {
    pause: tokio::signal::unix::Signal,
    resume: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Wishes {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { pause: signal(SignalKind::user_defined1())?, resume: signal(SignalKind::user_defined2())? })
    }

    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.pause.recv() => Wish::Pause,
            _ = self.resume.recv() => Wish::Resume,
        }
    }
}

/// Where there are no such signals, nobody wishes anything.
#[cfg(not(unix))]
pub(crate) struct Wishes;

#[cfg(not(unix))]
impl Wishes {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) async fn next(&mut self) -> Wish {
        std::future::pending().await
    }
}

/// Waits for SIGHUP, which says that files have changed.
#[cfg(unix)]
pub(crate) struct Hangups(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Hangups {
    pub(crate) fn listen() -> Result<Self, Trouble> {
        heard(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(Self))
    }

    pub(crate) async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// Where there is no such signal, nobody says so.
#[cfg(not(unix))]
pub(crate) struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    pub(crate) fn listen() -> Result<Self, Trouble> {
        Ok(Self)
    }

    pub(crate) async fn next(&mut self) {
        std::future::pending().await
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ctrl-C and Ctrl-Break, and the end of the console: the window is closed, or the machine goes down.
#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    terminate: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        let (interrupt, terminate) = (ctrl_c()?, ctrl_break()?);
        Ok(Self { interrupt, terminate, close: ctrl_close()?, shutdown: ctrl_shutdown()? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}
