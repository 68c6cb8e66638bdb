//! Ctrl-C and related signals: the first asks for an orderly end, the second ends the process.

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
    /// Whether the command is ending because of it.
    heeded: Arc<AtomicBool>,
}

impl Interrupt {
    /// Starts listening. A second signal ends the process at once, with this message. Once nobody holds this any
    /// longer, the command has reported its end, and only waits for its output to be read. From then on the next signal
    /// ends the process without a message, and so does one that has already arrived without the command heeding it.
    /// Needs a runtime.
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

/// What a person can tell a command that transfers something.
pub(crate) struct Orders {
    pub(crate) interrupt: Interrupt,
    pub(crate) wishes: Wishes,
}

impl Orders {
    /// Starts listening to all of it. A signal that nobody waits for ends the process, so this comes before anything
    /// that takes time.
    pub(crate) fn listen(interrupt: Interrupt) -> Result<Self, Trouble> {
        Ok(Self { interrupt, wishes: heard(Wishes::listen())? })
    }
}

/// Turns a failure to listen into one of the command.
fn heard<T>(listening: io::Result<T>) -> Result<T, Trouble> {
    listening.map_err(|e| Trouble::failed(format!("the system allows no handling of signals: {e}")))
}

/// A write that exceeds the limit on the size of files (`ulimit -f`) should return an error, and not end this process
/// with everything else that it does.
#[cfg(unix)]
fn outlive_long_files() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    // From now on it is caught, whether or not anybody waits for it.
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

/// Without such a signal, it is an error anyway.
#[cfg(not(unix))]
fn outlive_long_files() -> io::Result<()> {
    Ok(())
}

/// What somebody wants to happen to the transfers.
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

/// Without such signals, it waits for ever.
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

/// Without such a signal, it waits for ever.
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

/// Ctrl-C and Ctrl-Break, and the end of the console: the window is closed, or the machine shuts down.
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
