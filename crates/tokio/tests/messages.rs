//! Messages over real sockets: once and in order, whatever happens to the links.

use std::net::SocketAddr;
use std::time::Duration;

use bowline_core::Message;
use bowline_core::messages::{Config, Event, MAX_MESSAGE, SendError, SessionId, SessionsConfig, Why};
use bowline_core::replay::AckOn;
use bowline_core::transfer::{SafeName, TransferId};
use bowline_store::DiskStore;
use bowline_tokio::{Client, ClientConfig, Heard, Server, ServerConfig, SessionLost};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Generous: no test waits for it when all is well.
const LIMIT: Duration = Duration::from_secs(60);

struct Serving {
    _dir: TempDir,
    address: SocketAddr,
    server: Server,
    task: JoinHandle<std::io::Result<()>>,
}

impl Serving {
    async fn start(sessions: Option<SessionsConfig>) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let store = DiskStore::open(dir.path(), bowline_store::Config::default()).expect("a store");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut config = ServerConfig::default();
        config.messages = sessions;
        let server = Server::new(store, config);
        let serving = server.clone();
        let task = tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
        Self { _dir: dir, address, server, task }
    }

    /// The next message, and from whom.
    async fn message(&self) -> (SessionId, Message) {
        loop {
            if let (session, Heard::Message(received)) = self.heard().await {
                return (session, received.message);
            }
        }
    }

    async fn heard(&self) -> (SessionId, Heard) {
        timeout(LIMIT, self.server.receive()).await.expect("in time")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client that speaks of messages, and dials again after milliseconds.
fn client(address: SocketAddr, messages: Config) -> Client {
    let mut config = ClientConfig::default();
    config.messages = Some(messages);
    config.reconnect.base = Duration::from_millis(20);
    config.reconnect.first_window = Duration::from_millis(20);
    config.reconnect.floor = Duration::from_millis(1);
    config.reconnect.cap = Duration::from_millis(50);
    Client::new(&format!("ws://{address}"), config).expect("a URL")
}

async fn heard(client: &Client) -> Heard {
    timeout(LIMIT, client.receive()).await.expect("in time").expect("it lives")
}

async fn message(client: &Client) -> Message {
    loop {
        if let Heard::Message(received) = heard(client).await {
            return received.message;
        }
    }
}

fn numbered(n: usize) -> Message {
    if n % 2 == 0 { Message::text(format!("{n}")) } else { Message::binary(n.to_be_bytes().to_vec()) }
}

/// Passes bytes on, and cuts each connection after so many of them in either direction.
async fn cutting_proxy(to: SocketAddr, mut after: impl FnMut() -> u64 + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(to).await else { return };
            let after = after();
            tokio::spawn(async move {
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) =
                    (near.into_split(), far.into_split());
                let up = async {
                    let mut limited = (&mut near_in).take(after);
                    let _ = copy(&mut limited, &mut far_out).await;
                };
                let down = async {
                    let mut limited = (&mut far_in).take(after);
                    let _ = copy(&mut limited, &mut near_out).await;
                };
                tokio::select! {
                    () = up => {}
                    () = down => {}
                }
                let _ = far_out.shutdown().await;
            });
        }
    });
    address
}

