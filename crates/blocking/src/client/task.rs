//! The work behind a client: it dials, carries bytes, and passes on what its keeper reports.

use std::sync::{Arc, mpsc};
use std::thread;

use bowline_core::transfer::Traffic;
use bowline_core::{Close, Disconnect, Instant, connection};
use bowline_handshake::client::Request;
use bowline_host::DialError;
use bowline_host::accept::PAUSE;
use bowline_host::client::{ClientConfig, Keeper, Output, Talk, spoken};
use bowline_store::worker::Deliver;

use super::{Letter, LinkEvent, LinkState, StartError};
use crate::clock::Clock;
use crate::count::Count;
use crate::dial::Dialed;
use crate::dialing::{Dialing, let_go};
use crate::driver::Driver;
use crate::maybe_tls::MaybeTlsStream;
use crate::pings::{self, Pings, Waiter};
use crate::pool::Pool;
use crate::post::Post;
use crate::transfer::Ticket;
use crate::wait::Wakened;
use crate::watch::{Audience, Teller};

/// How many threads work on the files of a client: reading, hashing, writing and syncing overlap.
const FILES: usize = 4;

/// The work behind a client, done inside the caller's calls.
#[derive(Debug)]
pub(super) struct Task {
    dialing: Dialing,
    clock: Clock,
    keeper: Keeper<Ticket>,
    driver: Option<Driver<MaybeTlsStream>>,
    /// How many dials were started; the last one is still wanted while `is_dialing`.
    dials: u64,
    is_dialing: bool,
    post: Post<Letter>,
    wakened: Wakened,
    state: Teller<LinkState>,
    traffic: Teller<Traffic>,
    events: Arc<Audience<LinkEvent>>,
    pings: Pings,
    /// Numbers the pings, so that each has a payload of its own.
    pinged: u64,
    closing: Vec<mpsc::Sender<()>>,
    /// The jobs on files that are under way.
    jobs: Count,
}

impl Task {
    pub(super) fn new(
        request: Request,
        config: ClientConfig,
        (post, wakened): (Post<Letter>, Wakened),
        state: Teller<LinkState>,
        traffic: Teller<Traffic>,
        events: Arc<Audience<LinkEvent>>,
        talk: Talk,
    ) -> Result<Self, StartError> {
        let (clock, jobs) = (Clock::start(), Count::default());
        let token_file = config.token_file.clone();
        let reports = post.clone();
        // A client that has ended needs no reports.
        let deliver: Deliver = Arc::new(move |report| {
            reports.send(Letter::Report(report));
        });
        let spawn = Pool::new(FILES).spawner(&jobs);
        let keeper = Keeper::new(config, &request, spawn, deliver, talk, clock.now())?;
        Ok(Self {
            dialing: Dialing { request, token_file },
            clock,
            keeper,
            driver: None,
            dials: 0,
            is_dialing: false,
            post,
            wakened,
            state,
            traffic,
            events,
            pings: pings::pings(),
            pinged: 0,
            closing: Vec::new(),
            jobs,
        })
    }

    pub(super) fn run(mut self) {
        while self.work() {
            self.wait(None);
        }
        self.end();
    }

    /// Does what can be done without waiting; false if the client is over.
    pub(super) fn work(&mut self) -> bool {
        for letter in self.post.take() {
            self.handle_letter(letter);
        }
        self.keeper.handle_timeout(self.clock.now());
        self.work_off();
        !self.keeper.is_over()
    }

    /// Waits until there is more to do, but no longer than this.
    pub(super) fn wait(&mut self, until: Option<Instant>) {
        let due = [self.keeper.poll_timeout(), until].into_iter().flatten().min();
        let due = if self.post.may_wait() { due } else { Some(Instant::ZERO) };
        if let Some(driver) = &mut self.driver {
            driver.drive(due);
            return;
        }
        let time = due.map(|due| due - self.clock.now());
        if self.wakened.wait(time).is_err() {
            // If waiting is impossible, pause for a moment.
            thread::sleep(PAUSE);
        }
    }

