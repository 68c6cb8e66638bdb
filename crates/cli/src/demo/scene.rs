//! The server, the link and the client of the demo, and a commentator who watches them.

use super::link::Link;
use super::plan::{Mishap, Plan};
use super::view::{View, Who};
use crate::exit::Trouble;
use crate::identity::Identity;
use crate::report::TICK;
use crate::report::bar::Mood;
use crate::story::Story;
use crate::units::{Size, Span};
use bowline_core::transfer::{ByteRange, SafeName, Stage};
use bowline_store::{Config, DiskStore};
use bowline_tokio::{
    Client, ClientConfig, Finished, LinkEvent, LinkState, Server, ServerConfig, ServerEvent, Transfer,
    TransferProgress,
};
use std::fmt::Display;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How long a connection may be silent here, and how long a ping may stay unanswered.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The name of the file on the server.
const NAME: &str = "demo.bin";
/// How long the server may take to stop.
const FAREWELL: Duration = Duration::from_secs(5);

/// The server, the link and the client.
pub(super) struct Scene {
    server: JoinHandle<std::io::Result<()>>,
    stop: oneshot::Sender<()>,
    link: Link,
    _relay: JoinSet<()>,
    client: Client,
    name: SafeName,
    identity: Identity,
    news: News,
}

/// Something to comment on.
struct News {
    mishaps: mpsc::UnboundedReceiver<Mishap>,
    client: broadcast::Receiver<LinkEvent>,
    server: broadcast::Receiver<ServerEvent>,
    story: Story,
    state: watch::Receiver<LinkState>,
}

