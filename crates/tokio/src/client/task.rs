//! The task behind a client: it dials, carries bytes, and passes on what its keeper reports.

use std::future::poll_fn;
use std::task::Poll;

use bowline_core::transfer::{self, Traffic, TransferId};
use bowline_core::{Close, Instant, connection};
use bowline_handshake::client::Request;
use bowline_host::DialError;
use bowline_host::client::{Keeper, Output, Talk, spoken};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{ClientConfig, Command, LinkEvent, LinkState, StartError};
use crate::clock::Clock;
use crate::dial::Dialed;
use crate::dialing::{self, Dialing};
use crate::driver::Driver;
use crate::host::{Hands, Host, Step, let_go};
use crate::maybe_tls::MaybeTlsStream;
use crate::news::Stir;
use crate::pings::{self, Pings, Waiter};
use crate::transfer::{Finished, Ticket};

/// The task behind a client.
pub(super) struct Task {
    dialing: Dialing,
    host: Host,
    keeper: Keeper<Ticket>,
    driver: Option<Driver<MaybeTlsStream>>,
    commands: mpsc::UnboundedReceiver<Command>,
    /// No handle of the client is left, so no more commands will arrive.
    released: bool,
    state: watch::Sender<LinkState>,
    traffic: watch::Sender<Traffic>,
    events: broadcast::Sender<LinkEvent>,
    pings: Pings,
    /// Numbers the pings, so that each has a payload of its own.
    pinged: u64,
    closing: Vec<oneshot::Sender<()>>,
    /// Signals that the application has queued something, or has room for more.
    stir: Stir,
}

impl Task {
    pub(super) fn new(
        request: Request,
        config: ClientConfig,
        commands: mpsc::UnboundedReceiver<Command>,
        (talk, stir): (Talk, Stir),
        state: watch::Sender<LinkState>,
        traffic: watch::Sender<Traffic>,
        events: broadcast::Sender<LinkEvent>,
    ) -> Result<Self, StartError> {
        let clock = Clock::start();
        let token_file = config.token_file.clone();
        let (host, Hands { spawn, deliver }) = Host::new(clock);
        let keeper = Keeper::new(config, &request, spawn, deliver, talk, clock.now())?;
        Ok(Self {
            dialing: Dialing::new(request, token_file),
            host,
            keeper,
            driver: None,
            commands,
            released: false,
            state,
            traffic,
            events,
            pings: pings::pings(),
            pinged: 0,
            closing: Vec::new(),
            stir,
        })
    }

    pub(super) async fn run(mut self) {
        loop {
            // Commands given before a dial apply to it.
            while let Some(command) = self.poll_command() {
                self.handle_command(command);
            }
            self.work_off();
            if self.keeper.is_over() {
                break;
            }
            let (deadline, takes_commands) = (self.keeper.poll_timeout(), self.takes_commands());
            tokio::select! {
                step = self.host.step(self.driver.as_mut(), deadline) => self.handle_step(step),
                result = self.dialing.result() => {
                    self.read_on().await;
                    self.handle_dialed(result);
                }
                command = self.commands.recv(), if takes_commands => {
                    if let Some(command) = command {
                        self.handle_command(command);
                    } else {
                        self.released = true;
                        self.keeper.release();
                    }
                }
                () = self.stir.stirred() => {}
            }
        }
        self.keeper.rest(self.host.clock.now());
        self.host.rest().await;
        for done in self.closing {
            let _ = done.send(());
        }
    }

    /// The next command that the application has already given.
    fn poll_command(&mut self) -> Option<Command> {
        if self.takes_commands() { self.commands.try_recv().ok() } else { None }
    }

    fn takes_commands(&self) -> bool {
        !self.released && self.closing.is_empty()
    }

    /// Does what can be done without waiting, and passes on what there is to report.
    fn work_off(&mut self) {
        let now = self.host.clock.now();
        if let Some(driver) = &mut self.driver {
            self.keeper.pump(now, driver.conn_mut());
        }
        self.pass_on(now);
        if self.keeper.is_due(now) {
            self.traffic.send_replace(self.keeper.traffic());
        }
        for (ticket, progress) in self.keeper.progress(now) {
            ticket.progress.send_replace(progress);
        }
    }

    fn pass_on(&mut self, now: Instant) {
        while let Some(output) = self.keeper.poll_output(now) {
            self.handle_output(output);
        }
    }

    fn handle_step(&mut self, step: Step) {
        let now = self.host.clock.now();
        match step {
            Step::Driven => {}
            Step::Due => self.keeper.handle_timeout(now),
            Step::Report(report) => {
                self.keeper.handle_report(now, report);
                while let Some(report) = self.host.poll_report() {
                    self.keeper.handle_report(now, report);
                }
            }
        }
    }