    /// Waits for the jobs on files, then tells those who wait for the end.
    pub(super) fn end(mut self) {
        self.keeper.rest(self.clock.now());
        self.jobs.wait();
        let closing = std::mem::take(&mut self.closing);
        drop(self);
        for done in closing {
            // The caller may have stopped waiting.
            let _ = done.send(());
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Does what can be done without waiting, and passes on what there is to report.
    fn work_off(&mut self) {
        let now = self.clock.now();
        if let Some(driver) = &mut self.driver {
            self.keeper.pump(now, driver.conn_mut());
        }
        self.pass_on(now);
        if self.keeper.is_due(now) {
            self.traffic.tell(self.keeper.traffic());
        }
        for (ticket, progress) in self.keeper.progress(now) {
            ticket.progress.tell(progress);
        }
    }

    fn pass_on(&mut self, now: Instant) {
        while let Some(output) = self.keeper.poll_output(now) {
            self.handle_output(now, output);
        }
    }

    fn handle_letter(&mut self, letter: Letter) {
        let now = self.clock.now();
        match letter {
            Letter::Upload { offer, feed, ticket } => self.keeper.upload(now, offer, feed, ticket),
            Letter::Download { download, store, ticket } => {
                self.keeper.download(now, download, store, ticket);
            }
            Letter::Tell(id, verb) => self.keeper.tell_transfer(now, id, verb),
            Letter::Volatile(message, done) => {
                // The caller may have stopped waiting.
                let _ = done.send(self.keeper.send_volatile(now, message));
            }
            Letter::Confirm(receipt) => self.keeper.confirm(now, receipt),
            Letter::NetworkChanged => self.keeper.handle_network_change(now),
            Letter::Dial => self.keeper.dial(now),
            Letter::Ping(waiter) => self.ping(waiter),
            Letter::Token(token) => self.dialing.set_token(&token),
            Letter::Close(done) => {
                self.closing.push(done);
                self.keeper.close();
            }
            Letter::Released => self.keeper.release(),
            Letter::Dialed(number, result) if self.is_dialing && number == self.dials => {
                self.handle_dialed(now, result);
            }
            // The result of a dial that was given up.
            Letter::Dialed(..) => {}
            Letter::Report(report) => self.keeper.handle_report(now, report),
        }
    }

    fn handle_output(&mut self, now: Instant, output: Output<Ticket>) {
        if let Output::Ended { .. } | Output::LetGo = output {
            // Whoever learns of an end must find all the traffic up to it.
            self.traffic.tell(self.keeper.traffic());
        }
        match output {
            Output::Dial => self.dial(now),
            Output::Abandon => self.is_dialing = false,
            Output::State(state) => self.state.tell(state.map(|until| self.clock.deadline(until))),
            Output::Link(event) => {
                if let LinkEvent::Notice(connection::Event::Answered { ping, rtt }) = event {
                    self.pings.handle_answered(ping, rtt);
                }
                self.events.tell(&event);
            }
            Output::LetGo => {
                self.pings.clear();
                if let Some(driver) = self.driver.take() {
                    let_go(driver);
                }
            }
            Output::Ended { ticket, result, .. } => ticket.end(result),
            Output::Transfer(_) => {}
        }
    }

    /// Dials on another thread, since it may take long, and letters must be handled meanwhile.
    fn dial(&mut self, now: Instant) {
        self.dials += 1;
        self.is_dialing = true;
        let (number, post) = (self.dials, self.post.clone());
        let dialing = self.dialing.start(self.keeper.dial_config(), move |result| {
            // A client that has ended needs no connection.
            post.send(Letter::Dialed(number, result));
        });
        if let Err(disconnect) = dialing {
            self.fail_dial(now, disconnect);
        }
    }

    fn handle_dialed(&mut self, now: Instant, result: Result<Dialed<MaybeTlsStream>, DialError>) {
        let link = spoken(result).and_then(|dialed| {
            let config = self.keeper.connection(now);
            let round_trip = dialed.round_trip;
            match Driver::dialed(dialed, config, self.clock) {
                Ok(driver) => Ok((driver, round_trip)),
                Err(error) => Err(DialError::System(error).disconnect()),
            }
        });
        self.is_dialing = false;
        match link {
            Ok((mut driver, round_trip)) if self.makes_way(now) => {
                driver.set_wakened(self.wakened.clone());
                self.driver = Some(driver);
                self.keeper.handle_link_up(now, round_trip);
            }
            Ok((mut driver, _)) => {
                let _ = driver.conn_mut().close(now, Close::normal());
                let_go(driver);
            }
            Err(disconnect) => self.fail_dial(now, disconnect),
        }
    }

    /// Whether a new link is needed: either there is none, or the current one gives way to it.
    fn makes_way(&mut self, now: Instant) -> bool {
        let Some(driver) = &mut self.driver else { return true };
        // What has arrived on the current link may be the answer whose absence raised the doubt.
        driver.drive(Some(Instant::ZERO));
        let makes_way = self.keeper.replace(now, driver.conn_mut());
        self.pass_on(now);
        makes_way
    }

    fn fail_dial(&mut self, now: Instant, disconnect: Disconnect) {
        self.is_dialing = false;
        self.keeper.handle_dial_failed(now, disconnect);
    }

    fn ping(&mut self, waiter: Waiter) {
        // Without a link the waiter is dropped, which tells the caller.
        let Some(driver) = &mut self.driver else { return };
        self.pinged += 1;
        pings::ask(&mut self.pings, driver, &self.pinged.to_be_bytes(), waiter);
    }
}

impl Drop for Task {
    /// Also runs for a client that nobody has closed, or that has panicked: those who wait for it are told, and later
    /// letters are not kept.
    fn drop(&mut self) {
        drop(self.post.close());
        self.events.leave();
    }
}