impl Scene {
    /// Sets everything up on this machine, on free ports.
    pub(super) async fn set(folder: &Path, plan: Plan, story: Story) -> Result<Self, Trouble> {
        std::fs::create_dir(folder).map_err(failed)?;
        let mut config = ServerConfig::default();
        (config.connection.heartbeat.interval, config.connection.heartbeat.timeout) = (HEARTBEAT, HEARTBEAT);
        let server = Server::new(DiskStore::open(folder, Config::default()).map_err(failed)?, config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;

        let (tell, mishaps) = mpsc::unbounded_channel();
        let (link, near, relay) = Link::open(address, plan, tell).map_err(failed)?;

        let mut config = ClientConfig::default();
        (config.connection.heartbeat.interval, config.connection.heartbeat.timeout) = (HEARTBEAT, HEARTBEAT);
        // Nobody watches a demo to wait.
        let impatient = Duration::from_millis(500);
        (config.reconnect.base, config.reconnect.first_window) = (impatient, impatient);
        config.reconnect.cap = Duration::from_secs(1);
        // No link lasts here, yet each one gets further than the one before.
        config.reconnect.stable_after = Duration::from_millis(500);
        let client = Client::new(&format!("ws://{near}/"), config).map_err(failed)?;

        let (client_events, state) = (client.events(), client.link());
        let story = story.watching(client.traffic());
        let news = News { mishaps, client: client_events, server: server.events(), story, state };
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = async move {
            // Stopped, or nobody is left to stop it.
            server.serve(listener, async { drop(stopped.await) }).await
        };
        let server = tokio::spawn(serving);
        let (identity, name) = (Identity::passing().map_err(failed)?, SafeName::parse(NAME).map_err(failed)?);
        Ok(Self { server, stop, link, _relay: relay, client, name, identity, news })
    }

    /// Sends the file, whatever happens on the way.
    pub(super) async fn send(&mut self, file: &Path, view: &mut View) -> Result<Finished, Trouble> {
        let source = bowline_store::Source::open(file).map_err(failed)?.identity();
        let id = self.identity.of_send("", NAME, &source);
        let transfer = self.client.upload(file, self.name.clone(), id).await.map_err(failed)?;
        view.begin("up  ");
        self.news.watch(transfer, view).await
    }

    /// Fetches it again.
    pub(super) async fn fetch(
        &mut self,
        to: &Path,
        plan: Plan,
        view: &mut View,
    ) -> Result<Finished, Trouble> {
        self.link.follow(plan);
        let id = self.identity.of_fetch("", NAME, ByteRange::WHOLE, to);
        let transfer = self.client.download(self.name.clone(), to, id, false).await.map_err(failed)?;
        view.begin("down");
        self.news.watch(transfer, view).await
    }

    /// How many bytes the link had to carry for the last file.
    pub(super) fn carried(&self) -> u64 {
        self.link.carried()
    }

    /// Ends everything; returns the story of the client's link.
    pub(super) async fn strike(self) -> Story {
        let Self { server, stop, client, mut news, .. } = self;
        news.story.end(&Ok(()));
        client.close().await;
        while let Ok(event) = news.client.try_recv() {
            news.story.link(&event);
        }
        let _ = stop.send(());
        let _ = timeout(FAREWELL, server).await;
        news.story
    }
}

impl News {
    /// Comments on a transfer until it ends.
    async fn watch(&mut self, mut transfer: Transfer, view: &mut View) -> Result<Finished, Trouble> {
        let progress = transfer.progress();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Whether a link is up again but no bytes have moved yet.
        let mut back = false;
        loop {
            tokio::select! {
                // In this order, so that the cause of an end is reported before the end.
                biased;
                Some(mishap) = self.mishaps.recv() => view.say(Who::Link, &mishap.to_string()),
                Ok(event) = self.client.recv() => {
                    self.story.link(&event);
                    back |= matches!(event, LinkEvent::Up { link: 2.. });
                    if let Some(comment) = of_client(&event) {
                        view.say(Who::Client, &comment);
                    }
                }
                Ok(event) = self.server.recv() => {
                    if let Some(comment) = of_server(&event) {
                        view.say(Who::Server, &comment);
                    }
                }
                finished = transfer.finished() => {
                    let finished =
                        finished.map_err(|e| Trouble::failed(format!("the transfer failed: {e}")))?;
                    self.story.done(|| format!("{} has crossed", finished.name), (&finished).into());
                    return Ok(finished);
                }
                _ = ticks.tick() => {
                    self.story.tick();
                    let progress = *progress.borrow();
                    if back && progress.stage == Stage::Moving {
                        back = false;
                        view.say(Who::Client, &goes_on(&progress));
                    }
                    let mood = match progress.stage {
                        Stage::Finishing => Some(Mood::Finishing { silence: None }),
                        _ => Mood::of(&self.state.borrow(), None),
                    };
                    view.progress(progress.received, progress.length.unwrap_or(0), mood);
                }
            }
        }
    }
}

fn goes_on(progress: &TransferProgress) -> String {
    let TransferProgress { received, length, .. } = *progress;
    let percent = received.saturating_mul(100).checked_div(length.unwrap_or(0)).unwrap_or(100);
    format!("connected again, continues at {} ({percent} %)", Size(received))
}

fn of_client(event: &LinkEvent) -> Option<String> {
    match event {
        LinkEvent::Up { link: 1 } => Some("connected".into()),
        LinkEvent::Down { disconnect } => Some(disconnect.to_string()),
        LinkEvent::DialFailed { disconnect, .. } => Some(format!("not connected: {disconnect}")),
        LinkEvent::Waiting { delay, .. } => Some(format!("tries again in {}", Span(*delay))),
        LinkEvent::GaveUp { why, .. } => Some(format!("gives up: {why}")),
        _ => None,
    }
}

fn of_server(event: &ServerEvent) -> Option<String> {
    match event {
        ServerEvent::Disconnected { disconnect, .. } => Some(disconnect.to_string()),
        ServerEvent::Received(file) => Some(format!("has all {} and confirms the digest", Size(file.bytes))),
        _ => None,
    }
}

fn failed(error: impl Display) -> Trouble {
    Trouble::failed(format!("the demo cannot be set up: {error}"))
}