#[tokio::test]
async fn messages_cross_links_that_are_cut_once_and_in_order() {
    const COUNT: usize = 600;
    let serving = Serving::start(Some(SessionsConfig::default())).await;
    let mut after = 300;
    let proxy = cutting_proxy(serving.address, move || {
        after = (after * 7 + 131) % 3001 + 600;
        after
    })
    .await;
    let client = client(proxy, Config::default());
    let (up, server) = (client.clone(), serving.server.clone());
    let says = tokio::spawn(async move {
        for n in 0..COUNT {
            up.send(numbered(n)).await.expect("queued");
        }
        up.flush().await.expect("arrived");
    });
    let (session, first) = serving.message().await;
    assert_eq!(first, numbered(0));
    let answers = tokio::spawn(async move {
        for n in 0..COUNT {
            server.send(session, numbered(n)).await.expect("queued");
        }
    });
    let there = async {
        for n in 1..COUNT {
            assert_eq!(serving.message().await, (session, numbered(n)));
        }
    };
    let (mut resumed, mut here) = (0, 0);
    let back = async {
        while here < COUNT {
            match heard(&client).await {
                Heard::Message(received) => {
                    assert_eq!(received.message, numbered(here));
                    here += 1;
                }
                Heard::Session(Event::Began(began)) => assert_eq!(began, session),
                Heard::Session(Event::Resumed { .. }) => resumed += 1,
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::join!(there, back);
    timeout(LIMIT, says).await.expect("in time").expect("said");
    timeout(LIMIT, answers).await.expect("in time").expect("answered");
    assert!(resumed > 2, "{resumed} links");
}

#[tokio::test]
async fn what_is_said_without_a_link_waits_for_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let client = client(address, Config::default());
    client.send(Message::text("early")).await.expect("queued");
    let volatile = client.send_volatile(Message::text("now or never")).await;
    assert_eq!(volatile, Err(SendError::Down(Message::text("now or never"))));
    let serving = Serving::start(Some(SessionsConfig::default())).await;
    let relay = TcpListener::bind(address).await.expect("the same port");
    let to = serving.address;
    tokio::spawn(async move {
        while let Ok((mut near, _)) = relay.accept().await {
            let mut far = TcpStream::connect(to).await.expect("it listens");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    assert_eq!(serving.message().await.1, Message::text("early"));
    client.send_volatile(Message::text("now")).await.expect("it is up");
    assert_eq!(serving.message().await.1, Message::text("now"));
}

#[tokio::test]
async fn who_does_not_listen_stops_the_other_end_before_memory_grows() {
    let serving = Serving::start(Some(SessionsConfig::default())).await;
    let client = client(serving.address, Config::default());
    let big = || Message::binary(vec![0; 100_000]);
    let mut sent = 0;
    while timeout(Duration::from_millis(500), client.send(big())).await.is_ok() {
        sent += 1;
    }
    assert!((10..40).contains(&sent), "{sent} messages of a tenth of a megabyte");
    for _ in 0..sent {
        assert_eq!(serving.message().await.1.len(), 100_000);
    }
    timeout(LIMIT, client.flush()).await.expect("in time").expect("arrived");
    let (session, _) = {
        client.send(Message::text("who?")).await.expect("queued");
        serving.message().await
    };
    let mut answered = 0;
    while timeout(Duration::from_millis(500), serving.server.send(session, big())).await.is_ok() {
        answered += 1;
    }
    assert!((10..40).contains(&answered), "{answered} messages of a tenth of a megabyte");
    for _ in 0..answered {
        assert_eq!(message(&client).await.len(), 100_000);
    }
}

#[tokio::test]
async fn a_message_passes_a_file() {
    let serving = Serving::start(Some(SessionsConfig::default())).await;
    let client = client(serving.address, Config::default());
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("large");
    std::fs::write(&path, vec![7; 40 << 20]).expect("written");
    let id = TransferId::from_bytes([1; 16]);
    let name = SafeName::parse("large").expect("safe");
    let mut upload = client.upload(&path, name, id).await.expect("queued");
    let mut progress = upload.progress();
    timeout(LIMIT, progress.wait_for(|progress| progress.received > 0))
        .await
        .expect("in time")
        .expect("it lives");
    for n in 0..20 {
        client.send(numbered(n)).await.expect("queued");
        assert_eq!(serving.message().await.1, numbered(n));
    }
    timeout(LIMIT, upload.finished()).await.expect("in time").expect("sent");
}

#[tokio::test]
async fn a_session_that_the_server_ends_is_handed_back_and_followed_by_another() {
    let mut sessions = SessionsConfig::default();
    sessions.session.replay.ack_on = AckOn::Confirmation;
    let serving = Serving::start(Some(sessions)).await;
    let client = client(serving.address, Config::default());
    client.send(Message::text("a")).await.expect("queued");
    let (session, heard_there) = loop {
        if let (session, Heard::Message(received)) = serving.heard().await {
            break (session, received);
        }
    };
    assert_eq!(heard_there.message, Message::text("a"));
    let flush = tokio::spawn({
        let client = client.clone();
        async move { client.flush().await }
    });
    tokio::task::yield_now().await;
    assert_eq!(serving.server.end_session(session), []);
    assert_eq!(timeout(LIMIT, flush).await.expect("in time").expect("no panic"), Err(SessionLost));
    let lost = loop {
        if let Heard::Session(Event::Lost { why, messages }) = heard(&client).await {
            break (why, messages);
        }
    };
    assert_eq!((lost.0, lost.1.len(), lost.1[0].maybe_delivered), (Why::Closed, 1, true));
    client.send(Message::text("b")).await.expect("queued");
    let (another, again) = serving.message().await;
    assert!(another != session);
    assert_eq!(again, Message::text("b"));
}

#[tokio::test]
async fn what_is_confirmed_is_acknowledged() {
    let mut sessions = SessionsConfig::default();
    sessions.session.replay.ack_on = AckOn::Confirmation;
    let serving = Serving::start(Some(sessions)).await;
    let client = client(serving.address, Config::default());
    client.send(Message::text("a")).await.expect("queued");
    let receipt = loop {
        if let (_, Heard::Message(received)) = serving.heard().await {
            break received.receipt.expect("numbered");
        }
    };
    assert!(timeout(Duration::from_millis(400), client.flush()).await.is_err());
    serving.server.confirm(receipt);
    timeout(LIMIT, client.flush()).await.expect("in time").expect("arrived");
}

#[tokio::test]
async fn a_client_that_says_goodbye_ends_its_session() {
    let serving = Serving::start(Some(SessionsConfig::default())).await;
    let client = client(serving.address, Config::default());
    client.send(Message::text("a")).await.expect("queued");
    let (session, _) = serving.message().await;
    client.flush().await.expect("arrived");
    timeout(LIMIT, client.close()).await.expect("in time");
    let lost = Heard::Session(Event::Lost { why: Why::Closed, messages: Vec::new() });
    assert_eq!(serving.heard().await, (session, lost));
    let unknown = serving.server.send(session, Message::text("b")).await;
    assert_eq!(unknown, Err(SendError::Unknown(Message::text("b"))));
}

#[tokio::test]
async fn a_session_whose_client_is_gone_expires() {
    let mut sessions = SessionsConfig::default();
    sessions.keep = Duration::from_millis(300);
    let serving = Serving::start(Some(sessions)).await;
    let proxy = cutting_proxy(serving.address, {
        let mut links = 0;
        move || {
            links += 1;
            if links == 1 { 1200 } else { 0 }
        }
    })
    .await;
    let client = client(proxy, Config::default());
    client.send(Message::text("a")).await.expect("queued");
    let (session, _) = serving.message().await;
    serving.server.send(session, Message::binary(vec![0; 5000])).await.expect("queued");
    assert_eq!(serving.heard().await, (session, Heard::Detached));
    let (of, Heard::Session(Event::Lost { why, messages })) = serving.heard().await else {
        panic!("not lost")
    };
    assert_eq!((of, why, messages.len(), messages[0].maybe_delivered), (session, Why::Expired, 1, true));
}

#[tokio::test]
async fn a_client_that_gives_up_hands_back_what_it_has() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let mut config = ClientConfig::default();
    config.messages = Some(Config::default());
    config.reconnect.max_attempts = Some(1);
    let client = Client::new(&format!("ws://{address}"), config).expect("a URL");
    // It may have given up already.
    let queued = client.send(Message::text("a")).await.is_ok();
    let Heard::Session(Event::Lost { why, messages }) = heard(&client).await else { panic!("not lost") };
    assert_eq!((why, messages.len()), (Why::Closed, usize::from(queued)));
    let unknown = client.send(Message::text("b")).await;
    assert_eq!(unknown, Err(SendError::Unknown(Message::text("b"))));
    assert_eq!(client.flush().await, Err(SessionLost));
}

#[tokio::test]
async fn ends_that_do_not_speak_of_messages_say_so() {
    let serving = Serving::start(None).await;
    let speaks = client(serving.address, Config::default());
    assert_eq!(heard(&speaks).await, Heard::Session(Event::Unsupported));
    let mute = Client::new(&format!("ws://{}", serving.address), ClientConfig::default()).expect("a URL");
    let refused = timeout(LIMIT, async {
        loop {
            if let Err(error) = mute.send(Message::text("a")).await {
                return error;
            }
        }
    });
    assert_eq!(refused.await.expect("in time"), SendError::Unknown(Message::text("a")));
    let long = Message::binary(vec![0; MAX_MESSAGE + 1]);
    assert_eq!(speaks.send(long.clone()).await, Err(SendError::TooLong(long)));
}
