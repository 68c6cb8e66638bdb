//! One client being served, from the end of its handshake to the end of its link.

use bowline_core::{Disconnect, End};
use bowline_host::server::{Output, Served};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::{Server, ServerEvent};
use crate::driver::Driver;
use crate::host::{Host, Step, let_go};
use crate::news::Stir;

/// Signals that the server stops, and that the time to leave is over.
pub(super) type Orders = (watch::Receiver<bool>, watch::Receiver<()>);

/// One client being served.
pub(super) struct Link<'a> {
    pub(super) server: &'a Server,
    pub(super) host: Host,
    pub(super) served: Served,
    /// Woken when the application sends something on this link, or gives orders for its transfers.
    pub(super) stir: Stir,
}

impl Link<'_> {
    /// Serves the client until its link ends. If the server stops, tells the client to leave, and drops it when its
    /// time is over.
    pub(super) async fn run<S>(mut self, mut driver: Driver<S>, (mut stopping, mut letting_go): Orders)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut told = false;
        loop {
            if let Some(disconnect) = self.work_off(&mut driver) {
                tracing::debug!("{}", disconnect.explain());
                let_go(driver);
                self.served.rest();
                self.host.rest().await;
                let peer = self.served.peer().clone();
                return self.server.tell(ServerEvent::Disconnected { peer, disconnect });
            }
            let deadline = self.served.poll_timeout();
            let now = self.host.clock;
            tokio::select! {
                step = self.host.step(Some(&mut driver), deadline) => self.handle_step(step),
                () = self.stir.stirred() => {}
                // An error means that the server is gone: stop as well.
                _ = stopping.wait_for(|stopping| *stopping), if !told => {
                    told = true;
                    self.served.send_away(now.now(), driver.conn_mut());
                }
                Ok(()) = letting_go.changed() => driver.conn_mut().handle_end(now.now(), End::LocalAbort),
            }
        }
    }

    /// Moves what can move without waiting, and passes on events; returns how the link has ended, if it has.
    fn work_off<S>(&mut self, driver: &mut Driver<S>) -> Option<Disconnect> {
        let now = self.host.clock.now();
        self.served.pump(now, driver.conn_mut());
        while let Some(output) = self.served.poll_output(now) {
            match output {
                Output::Event(event) => self.server.tell(event),
                Output::Link(event) => tracing::debug!(peer = %self.served.peer(), "{event}"),
                Output::Transfer(event) => tracing::debug!(peer = %self.served.peer(), ?event, "transfer"),
                Output::Down(disconnect) => return Some(disconnect),
            }
        }
        None
    }

    fn handle_step(&mut self, step: Step) {
        let now = self.host.clock.now();
        match step {
            Step::Driven => {}
            Step::Due => self.served.handle_timeout(now),
            Step::Report(report) => {
                self.served.handle_report(now, report);
                while let Some(report) = self.host.poll_report() {
                    self.served.handle_report(now, report);
                }
            }
        }
    }
}
