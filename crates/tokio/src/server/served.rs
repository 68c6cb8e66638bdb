//! One client being served, from the end of its handshake to the end of its link.

use bowline_core::Disconnect;
use bowline_host::server::{Output, Served, is_goodbye};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{broadcast, watch};

use super::messages::Place;
use super::orders::Order;
use super::{Server, ServerEvent};
use crate::driver::Driver;
use crate::host::{Host, Step, let_go};

/// One client being served.
pub(super) struct Link<'a> {
    pub(super) server: &'a Server,
    pub(super) host: Host,
    pub(super) served: Served,
    pub(super) orders: broadcast::Receiver<Order>,
    /// Among the sessions of messages.
    pub(super) place: Option<Place>,
}

impl Link<'_> {
    pub(super) async fn run<S>(mut self, mut driver: Driver<S>, mut stopping: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut told = false;
        loop {
            if let Some(disconnect) = self.work_off(&mut driver) {
                self.leave(&disconnect);
                let_go(driver);
                self.served.rest();
                self.host.rest().await;
                let peer = self.served.peer().clone();
                return self.server.tell(ServerEvent::Disconnected { peer, disconnect });
            }
            let place = self.place.as_ref();
            let stirred = async {
                match place {
                    Some(place) => place.stirred().await,
                    None => std::future::pending().await,
                }
            };
            let deadline = self.served.poll_timeout();
            let now = self.host.clock;
            tokio::select! {
                step = self.host.step(Some(&mut driver), deadline) => self.handle_step(step),
                () = stirred => {}
                // Whoever is behind has missed some; the server itself lives as long as we do.
                Ok(order) = self.orders.recv() => match order {
                    Order::Tell(id, verb) => self.served.handle_order(now.now(), id, verb),
                    Order::Look => {}
                },
                // An error says that the server is gone: stop as well.
                _ = stopping.wait_for(|stopping| *stopping), if !told => {
                    told = true;
                    self.served.send_away(now.now(), driver.conn_mut());
                }
            }
        }
    }

    /// Moves what can move without waiting, and passes on what there is to tell; says how the link has ended, if it has.
    fn work_off<S>(&mut self, driver: &mut Driver<S>) -> Option<Disconnect> {
        let now = self.host.clock.now();
        loop {
            self.served.pump(now, driver.conn_mut());
            while let Some(output) = self.served.poll_output(now) {
                match output {
                    Output::Event(event) => self.server.tell(event),
                    Output::Link(event) => tracing::debug!(peer = %self.served.peer(), ?event, "link"),
                    Output::Transfer(event) => {
                        tracing::debug!(peer = %self.served.peer(), ?event, "transfer");
                    }
                    Output::Down(disconnect) => return Some(disconnect),
                }
            }
            if !self.serve() {
                return None;
            }
        }
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

    /// Moves messages between the link and its session; whether any has moved.
    fn serve(&mut self) -> bool {
        self.place.as_mut().is_some_and(|place| place.serve(self.served.session_mut()))
    }

    /// The session is kept, unless the client has said that it is done. What has come on the link has come.
    fn leave(&mut self, disconnect: &Disconnect) {
        tracing::debug!("{}", disconnect.explain());
        self.serve();
        if let Some(place) = self.place.take() {
            place.leave(is_goodbye(disconnect));
        }
    }
}
