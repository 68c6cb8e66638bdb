//! One client being served, from the end of its handshake to the end of its link.

use std::collections::BTreeMap;
use std::time::Duration;

use bowline_core::closing::{CloseCode, Who};
use bowline_core::session;
use bowline_core::transfer::{self, Batch, Code, Failure, Kind, SafeName, TransferId};
use bowline_core::{Close, Disconnect};
use bowline_store::DiskStore;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{broadcast, watch};

use super::messages::Place;
use super::seats::Seat;
use super::{FileEvent, Server, ServerEvent};
use crate::driver::Driver;
use crate::host::{Host, let_go};
use crate::transfer::Verb;

/// What a client is told to wait whose principal has too many transfers open.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// One client being served.
pub(super) struct Served<'a> {
    pub(super) server: &'a Server,
    /// In the hands of whom this client is.
    pub(super) store: DiskStore,
    pub(super) peer: String,
    pub(super) host: Host,
    pub(super) orders: broadcast::Receiver<(TransferId, Verb)>,
    pub(super) names: BTreeMap<TransferId, Subject>,
    /// Among the sessions of messages.
    pub(super) place: Option<Place>,
}

/// What a transfer is about.
pub(super) struct Subject {
    name: SafeName,
    way: Way,
    kind: Kind,
    batch: Option<Batch>,
    /// It counts until it has ended.
    _seat: Seat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

impl Served<'_> {
    pub(super) async fn run<S>(mut self, mut driver: Driver<S>, mut stopping: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut told = false;
        loop {
            while let Some(event) = self.host.poll_event(Some(&mut driver)) {
                match event {
                    session::Event::Transfer(event) => self.handle_transfer(event),
                    session::Event::Link(event) => tracing::debug!(peer = %self.peer, ?event, "link"),
                    session::Event::LinkDown(disconnect) => {
                        tracing::info!(peer = %self.peer, %disconnect, "disconnected");
                        tracing::debug!("{}", disconnect.explain());
                        // What is on its way to the disk arrives there before anybody is told.
                        while self.host.poll_event::<S>(None).is_some() {}
                        self.leave(&disconnect);
                        let_go(driver);
                        self.host.rest().await;
                        let peer = self.peer;
                        return self.server.tell(ServerEvent::Disconnected { peer, disconnect });
                    }
                    _ => {}
                }
            }
            if self.serve() {
                continue;
            }
            let place = self.place.as_ref();
            let stirred = async {
                match place {
                    Some(place) => place.stirred().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.host.step(Some(&mut driver)) => {}
                () = stirred => {}
                // Whoever is behind has missed some; the server itself lives as long as we do.
                Ok((id, verb)) = self.orders.recv() => {
                    let now = self.host.clock.now();
                    verb.apply(now, self.host.session.transfers_mut(), id);
                }
                // An error says that the server is gone: stop as well.
                _ = stopping.wait_for(|stopping| *stopping), if !told => {
                    told = true;
                    self.send_away(&mut driver);
                }
            }
        }
    }

    /// Moves messages between the link and its session; whether any has moved.
    fn serve(&mut self) -> bool {
        self.place.as_mut().is_some_and(|place| place.serve(&mut self.host.session))
    }

    /// The session is kept, unless the client has said that it is done. What has come on the link has come.
    fn leave(&mut self, disconnect: &Disconnect) {
        self.serve();
        let goodbye = disconnect.received().is_some_and(|close| close.code() == CloseCode::NORMAL);
        if let Some(place) = self.place.take() {
            place.leave(goodbye && disconnect.who() == Who::Peer);
        }
    }

    /// Tells the client to come back after a while.
    fn send_away<S>(&mut self, driver: &mut Driver<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let now = self.host.clock.now();
        self.host.session.transfers_mut().go_away(now, Duration::from_secs(1));
        self.host.flush(driver);
        if let Ok(close) = Close::new(CloseCode::SERVICE_RESTART, "the server is stopping") {
            // Already closing is as good.
            let _ = driver.conn_mut().close(now, close);
        }
    }

    /// Counts a transfer for the principal of this client. If it is one too many, the client is told to wait.
    fn seat(&mut self, id: TransferId) -> Option<Seat> {
        let most = self.server.config.max_open;
        let seat = self.server.seats.take(self.store.principal(), most);
        if let Err(open) = seat {
            let text = format!("{open} transfers of yours are open, {} may be", most.unwrap_or(open));
            let mut failure = Failure::local(Code::Busy, text);
            failure.retry_after = BUSY_WAIT;
            let now = self.host.clock.now();
            self.host.session.transfers_mut().fail(now, id, failure);
        }
        seat.ok()
    }

    fn begin(&mut self, id: TransferId, subject: Subject) {
        let name = subject.name.clone();
        self.names.insert(id, subject);
        if self.server.orders.is_paused(id) {
            Verb::Pause.apply(self.host.clock.now(), self.host.session.transfers_mut(), id);
        }
        self.server.tell(ServerEvent::Began { peer: self.peer.clone(), id, name });
    }

    fn handle_transfer(&mut self, event: transfer::Event) {
        let peer = self.peer.clone();
        match event {
            transfer::Event::Offered(offered) => {
                let (name, kind, batch) = (offered.name.clone(), offered.kind, offered.batch);
                let Some(seat) = self.seat(offered.id) else { return };
                self.begin(offered.id, Subject { name, way: Way::In, kind, batch, _seat: seat });
                self.host.worker.attach(&self.store, offered);
            }
            transfer::Event::Requested { id, name, range } => {
                let (kind, batch) = (Kind::File, None);
                let Some(seat) = self.seat(id) else { return };
                self.begin(id, Subject { name: name.clone(), way: Way::Out, kind, batch, _seat: seat });
                self.host.worker.offer(&self.store, id, name, range);
            }
            transfer::Event::Done { id, length, digest, deduplicated, .. } => {
                self.server.orders.forget(id);
                let Some(Subject { name, way, kind, batch, .. }) = self.names.remove(&id) else { return };
                tracing::info!(%peer, %name, length, %digest, deduplicated, ?way, "done");
                let folder = kind == Kind::Folder;
                let file = FileEvent { peer, name, bytes: length, digest, deduplicated, folder, batch };
                self.server.tell(match way {
                    Way::In => ServerEvent::Received(file),
                    Way::Out => ServerEvent::Sent(file),
                });
            }
            transfer::Event::Failed { id, failure } => {
                // A client whose link has ended asks again.
                if failure.code != Code::Stalled {
                    self.server.orders.forget(id);
                }
                let name = self.names.remove(&id).map(|subject| subject.name);
                tracing::info!(%peer, ?name, %failure, "failed");
                self.server.tell(ServerEvent::Failed { peer, name, failure });
            }
            other => tracing::debug!(%peer, event = ?other, "transfer"),
        }
    }
}
