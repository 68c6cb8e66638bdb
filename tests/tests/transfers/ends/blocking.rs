//! The adapter for blocking sockets.

mod messages;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bowline_blocking::{
    ClientConfig, Download, Finished, InlineClient, LinkEvent, LinkState, Listener, ServerConfig,
    ServerEvent, Stopper, TransferError, TransferProgress,
};
use bowline_core::connection::PingError;
use bowline_core::transfer::{Leftover, SafeName, Traffic, TransferId};
use bowline_store::{DiskStore, Pipe};

use super::{Begun, LIMIT};

pub(super) struct Client {
    inner: bowline_blocking::Client,
    events: mpsc::Receiver<LinkEvent>,
}

impl Client {
    pub(super) fn new(url: &str, config: ClientConfig) -> Self {
        let client = InlineClient::new(url, config).expect("a URL");
        let events = client.events();
        Self { inner: client.spawn().expect("a thread"), events }
    }
}

fn begun(transfer: Result<bowline_blocking::Transfer, TransferError>) -> Begun {
    Ok(Box::new(transfer?))
}

impl super::Client for Client {
    fn upload(&self, path: &Path, name: SafeName, id: TransferId) -> Begun {
        begun(self.inner.upload(path, name, id))
    }

    fn pipe(&self, pipe: Pipe, name: SafeName, id: TransferId) -> Begun {
        begun(self.inner.pipe(pipe, name, id))
    }

    fn download(&self, name: SafeName, to: &Path, id: TransferId, overwrite: bool) -> Begun {
        begun(self.inner.download(name, to, id, overwrite))
    }

    fn fetch(&self, store: &DiskStore, download: Download) -> Begun {
        begun(self.inner.fetch(store, download))
    }

    fn ping(&self) -> Result<Duration, PingError> {
        self.inner.ping()
    }

    fn set_token(&self, token: &str) {
        self.inner.set_token(token).expect("a good token");
    }

    fn network_changed(&self) {
        self.inner.network_changed();
    }

    fn dial(&self) {
        self.inner.dial();
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic().get()
    }

    fn until_up(&self) {
        let mut link = self.inner.link();
        let mut state = link.get();
        while !matches!(state, LinkState::Up) {
            state = link.next_timeout(LIMIT).expect("in time");
        }
    }

    fn event(&mut self) -> LinkEvent {
        self.events.recv_timeout(LIMIT).expect("in time")
    }

    fn try_event(&mut self) -> Option<LinkEvent> {
        self.events.try_recv().ok()
    }

    fn talk(&self) -> Arc<dyn super::Talk> {
        Arc::new(self.inner.clone())
    }

    fn close(self: Box<Self>) {
        self.inner.close();
    }
}

impl super::Transfer for bowline_blocking::Transfer {
    fn finished(&mut self) -> Result<Finished, TransferError> {
        self.finished_timeout(LIMIT).map(|finished| finished.expect("in time"))
    }

    fn progress(&self) -> TransferProgress {
        self.progress().get()
    }

    fn until(&mut self, enough: &mut dyn FnMut(&TransferProgress) -> bool) -> TransferProgress {
        let mut watch = self.progress();
        let mut progress = watch.get();
        while !enough(&progress) {
            progress = watch.next_timeout(LIMIT).expect("in time");
        }
        progress
    }

    fn pause(&self) {
        self.pause();
    }

    fn resume(&self) {
        self.resume();
    }

    fn cancel(&self, leftover: Leftover) {
        self.cancel(leftover);
    }
}

pub(super) struct Server {
    inner: bowline_blocking::Server,
    address: SocketAddr,
    events: mpsc::Receiver<ServerEvent>,
    stopper: Stopper,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    pub(super) fn new(listener: TcpListener, store: DiskStore, config: ServerConfig) -> Self {
        let listener = Listener::new(listener).expect("a listener");
        let (address, stopper) = (listener.local_addr().expect("bound"), listener.stopper());
        let server = bowline_blocking::Server::new(store, config);
        let (events, serving) = (server.events(), server.clone());
        let thread = Some(thread::spawn(move || serving.serve(listener)));
        Self { inner: server, address, events, stopper, thread }
    }
}

impl super::Server for Server {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn event(&mut self) -> ServerEvent {
        self.events.recv_timeout(LIMIT).expect("in time")
    }

    fn set_access(&self, access: bowline_host::server::Access) {
        self.inner.set_access(access);
    }

    fn pause(&self, id: TransferId) {
        self.inner.pause(id);
    }

    fn resume(&self, id: TransferId) {
        self.inner.resume(id);
    }

    fn cancel(&self, id: TransferId, leftover: Leftover) {
        self.inner.cancel(id, leftover);
    }

    fn talks(&self) -> Arc<dyn super::Talks> {
        Arc::new(self.inner.clone())
    }

    fn tell_to_stop(&mut self) {
        self.stopper.stop();
    }

    fn ended(&mut self) -> io::Result<()> {
        let (done, ended) = mpsc::channel();
        let thread = self.thread.take().expect("it was not waited for");
        thread::spawn(move || drop(done.send(thread.join())));
        ended.recv_timeout(LIMIT).expect("in time").expect("no panic")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}
