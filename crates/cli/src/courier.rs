//! Follows the transfers of one command to their ends.

use crate::args::{Common, Reach, Way};
use crate::descriptors;
use crate::ends::Ends;
use crate::exit::Trouble;
use crate::memory::Memory;
use crate::news::{Ended, Lost, News};
use crate::queue::Queue;
use crate::report::{Patience, Report, TICK};
use crate::signals::{Orders, Wishes};
use crate::under::Under;
use crate::{stdout, trust, url};
use bowline_core::transfer::Leftover;
use bowline_tokio::{Client, ClientConfig, LinkEvent, LinkState};
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc};
use tokio::time::MissedTickBehavior;

/// How long an orderly end may take while somebody is waiting for it.
const FAREWELL: Duration = Duration::from_secs(5);

/// The settings of the command line, for the adapter.
fn config(url: &str, reach: &Reach, way: &Way, common: &Common) -> Result<ClientConfig, Trouble> {
    let mut config = ClientConfig::default();
    config.transfer.max_transfers = descriptors::share(config.transfer.max_transfers);
    config.connection.heartbeat.interval = common.beat.heartbeat;
    config.connection.heartbeat.timeout = common.beat.timeout;
    config.transfer.limit_rate = common.limit_rate;
    // The command gives up after some time for all files together.
    config.transfer.space_timeout = Duration::MAX;
    config.reconnect.first_contact = Some(reach.first_contact());
    config.reconnect.max_elapsed = Some(reach.outage());
    config.token = way.token.read(common.output.quiet)?;
    config.token_file.clone_from(&way.token.token_file);
    config.dial.connect_timeout = reach.dial(config.dial.connect_timeout);
    config.dial.longest_timeout = reach.dial(config.dial.longest_timeout);
    config.dial.tls = trust::client(&way.trust, url)?;
    config.dial.proxies = way.proxies();
    config.dial.unix.clone_from(&way.unix);
    config.headers.extend(way.headers.iter().map(|header| (header.name.clone(), header.value.clone())));
    Ok(config)
}

/// A client, and everything that is reported about its link.
pub(crate) struct Courier {
    client: Client,
    events: broadcast::Receiver<LinkEvent>,
    server: String,
    memory: Memory,
    /// Whether there has been a link.
    reached: bool,
    patience: Patience,
    /// What happens to what has arrived if somebody interrupts the command, and the message about that. If nothing is
    /// kept, the message depends on whether the server can be told.
    leftover: Leftover,
    interrupted: fn(bool) -> Trouble,
}

impl Courier {
    /// Starts dialling the server at this URL.
    pub(crate) fn new(url: &str, reach: &Reach, way: &Way, common: &Common) -> Result<Self, Trouble> {
        let memory = Memory::of_user();
        let mut config = config(url, reach, way, common)?;
        config.paths = memory.paths();
        let (first, outage) = (reach.first_contact(), reach.outage());
        let patience = Patience { first, outage, answer: config.transfer.stall_timeout };
        let client = Client::new(url, config);
        let client = client.map_err(|e| Trouble::usage(format!("{}: {e}", url::shown(url))))?;
        // Right away, so that no event is missed.
        let events = client.events();
        let server = way.server(url);
        let (leftover, interrupted) = (Leftover::Keep, |_| Trouble::interrupted());
        Ok(Self { client, events, server, memory, reached: false, patience, leftover, interrupted })
    }