    fn handle_command(&mut self, command: Command) {
        let now = self.host.clock.now();
        match command {
            Command::Upload { offer, feed, ticket } => self.keeper.upload(now, offer, feed, ticket),
            Command::Download { download, store, ticket } => {
                self.keeper.download(now, download, store, ticket);
            }
            Command::Tell(id, verb) => self.keeper.tell_transfer(now, id, verb),
            Command::Ping(waiter) => self.ping(waiter),
            Command::Volatile(message, done) => {
                // The caller may have stopped waiting.
                let _ = done.send(self.keeper.send_volatile(now, message));
            }
            Command::Confirm(receipt) => self.keeper.confirm(now, receipt),
            Command::NetworkChanged => self.keeper.handle_network_change(now),
            Command::Dial => self.keeper.dial(now),
            Command::Token(token) => self.dialing.set_token(&token),
            Command::Close(done) => {
                self.closing.push(done);
                self.keeper.close();
            }
        }
    }

    fn handle_output(&mut self, output: Output<Ticket>) {
        if let Output::Ended { .. } | Output::LetGo = output {
            // Whoever learns of an end must find all the traffic up to it.
            self.traffic.send_replace(self.keeper.traffic());
        }
        match output {
            Output::Dial => self.dialing.start(self.keeper.dial_config()),
            Output::Abandon => self.dialing.abandon(),
            Output::State(state) => {
                let clock = self.host.clock;
                self.state.send_replace(state.map(|until| clock.deadline(until)));
            }
            Output::Link(event) => self.handle_link(event),
            Output::LetGo => {
                if let Some(driver) = self.driver.take() {
                    let_go(driver);
                }
                self.pings.clear();
            }
            Output::Ended { ticket, id, result } => {
                match &result {
                    Ok((_, finished)) => log_finished(id, finished),
                    Err(failure) => tracing::info!(%id, %failure, "failed"),
                }
                ticket.end(result);
            }
            Output::Transfer(event) => log(&event),
        }
    }

    fn handle_link(&mut self, event: LinkEvent) {
        dialing::log(&event);
        if let LinkEvent::Notice(connection::Event::Answered { ping, rtt }) = &event {
            self.pings.handle_answered(*ping, *rtt);
        }
        // Nobody may be listening.
        let _ = self.events.send(event);
    }

    /// Reads what has arrived on the current link: it may be the answer whose absence raised the doubt.
    async fn read_on(&mut self) {
        let Some(driver) = &mut self.driver else { return };
        poll_fn(|cx| {
            let _ = driver.poll_drive(cx);
            Poll::Ready(())
        })
        .await;
    }

    fn handle_dialed(&mut self, result: Result<Dialed<MaybeTlsStream>, DialError>) {
        let now = self.host.clock.now();
        let link = spoken(result).and_then(|dialed| {
            let config = self.keeper.connection(now);
            let round_trip = dialed.round_trip;
            match Driver::dialed(dialed, config, self.host.clock) {
                Ok(driver) => Ok((driver, round_trip)),
                Err(error) => Err(DialError::System(error).disconnect()),
            }
        });
        match link {
            Ok((driver, round_trip)) if self.makes_way(now) => {
                self.driver = Some(driver);
                self.keeper.handle_link_up(now, round_trip);
            }
            Ok((mut driver, _)) => {
                let _ = driver.conn_mut().close(now, Close::normal());
                let_go(driver);
            }
            Err(disconnect) => self.keeper.handle_dial_failed(now, disconnect),
        }
    }

    /// Whether a new link is needed: either there is none, or the current one gives way to it.
    fn makes_way(&mut self, now: Instant) -> bool {
        let Some(driver) = &mut self.driver else { return true };
        let makes_way = self.keeper.replace(now, driver.conn_mut());
        self.pass_on(now);
        makes_way
    }

    fn ping(&mut self, waiter: Waiter) {
        // Without a link the waiter is dropped, which tells the caller.
        let Some(driver) = &mut self.driver else { return };
        self.pinged += 1;
        pings::ask(&mut self.pings, driver, &self.pinged.to_be_bytes(), waiter);
    }
}

fn log_finished(id: TransferId, finished: &Finished) {
    let Finished { name, bytes, digest, deduplicated, seconds, .. } = finished;
    tracing::info!(%id, name = name.as_str(), bytes, blake3 = %digest, already_there = deduplicated, seconds, "done");
}

fn log(event: &transfer::Event) {
    match event {
        transfer::Event::Retrying { id, failure, after } => {
            tracing::info!(%id, %failure, ?after, "trying again");
        }
        transfer::Event::GoingAway { code, retry_after } => {
            tracing::info!(%code, ?retry_after, "the server is going away");
        }
        event => tracing::debug!(?event, "transfer"),
    }
}
