//! The adapter for tokio.

mod messages;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bowline_core::connection::PingError;
use bowline_core::transfer::{Leftover, SafeName, Traffic, TransferId};
use bowline_store::{DiskStore, Pipe};
use bowline_tokio::{
    ClientConfig, Download, Finished, LinkEvent, LinkState, ServerConfig, ServerEvent, TransferError,
    TransferProgress,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Begun, LIMIT};

/// Waits for this result.
fn within<T>(runtime: &Runtime, work: impl Future<Output = T>) -> T {
    runtime.block_on(async { timeout(LIMIT, work).await }).expect("in time")
}

fn runtime() -> Arc<Runtime> {
    Arc::new(Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime"))
}

pub(super) struct Client {
    inner: bowline_tokio::Client,
    events: broadcast::Receiver<LinkEvent>,
    runtime: Arc<Runtime>,
}

impl Client {
    pub(super) fn new(url: &str, config: ClientConfig) -> Self {
        let (runtime, url) = (runtime(), url.to_owned());
        // A client may have work to do after its last handle is gone.
        std::mem::forget(Arc::clone(&runtime));
        // On the only thread of the runtime, so that nothing happens before somebody listens.
        let made = runtime.spawn(async move {
            let client = bowline_tokio::Client::new(&url, config).expect("a URL");
            (client.events(), client)
        });
        let (events, client) = within(&runtime, made).expect("no panic");
        Self { inner: client, events, runtime }
    }

    fn begun(&self, begun: impl Future<Output = Result<bowline_tokio::Transfer, TransferError>>) -> Begun {
        let transfer = within(&self.runtime, begun)?;
        Ok(Box::new(Transfer { transfer, runtime: Arc::clone(&self.runtime) }))
    }
}

impl super::Client for Client {
    fn upload(&self, path: &Path, name: SafeName, id: TransferId) -> Begun {
        self.begun(self.inner.upload(path, name, id))
    }

    fn pipe(&self, pipe: Pipe, name: SafeName, id: TransferId) -> Begun {
        self.begun(self.inner.pipe(pipe, name, id))
    }

    fn download(&self, name: SafeName, to: &Path, id: TransferId, overwrite: bool) -> Begun {
        self.begun(self.inner.download(name, to, id, overwrite))
    }

    fn fetch(&self, store: &DiskStore, download: Download) -> Begun {
        self.begun(self.inner.fetch(store, download))
    }

    fn ping(&self) -> Result<Duration, PingError> {
        within(&self.runtime, self.inner.ping())
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
        *self.inner.traffic().borrow()
    }

    fn until_up(&self) {
        let mut link = self.inner.link();
        within(&self.runtime, link.wait_for(|state| matches!(state, LinkState::Up))).expect("it lives");
    }

    fn event(&mut self) -> LinkEvent {
        within(&self.runtime, self.events.recv()).expect("it lives")
    }

    fn try_event(&mut self) -> Option<LinkEvent> {
        self.events.try_recv().ok()
    }

    fn talk(&self) -> Arc<dyn super::Talk> {
        Arc::new(messages::Talk { client: self.inner.clone(), runtime: Arc::clone(&self.runtime) })
    }

    fn close(self: Box<Self>) {
        within(&self.runtime, self.inner.close());
    }
}

struct Transfer {
    transfer: bowline_tokio::Transfer,
    runtime: Arc<Runtime>,
}

impl super::Transfer for Transfer {
    fn finished(&mut self) -> Result<Finished, TransferError> {
        within(&self.runtime, self.transfer.finished())
    }

    fn progress(&self) -> TransferProgress {
        *self.transfer.progress().borrow()
    }

    fn until(&mut self, enough: &mut dyn FnMut(&TransferProgress) -> bool) -> TransferProgress {
        let mut progress = self.transfer.progress();
        *within(&self.runtime, progress.wait_for(|progress| enough(progress))).expect("it lives")
    }

    fn pause(&self) {
        self.transfer.pause();
    }

    fn resume(&self) {
        self.transfer.resume();
    }

    fn cancel(&self, leftover: Leftover) {
        self.transfer.cancel(leftover);
    }
}

pub(super) struct Server {
    inner: bowline_tokio::Server,
    address: SocketAddr,
    events: broadcast::Receiver<ServerEvent>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
    runtime: Arc<Runtime>,
}

impl Server {
    pub(super) fn new(listener: TcpListener, store: DiskStore, config: ServerConfig) -> Self {
        let runtime = runtime();
        let entered = runtime.enter();
        let address = listener.local_addr().expect("bound");
        listener.set_nonblocking(true).expect("set");
        let listener = tokio::net::TcpListener::from_std(listener).expect("registered");
        let server = bowline_tokio::Server::new(store, config);
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = server.clone();
        let task = tokio::spawn(async move { serving.serve(listener, async { drop(stopped.await) }).await });
        drop(entered);
        Self { events: server.events(), inner: server, address, stop: Some(stop), task, runtime }
    }
}

impl super::Server for Server {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn event(&mut self) -> ServerEvent {
        within(&self.runtime, self.events.recv()).expect("it lives")
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
        Arc::new(messages::Talks { server: self.inner.clone(), runtime: Arc::clone(&self.runtime) })
    }

    fn tell_to_stop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
    }

    fn ended(&mut self) -> io::Result<()> {
        within(&self.runtime, &mut self.task).expect("no panic")
    }
}