    /// For transfers that the same command could not resume.
    #[must_use]
    pub(crate) fn keeping_nothing(self, interrupted: fn(bool) -> Trouble) -> Self {
        Self { leftover: Leftover::Discard, interrupted, ..self }
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The server, in its normalised form.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Follows the transfers, reports the end of each, and returns how the command ended. Each end is also sent to
    /// whoever queues the transfers, through `ended`.
    pub(crate) async fn follow(
        mut self,
        mut queue: Queue,
        ended: mpsc::UnboundedSender<Ended>,
        report: Report,
        orders: Orders,
    ) -> Result<(), Trouble> {
        let Orders { interrupt, mut wishes } = orders;
        let mut report = report.watching(self.client.traffic()).patient(self.patience);
        let mut under = Under::default();
        let outcome = tokio::select! {
            outcome = self.run(&mut queue, ended, &mut report, &mut under, &mut wishes) => outcome,
            () = interrupt.come() => Err((self.interrupted)(!self.reached || self.is_up())),
        };
        if self.leftover == Leftover::Discard {
            // Transfers that have ended ignore this.
            under.cancel(Leftover::Discard);
        }
        if let Err(trouble) = &outcome {
            report.abandon(trouble);
        }
        report.sum_up();
        let mut story = report.into_story();
        story.end(&outcome);
        drop(queue);
        // Whatever is not reported within this time is found out when the command is run again.
        let _ = tokio::time::timeout(FAREWELL, self.client.close()).await;
        loop {
            match self.events.try_recv() {
                Ok(event) => story.link(&event),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        self.memory.save();
        outcome.and(story.tell())
    }

    fn is_up(&self) -> bool {
        matches!(*self.client.link().borrow(), LinkState::Up)
    }

    async fn run(
        &mut self,
        queue: &mut Queue,
        ended: mpsc::UnboundedSender<Ended>,
        report: &mut Report,
        under: &mut Under,
        wishes: &mut Wishes,
    ) -> Result<(), Trouble> {
        let Self { client, events, server, reached, leftover, .. } = self;
        let resumes = *leftover == Leftover::Keep;
        let mut ends = Ends::new(server, resumes, ended);
        let link = client.link();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut more, mut telling) = (true, true);
        while more || !under.is_empty() {
            // A program that does not read delays the reports, but neither the connection nor signals.
            stdout::room().await;
            tokio::select! {
                // What happened to the link is reported before what it meant for a file.
                biased;
                event = events.recv(), if telling => match event {
                    Ok(event) => {
                        *reached |= matches!(event, LinkEvent::Up { .. });
                        ends.heed(&event);
                        report.link(&event);
                    }
                    Err(RecvError::Lagged(missed)) => report.miss_turns(missed),
                    Err(RecvError::Closed) => telling = false,
                },
                next = queue.next(), if more => match next.transpose()? {
                    Some(News::Begun { index, result: Ok(mut transfer) }) => {
                        report.begin(index, transfer.progress());
                        under.begin(index, transfer.control(), async move { transfer.finished().await });
                    }
                    Some(News::Begun { index, result: Err(error) }) => ends.note(index, Err(error), report),
                    Some(News::Found { index, subject }) => report.add(index, subject),
                    Some(News::FolderMade) => report.made_folder(),
                    Some(News::Counted(counted)) => report.expect(counted),
                    Some(News::PutOff { name, failure, after }) => report.put_off_unseen(&name, &failure, after),
                    Some(News::LeftOut { name, why, lost: Lost::Nothing }) => report.leave_out(&name, &why),
                    Some(News::LeftOut { name, why, lost: Lost::Missed(things) }) => ends.miss(&name, &why, things, report),
                    None => more = false,
                },
                Some(end) = under.next(), if !under.is_empty() => {
                    let (index, result) = end?;
                    ends.note(index, result, report);
                }
                wish = wishes.next() => {
                    under.carry_out(wish);
                    report.wish(wish);
                }
                _ = ticks.tick() => {
                    let state = link.borrow().clone();
                    report.tick(&state);
                    if let Some(trouble) = report.standstill(resumes) {
                        return Err(trouble);
                    }
                }
            }
        }
        ends.verdict(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    fn config_of(options: &str) -> ClientConfig {
        let line = format!("bowline send a ws://h:1 {options}");
        let Ok(Cli { command: Command::Send(send), .. }) = Cli::try_parse_from(line.split_whitespace())
        else {
            panic!("{line}")
        };
        config("ws://localhost", &send.reach, &send.way, &send.common).expect("no files are named")
    }

    #[test]
    fn a_client_does_what_the_command_line_says() {
        let config =
            config_of("--heartbeat 3s --timeout 4s --limit-rate 5k --give-up-after 6s --token seven");
        let heartbeat = config.connection.heartbeat;
        assert_eq!((heartbeat.interval, heartbeat.timeout), (Duration::from_secs(3), Duration::from_secs(4)));
        assert_eq!(config.transfer.limit_rate, Some(5000));
        let patience = Some(Duration::from_secs(6));
        assert_eq!((config.reconnect.first_contact, config.reconnect.max_elapsed), (patience, patience));
        assert_eq!(
            (Some(config.dial.connect_timeout), Some(config.dial.longest_timeout)),
            (patience, patience)
        );
        assert_eq!(config.token.as_deref(), Some("seven"));
    }

    #[test]
    fn a_server_that_was_reached_is_waited_for_longer() {
        let ClientConfig { reconnect, dial, .. } = config_of("");
        assert_eq!(dial.connect_timeout, Duration::from_secs(10));
        assert_eq!(dial.longest_timeout, Duration::from_secs(60));
        assert_eq!(reconnect.first_contact, Some(Duration::from_secs(20)));
        assert_eq!(reconnect.max_elapsed, Some(Duration::from_secs(600)));
    }
}
