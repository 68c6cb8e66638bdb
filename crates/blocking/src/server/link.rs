//! One client being served, from the end of its handshake to the end of its link.

use std::io;
use std::sync::Arc;

use bowline_core::{Disconnect, End, Instant};
use bowline_host::server::{Output, Pass, Served, ServerEvent};
use bowline_store::worker::{Deliver, Report};

use super::caller::Caller;
use crate::accept::Accepted;
use crate::count::Count;
use crate::driver::Driver;
use crate::stream::Stream;
use crate::tcp::set_unsent;

/// A letter to a link's thread.
#[derive(Debug)]
pub(super) enum Letter {
    Report(Report),
    /// The server is stopping: tell the client to come back later.
    Away,
    /// The client's time to leave is over.
    Abort,
}

/// One client being served.
pub(super) struct Link<'a, S> {
    caller: Caller<'a>,
    served: Served,
    driver: Driver<S>,
    /// The running jobs on files.
    jobs: Count,
}

impl<'a, S: Stream> Link<'a, S> {
    pub(super) fn new(
        caller: Caller<'a>,
        accepted: Accepted<S>,
        pass: Pass,
        peer: String,
    ) -> io::Result<Self> {
        let Caller { server, post, wakened, .. } = &caller;
        let (clock, house) = (server.0.clock, &server.0.house);
        let Accepted { stream, leftover, .. } = accepted;
        let mut driver = Driver::server(stream, &leftover, house.connection(), clock)?
            .with_valve(|stream, most| set_unsent(&stream.socket(), most));
        driver.set_wakened(wakened.clone());
        let (reports, jobs) = (post.clone(), Count::default());
        // A link that has ended needs no reports.
        let deliver: Deliver = Arc::new(move |report| {
            reports.send(Letter::Report(report));
        });
        let spawn = server.0.pool.spawner(&jobs);
        let served = house.serve(pass, peer, spawn, deliver, post.waker(), clock.now());
        Ok(Self { caller, served, driver, jobs })
    }

    pub(super) fn run(mut self) {
        let disconnect = loop {
            for letter in self.caller.post.take() {
                self.handle_letter(letter);
            }
            if let Some(disconnect) = self.work_off() {
                break disconnect;
            }
            let due = self.served.poll_timeout();
            self.driver.drive(if self.caller.post.may_wait() { due } else { Some(Instant::ZERO) });
            self.served.handle_timeout(self.driver.now());
        };
        self.driver.say_last_words();
        self.served.rest();
        self.jobs.wait();
        let peer = self.served.peer().clone();
        self.caller.server.tell(&ServerEvent::Disconnected { peer, disconnect });
    }

    fn handle_letter(&mut self, letter: Letter) {
        let now = self.driver.now();
        match letter {
            Letter::Report(report) => self.served.handle_report(now, report),
            Letter::Away => self.served.send_away(now, self.driver.conn_mut()),
            Letter::Abort => self.driver.conn_mut().handle_end(now, End::LocalAbort),
        }
    }

    /// Moves what can move without waiting, and passes on events; returns how the link has ended, if it has.
    fn work_off(&mut self) -> Option<Disconnect> {
        let now = self.driver.now();
        self.served.pump(now, self.driver.conn_mut());
        while let Some(output) = self.served.poll_output(now) {
            match output {
                Output::Event(event) => self.caller.server.tell(&event),
                Output::Down(disconnect) => return Some(disconnect),
                Output::Link(_) | Output::Transfer(_) => {}
            }
        }
        None
    }
}
