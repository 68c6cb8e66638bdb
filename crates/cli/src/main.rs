//! `bowline`: sends and fetches files over WebSocket connections that break.

mod ahead;
mod args;
mod claim;
mod config;
mod courier;
mod demo;
mod descriptors;
mod disk;
#[cfg(test)]
mod documents;
mod ends;
mod exit;
mod fetch;
mod folder;
mod identity;
mod list;
mod log;
mod memory;
mod nest;
mod news;
mod papers;
mod plain;
mod printer;
mod private;
mod probe;
mod queue;
mod report;
mod self_signed;
mod send;
mod serve;
mod signals;
mod state;
mod stderr;
mod stdout;
mod story;
mod target;
mod tree;
mod trust;
mod under;
mod units;
mod url;
mod watch;
mod writable;

use args::{Cli, Command, Output};
use clap::FromArgMatches as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use exit::{Exit, Trouble};
use identity::Identity;
use signals::{Interrupt, Orders};
use std::io;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    let exit = command().and_then(carry_out).unwrap_or_else(|trouble| complained(&trouble));
    stderr::finish();
    exit.into()
}

fn carry_out(command: Command) -> Result<Exit, Trouble> {
    log::start(output(&command));
    descriptors::raise();
    let runtime = runtime(&command)?;
    let ended = runtime.block_on(async {
        let ended = run(command).await.map_err(|trouble| complained(&trouble));
        // A signal can end this wait for a reader who reads nothing: after the runtime is gone, nobody would handle it.
        stdout::written().await;
        ended
    });
    // A disk that hangs must not keep us.
    runtime.shutdown_timeout(Duration::from_secs(2));
    Ok(ended.map_or_else(|exit| exit, |()| stdout::exit()))
}

/// Reports this trouble; returns the exit code.
fn complained(trouble: &Trouble) -> Exit {
    report::complain(trouble);
    trouble.exit
}

/// The command that the command line and the file with options describe.
fn command() -> Result<Command, Trouble> {
    let words = args::options_first(config::command_line(std::env::args_os().collect())?);
    let read = args::definition(&words)?.try_get_matches_from(&words);
    match read.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => Ok(cli.command),
        Err(error) => Err(args::explain(&error, &words).unwrap_or_else(|| tell(&discreet(error)))),
    }
}

/// Prints clap's message, an error or the requested help, and exits.
fn tell(said: &clap::Error) -> ! {
    if said.use_stderr() {
        said.exit();
    }
    stdout::note(said.print());
    let exit = stdout::exit();
    stderr::finish();
    std::process::exit(i32::from(exit as u8))
}

/// The same error without values that are secret, and without advice that does not help.
fn discreet(mut error: clap::Error) -> clap::Error {
    let is_secret = match error.get(ContextKind::InvalidArg) {
        // As in "--token <T>".
        Some(ContextValue::String(option)) => {
            let name = option.trim_start_matches('-').split(' ').next().unwrap_or_default();
            config::SECRETS.contains(&name)
        }
        _ => true,
    };
    if error.kind() == ErrorKind::ValueValidation && is_secret {
        error.insert(ContextKind::InvalidValue, ContextValue::String("...".into()));
    }
    if let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) {
        // clap's tip that a word may stand after "--": of one with a single dash, it names only a letter.
        tips.retain(|tip| !tip.to_string().contains("as a value"));
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    error
}

async fn run(command: Command) -> Result<(), Trouble> {
    let interrupt = Interrupt::listen(last_word(&command))?;
    // Kept until the command has ended.
    let _kept = interrupt.clone();
    match command {
        Command::Serve(args) => serve::run(args, interrupt).await,
        Command::Send(args) => {
            let orders = Orders::listen(interrupt)?;
            let identity = identity(args.common.output)?;
            send::run(args, identity, orders).await
        }
        Command::Fetch(args) => {
            let orders = Orders::listen(interrupt)?;
            let identity = identity(args.common.output)?;
            fetch::run(args, identity, orders).await
        }
        Command::List(args) => list::run(args, Orders::listen(interrupt)?).await,
        Command::Probe(args) => probe::run(args, interrupt).await,
        Command::Watch(args) => watch::run(args, interrupt).await,
        Command::Demo(args) => demo::run(args, interrupt).await,
        Command::Completions(args) => {
            papers::complete(&args);
            Ok(())
        }
        Command::Man(args) => papers::explain(&args),
    }
}

/// What is printed if somebody no longer waits for the command to end in an orderly way.
fn last_word(command: &Command) -> Trouble {
    match command {
        Command::Serve(_) => Trouble::interrupted_stop(),
        Command::Send(args) => send::last_word(args),
        Command::Fetch(_) => Trouble::interrupted(),
        _ => Trouble::interrupted_listing(),
    }
}

/// Threads for sockets and the protocol: the command's own for a client's single connection, and two for a server,
/// unless there is only one processor. Work that waits for disks has a few threads of its own.
fn runtime(command: &Command) -> Result<tokio::runtime::Runtime, Trouble> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let (mut builder, workers) = match command {
        Command::Serve(_) | Command::Demo(_) => {
            (tokio::runtime::Builder::new_multi_thread(), processors.min(2))
        }
        _ => (tokio::runtime::Builder::new_current_thread(), 0),
    };
    builder.worker_threads(workers.max(1)).max_blocking_threads(8).enable_all();
    // At least one is for disks, and for looking up names.
    let runtime = try_threads(workers + 1).and_then(|()| builder.build());
    runtime.map_err(|e| {
        Trouble::failed(format!(
            "the system allows no more threads: {e}; end other programs, or let this one have more (ulimit -u, TasksMax)"
        ))
    })
}

/// Checks that the system provides this many threads at once. A runtime that gets fewer does not report it, and some of
/// its tasks would wait for ever.
fn try_threads(count: usize) -> io::Result<()> {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = || drop(gate.lock());
        let made = (0..count).try_for_each(|_| thread::Builder::new().spawn_scoped(scope, wait).map(drop));
        drop(closed);
        made
    })
}

/// This user's identity, or one for this run only.
fn identity(output: Output) -> Result<Identity, Trouble> {
    Identity::of_user().or_else(|why| {
        if !output.quiet {
            report::print_line(&format!("no later command can resume this: {why}; set BOWLINE_STATE_DIR"));
        }
        Identity::passing().map_err(|e| Trouble::failed(format!("the system gives no random bytes: {e}")))
    })
}

fn output(command: &Command) -> Output {
    match command {
        Command::Serve(args) => args.common.output,
        Command::Send(args) => args.common.output,
        Command::Fetch(args) => args.common.output,
        Command::List(args) => args.common.output,
        Command::Probe(args) => args.output,
        Command::Watch(args) => args.output,
        Command::Demo(args) => args.output,
        Command::Completions(_) | Command::Man(_) => Output::default(),
    }
}
