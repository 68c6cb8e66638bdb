//! A process that is stopped for a minute: it blames nobody, and reports that it did not run; the other side continues,
//! if its timeout is longer.

use std::process::Stdio;
use std::time::Duration;

use bowline_core::connection::{Config, Event};
use bowline_core::{Connection, Message};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use crate::ends::{Adapter, Socket, heartbeat, listen};
use crate::peer::{Peer, python, within};

const STILL: Duration = Duration::from_secs(60);

/// What the other process should do, and with which adapter: `Tokio client URL`, `Blocking server`.
const TASK: &str = "BOWLINE_FIELD_TASK";

over! {
    a_client_that_stood_still_goes_on
    a_server_that_stood_still_goes_on
    a_client_that_stood_still_does_not_blame_python
    a_python_server_that_stood_still_goes_on
}

async fn a_client_that_stood_still_goes_on(adapter: Adapter) {
    let (url, listener) = listen().await;
    let mut client = Peer::start(ourself(adapter, &format!("client {url}")));
    let mut server = Driving::start(adapter.accept(&listener, patient()).await);
    assert_eq!(within(client.line()).await, Some(json!("open")));
    server.echoes().await;

    stand_still(&client).await;

    blames_nobody(&mut client).await;
    server.echoes().await;
    server.lives().await;
}

async fn a_server_that_stood_still_goes_on(adapter: Adapter) {
    let mut server = Peer::start(ourself(adapter, "server"));
    let url = server.url().await;
    let mut client = Driving::start(adapter.dial(&url, patient()).await);
    assert_eq!(within(server.line()).await, Some(json!("open")));
    client.echoes().await;

    stand_still(&server).await;

    blames_nobody(&mut server).await;
    client.echoes().await;
    client.lives().await;
}

async fn a_client_that_stood_still_does_not_blame_python(adapter: Adapter) {
    let mut server = python("field.py");
    server.args(["idle", "0", "0"]);
    let mut server = Peer::start(server);
    let url = server.url().await;
    let mut client = Peer::start(ourself(adapter, &format!("client {url}")));
    assert_eq!(within(client.line()).await, Some(json!("open")));

    stand_still(&client).await;

    blames_nobody(&mut client).await;
}

async fn a_python_server_that_stood_still_goes_on(adapter: Adapter) {
    let mut server = python("field.py");
    server.args(["idle", "0", "0"]);
    let mut server = Peer::start(server);
    let url = server.url().await;
    let mut client = Driving::start(adapter.dial(&url, patient()).await);
    client.echoes().await;

    stand_still(&server).await;

    client.echoes().await;
    client.lives().await;
}

/// Pings every 5 s, and waits longer for an answer than any process here is stopped.
fn patient() -> Config {
    heartbeat(5, 70)
}

async fn stand_still(peer: &Peer) {
    signal(peer, "STOP").await;
    sleep(STILL).await;
    signal(peer, "CONT").await;
}

async fn signal(peer: &Peer, name: &str) {
    let id = peer.child.id().expect("the process is gone");
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().await.unwrap();
    assert!(status.success(), "{status}");
}

/// It reports that it was stopped, and then, for five of its heartbeats, nothing that is an end.
async fn blames_nobody(peer: &mut Peer) {
    let told = within(peer.line()).await.expect("the process has ended");
    println!("the process that stood still: {told}");
    let late = told["stalled"].as_f64().unwrap_or_else(|| panic!("it told {told}"));
    // Its next deadline was at most an interval away.
    assert!((STILL.as_secs_f64() - 3.0..STILL.as_secs_f64() + 30.0).contains(&late), "{told}");
    let more = timeout(Duration::from_secs(10), async {
        loop {
            let told = peer.line().await.expect("the process has ended");
            // A busy machine may make it late once more.
            assert!(told.get("stalled").is_some(), "it told {told}");
        }
    });
    assert!(more.await.is_err());
}

/// Our end in this process, which is driven in the meantime.
struct Driving {
    ask: UnboundedSender<()>,
    told: UnboundedReceiver<Event>,
}

impl Driving {
    fn start(socket: Socket) -> Self {
        let (ask, mut asked) = unbounded_channel();
        let (teller, told) = unbounded_channel();
        let look = move |now, conn: &mut Connection| {
            while let Some(event) = conn.poll_event() {
                if matches!(event, Event::Message(_) | Event::Closed(_)) && teller.send(event).is_err() {
                    return false;
                }
            }
            match asked.try_recv() {
                Ok(()) => conn.send(now, Message::text("are you there")).is_ok(),
                Err(TryRecvError::Empty) => true,
                Err(TryRecvError::Disconnected) => false,
            }
        };
        tokio::spawn(socket.drive(Some(Duration::from_millis(50)), look));
        Self { ask, told }
    }

    /// The other side answers.
    async fn echoes(&mut self) {
        self.ask.send(()).unwrap();
        let told = within(self.told.recv()).await.unwrap();
        assert_eq!(told, Event::Message(Message::text("are you there")));
    }

    /// Nothing has ended, and nothing ends for a few heartbeats.
    async fn lives(&mut self) {
        let end = timeout(Duration::from_secs(12), self.told.recv()).await;
        assert!(end.is_err(), "{end:?}");
    }
}

// ----- the other process -----

/// This same program, told to be one end and nothing else.
fn ourself(adapter: Adapter, task: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "stopped::the_other_process", "--nocapture", "--test-threads=1"]);
    command.env(TASK, format!("{adapter:?} {task}")).stderr(Stdio::inherit());
    command
}

/// Not a test, but the process that the tests above stop: it echoes, with an impatient heartbeat, and reports what
/// happens.
#[tokio::test]
async fn the_other_process() {
    let Ok(task) = std::env::var(TASK) else { return };
    let (adapter, task) = task.split_once(' ').unwrap();
    let adapter = if adapter == "Tokio" { Adapter::Tokio } else { Adapter::Blocking };
    let config = heartbeat(2, 2);
    let socket = if let Some((_, url)) = task.split_once(' ') {
        adapter.dial(url, config).await
    } else {
        let (url, listener) = listen().await;
        let port: u16 = url.rsplit_once(':').unwrap().1.parse().unwrap();
        tell(&json!({"port": port}));
        adapter.accept(&listener, config).await
    };
    tell(&json!("open"));
    let look = |now, conn: &mut Connection| {
        while let Some(event) = conn.poll_event() {
            match event {
                Event::Message(message) => conn.send(now, message).unwrap(),
                Event::Stalled { late } => tell(&json!({"stalled": late.as_secs_f64()})),
                Event::Closed(disconnect) => {
                    tell(&json!({"closed": disconnect.to_string()}));
                    return false;
                }
                _ => {}
            }
        }
        true
    };
    socket.drive(None, look).await;
}

fn tell(what: &Value) {
    // The harness may have left a line of its own unfinished.
    println!("\n{what}");
}
