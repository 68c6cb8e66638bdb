//! Follows the transfers of one command to their ends.

use crate::args::{Common, Reach, Token};
use crate::exit::{Exit, Trouble};
use crate::report::{Report, TICK};
use crate::signals::Interrupt;
use bowline_core::transfer::{Code, Failure};
use bowline_tokio::{Client, ClientConfig, Finished, Transfer, TransferError};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// The longest time that a good end may take when somebody waits for it.
const FAREWELL: Duration = Duration::from_secs(5);

/// A file whose transfer has begun, or could not begin.
pub(crate) type Started = (usize, Result<Transfer, TransferError>);

/// What the command line says, for the adapter.
pub(crate) fn client(url: &str, reach: &Reach, token: &Token, common: &Common) -> Result<Client, Trouble> {
    let mut config = ClientConfig::default();
    config.connection.heartbeat.interval = common.heartbeat;
    config.connection.heartbeat.timeout = common.timeout;
    config.transfer.limit_rate = common.limit_rate;
    config.reconnect.first_contact = Some(reach.give_up_after.unwrap_or(Duration::from_secs(20)));
    config.reconnect.max_elapsed = Some(reach.give_up_after.unwrap_or(Duration::from_secs(600)));
    config.token.clone_from(&token.token);
    Client::new(url, config).map_err(|e| Trouble::usage(format!("{url}: {e}")))
}

/// Follows the transfers; says the end of each, and gives the end of the command.
pub(crate) async fn follow(
    client: Client,
    server: &str,
    mut started: mpsc::Receiver<Started>,
    mut report: Report,
    interrupt: Interrupt,
) -> Result<(), Trouble> {
    let outcome = tokio::select! {
        outcome = run(&client, server, &mut started, &mut report) => outcome,
        () = interrupt.come() => Err(Trouble::interrupted()),
    };
    if let Err(trouble) = &outcome {
        report.abandon(trouble);
    }
    drop(report);
    drop(started);
    // What was not told in this time is found out when the command is given again.
    let _ = tokio::time::timeout(FAREWELL, client.close()).await;
    outcome
}

async fn run(
    client: &Client,
    server: &str,
    started: &mut mpsc::Receiver<Started>,
    report: &mut Report,
) -> Result<(), Trouble> {
    let mut under = JoinSet::new();
    let mut ends = Ends::new(server, report.count());
    let (mut events, link) = (client.events(), client.link());
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut more, mut telling) = (true, true);
    while more || !under.is_empty() {
        tokio::select! {
            next = started.recv(), if more => match next {
                Some((index, Ok(mut transfer))) => {
                    report.begin(index, transfer.progress());
                    under.spawn(async move { (index, transfer.finished().await) });
                }
                Some((index, Err(error))) => ends.note(index, Err(error), report),
                None => more = false,
            },
            Some(ended) = under.join_next(), if !under.is_empty() => match ended {
                Ok((index, result)) => ends.note(index, result, report),
                Err(panic) => return Err(Trouble::failed(format!("internal error: {panic}"))),
            },
            event = events.recv(), if telling => match event {
                Ok(event) => report.link(&event),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => telling = false,
            },
            _ = ticks.tick() => {
                let state = link.borrow().clone();
                report.tick(&state);
            },
        }
    }
    ends.verdict()
}

/// How the files ended.
#[derive(Debug)]
struct Ends<'a> {
    server: &'a str,
    count: usize,
    failed: usize,
    /// The first failure of a file.
    first: Option<Trouble>,
    /// What went wrong with the server, and so with all files.
    lost: Option<Trouble>,
}

impl<'a> Ends<'a> {
    fn new(server: &'a str, count: usize) -> Self {
        Self { server, count, failed: 0, first: None, lost: None }
    }

    fn note(&mut self, index: usize, result: Result<Finished, TransferError>, report: &mut Report) {
        let error = match result {
            Ok(finished) => return report.done(index, &finished),
            Err(error) => error,
        };
        self.failed += 1;
        let (trouble, concerns) = explain(&error, report.name(index), self.server);
        report.failed(index, &trouble);
        if concerns == Concerns::All {
            self.lost.get_or_insert(trouble);
            return;
        }
        if self.count > 1 {
            report.complain(&trouble);
        }
        self.first.get_or_insert(trouble);
    }

    /// The last word of the command.
    fn verdict(self) -> Result<(), Trouble> {
        let Self { count, failed, first, lost, .. } = self;
        match (lost, first) {
            (None, None) => Ok(()),
            (Some(only), _) | (None, Some(only)) if count == 1 => Err(only),
            (Some(lost), _) => {
                Err(Trouble::new(lost.exit, format!("{lost} ({failed} of {count} files are missing)")))
            }
            (None, Some(_)) => Err(Trouble::failed(format!("{failed} of {count} files failed; see above"))),
        }
    }
}

/// What a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concerns {
    One,
    All,
}

/// Says what happened and what to do about it.
fn explain(error: &TransferError, name: &str, server: &str) -> (Trouble, Concerns) {
    match error {
        // It names the file and the remedy by itself.
        TransferError::File(error) => (Trouble::failed(error), Concerns::One),
        TransferError::Failed(failure) => {
            (Trouble::failed(format!("{name}: {}", advice(failure))), Concerns::One)
        }
        TransferError::Unreachable(why) => {
            let text = format!("{why}; the same command goes on when {server} is back");
            (Trouble::new(Exit::Unreachable, text), Concerns::All)
        }
        TransferError::Refused(why) => {
            (Trouble::failed(format!("{why}; check the URL and the token")), Concerns::All)
        }
        other => (Trouble::failed(format!("{name}: {other}; give the same command again")), Concerns::One),
    }
}

/// What to do, in the words of this command.
fn advice(failure: &Failure) -> String {
    match (failure.code, failure.by_peer) {
        (Code::Exists, true) => {
            "the server has another file of that name; rename yours, or serve with --overwrite".into()
        }
        (Code::Exists, false) => {
            "another file stands in its place; choose a place with -o, or replace it with --overwrite".into()
        }
        (Code::NotFound, true) => "the server has no such file".into(),
        _ => failure.to_string(),
    }
}
