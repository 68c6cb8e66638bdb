//! Messages over real sockets: once and in order, whatever happens to the links.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bowline_core::Message;
use bowline_core::messages::{Config, Event, MAX_MESSAGE, SendError, SessionId, SessionsConfig, Why};
use bowline_core::replay::AckOn;
use bowline_host::client::ClientConfig;
use bowline_host::messages::{FlushError, Heard};
use bowline_host::server::ServerConfig;

use crate::ends::{Client, LIMIT, Pair, Talk, Talks};
use crate::papers::Over;
use crate::rig::{Serving, folder, id, lone_proxy, name, reserved, source, uneven_proxy, until};

/// A server that supports messages.
fn serve(pair: Pair, sessions: SessionsConfig) -> Serving {
    let mut config = ServerConfig::default();
    config.messages = Some(sessions);
    Serving::start(pair, config)
}

/// Settings of a client that supports messages, and dials again after milliseconds.
fn speaking() -> ClientConfig {
    let mut config = ClientConfig::default();
    config.messages = Some(Config::default());
    config.reconnect.base = Duration::from_millis(20);
    config.reconnect.first_window = Duration::from_millis(20);
    config.reconnect.floor = Duration::from_millis(1);
    config.reconnect.cap = Duration::from_millis(50);
    config
}

/// Both ends.
struct Rig {
    serving: Serving,
    client: Box<dyn Client>,
    here: Arc<dyn Talk>,
    there: Arc<dyn Talks>,
}

impl Rig {
    fn new(pair: Pair, sessions: SessionsConfig) -> Self {
        Self::over(serve(pair, sessions), |address| address)
    }

    /// The client connects through another address.
    fn over(serving: Serving, way: impl FnOnce(SocketAddr) -> SocketAddr) -> Self {
        let client = serving.client_at(way(serving.server.address()), speaking());
        Self { here: client.talk(), client, there: serving.server.talks(), serving }
    }

    /// The next message at this end.
    fn message(&self) -> Message {
        loop {
            if let Heard::Message(received) = self.here.receive().expect("it lives") {
                return received.message;
            }
        }
    }

    /// The next message at the server, and its sender.
    fn message_there(&self) -> (SessionId, Message) {
        message(&*self.there)
    }
}

fn message(there: &dyn Talks) -> (SessionId, Message) {
    loop {
        if let (session, Heard::Message(received)) = there.receive().expect("it lives") {
            return (session, received.message);
        }
    }
}

fn on_confirmation() -> SessionsConfig {
    let mut sessions = SessionsConfig::default();
    sessions.session.replay.ack_on = AckOn::Confirmation;
    sessions
}

fn numbered(n: usize) -> Message {
    if n % 2 == 0 { Message::text(format!("{n}")) } else { Message::binary(n.to_be_bytes().to_vec()) }
}

pub(crate) fn messages_cross_links_that_are_cut_once_and_in_order(pair: Pair) {
    const COUNT: usize = 600;
    // A TLS handshake takes some of it.
    let (least, most) = if pair.over == Over::Tls { (6000, 9000) } else { (600, 3600) };
    let rig = Rig::over(serve(pair, SessionsConfig::default()), |server| uneven_proxy(server, least, most));
    let (mut resumed, mut came) = (0, 0);
    thread::scope(|threads| {
        threads.spawn(|| {
            for n in 0..COUNT {
                rig.here.send(numbered(n)).expect("queued");
            }
            rig.here.flush().expect("arrived");
        });
        let there = &*rig.there;
        let (session, first) = message(there);
        assert_eq!(first, numbered(0));
        threads.spawn(move || {
            for n in 0..COUNT {
                there.send(session, numbered(n)).expect("queued");
            }
        });
        threads.spawn(move || {
            for n in 1..COUNT {
                assert_eq!(message(there), (session, numbered(n)));
            }
        });
        while came < COUNT {
            match rig.here.receive().expect("it lives") {
                Heard::Message(received) => {
                    assert_eq!(received.message, numbered(came));
                    came += 1;
                }
                Heard::Session(Event::Began(began)) => assert_eq!(began, session),
                Heard::Session(Event::Resumed { .. }) => resumed += 1,
                other => panic!("{other:?}"),
            }
        }
    });
    assert!(resumed > 2, "{resumed} links");
}

pub(crate) fn a_message_sent_without_a_link_waits_for_one(pair: Pair) {
    let (address, _kept) = reserved();
    let client = pair.client.client(&format!("ws://{address}"), speaking());
    let here = client.talk();
    here.send(Message::text("early")).expect("queued");
    let volatile = here.send_volatile(Message::text("now or never"));
    assert_eq!(volatile, Err(SendError::Down(Message::text("now or never"))));
    let mut config = ServerConfig::default();
    config.messages = Some(SessionsConfig::default());
    let dir = folder();
    let server = pair.server.server(address, crate::rig::store(dir.path()), config);
    let there = server.talks();
    let (session, early) = message(&*there);
    assert_eq!(early, Message::text("early"));
    here.send_volatile(Message::text("now")).expect("it is up");
    assert_eq!(message(&*there), (session, Message::text("now")));
    there.send_volatile(session, Message::text("you too")).expect("it is up");
    assert!(matches!(here.receive(), Some(Heard::Session(Event::Began(began))) if began == session));
    let Some(Heard::Message(received)) = here.receive() else { panic!("no message") };
    assert_eq!((received.receipt, received.message), (None, Message::text("you too")));
}

pub(crate) fn a_receiver_that_does_not_listen_stops_the_sender_before_memory_grows(pair: Pair) {
    let rig = Rig::new(pair, SessionsConfig::default());
    // Nobody gets less, however long it takes to say so.
    let while_there_is_room = |sent| if sent < 10 { LIMIT } else { Duration::from_millis(500) };
    let big = || Message::binary(vec![0; 100_000]);
    let mut sent = 0;
    while rig.here.send_within(big(), while_there_is_room(sent)).is_some() {
        sent += 1;
    }
    assert!((10..40).contains(&sent), "{sent} messages of a tenth of a megabyte");
    for _ in 0..sent {
        assert_eq!(rig.message_there().1.len(), 100_000);
    }
    rig.here.flush().expect("arrived");
    rig.here.send(Message::text("who?")).expect("queued");
    let (session, _) = rig.message_there();
    let mut answered = 0;
    while rig.there.send_within(session, big(), while_there_is_room(answered)).is_some() {
        answered += 1;
    }
    assert!((10..40).contains(&answered), "{answered} messages of a tenth of a megabyte");
    for _ in 0..answered {
        assert_eq!(rig.message().len(), 100_000);
    }
}

pub(crate) fn a_message_passes_a_file(pair: Pair) {
    let rig = Rig::new(pair, SessionsConfig::default());
    let dir = folder();
    let path = source(&dir, 40 << 20);
    let mut upload = rig.client.upload(&path, name("large"), id(1)).expect("queued");
    until(&mut upload, |progress| progress.received > 0);
    for n in 0..20 {
        rig.here.send(numbered(n)).expect("queued");
        assert_eq!(rig.message_there().1, numbered(n));
    }
    upload.finished().expect("sent");
}

pub(crate) fn a_session_that_the_server_ends_is_handed_back_and_followed_by_another(pair: Pair) {
    let rig = Rig::new(pair, on_confirmation());
    rig.here.send(Message::text("a")).expect("queued");
    let (session, first) = rig.message_there();
    assert_eq!(first, Message::text("a"));
    let here = Arc::clone(&rig.here);
    let flush = thread::spawn(move || here.flush());
    assert_eq!(rig.there.end_session(session), []);
    // If it came too late, there was nothing left to wait for.
    assert!(matches!(flush.join().expect("no panic"), Err(FlushError::Lost) | Ok(())));
    let (why, messages) = loop {
        if let Heard::Session(Event::Lost { why, messages }) = rig.here.receive().expect("it lives") {
            break (why, messages);
        }
    };
    assert_eq!((why, messages.len(), messages[0].maybe_delivered), (Why::Closed, 1, true));
    rig.here.send(Message::text("b")).expect("queued");
    let (another, again) = rig.message_there();
    assert!(another != session);
    assert_eq!(again, Message::text("b"));
}

pub(crate) fn a_confirmed_message_is_acknowledged(pair: Pair) {
    let rig = Rig::new(pair, on_confirmation());
    rig.here.send(Message::text("a")).expect("queued");
    let receipt = loop {
        if let (_, Heard::Message(received)) = rig.there.receive().expect("it lives") {
            break received.receipt.expect("numbered");
        }
    };
    assert_eq!(rig.here.flush_within(Duration::from_millis(400)), None);
    rig.there.confirm(receipt);
    rig.here.flush().expect("arrived");
}

/// The server learns what a client has confirmed through its room for more.
pub(crate) fn a_client_confirms_what_it_has_taken_care_of(pair: Pair) {
    let serving = serve(pair, SessionsConfig::default());
    let mut config = speaking();
    config.messages.as_mut().expect("set").replay.ack_on = AckOn::Confirmation;
    config.messages.as_mut().expect("set").replay.window.messages = 1;
    let client = serving.client(config);
    let (here, there) = (client.talk(), serving.server.talks());
    here.send(Message::text("here I am")).expect("queued");
    let (session, _) = message(&*there);
    for n in 0..3 {
        there.send(session, numbered(n)).expect("queued");
    }
    for n in 0..3 {
        let received = loop {
            if let Heard::Message(received) = here.receive().expect("it lives") {
                break received;
            }
        };
        assert_eq!(received.message, numbered(n));
        here.confirm(received.receipt.expect("numbered"));
    }
}

pub(crate) fn a_client_that_says_goodbye_ends_its_session(pair: Pair) {
    let Rig { here, there, client, serving } = Rig::new(pair, SessionsConfig::default());
    here.send(Message::text("a")).expect("queued");
    let (session, _) = message(&*there);
    here.flush().expect("arrived");
    client.close();
    let lost = Heard::Session(Event::Lost { why: Why::Closed, messages: Vec::new() });
    assert_eq!(there.receive(), Some((session, lost)));
    let unknown = there.send(session, Message::text("b"));
    assert_eq!(unknown, Err(SendError::Unknown(Message::text("b"))));
    drop(serving);
}

pub(crate) fn a_client_that_is_closed_hands_back_messages_that_have_not_arrived(pair: Pair) {
    let Rig { here, there, client, serving } = Rig::new(pair, on_confirmation());
    here.send(Message::text("a")).expect("queued");
    message(&*there);
    client.close();
    assert_eq!(here.send(Message::text("b")), Err(SendError::Unknown(Message::text("b"))));
    assert_eq!(here.flush(), Err(FlushError::Lost));
    assert!(matches!(here.receive(), Some(Heard::Session(Event::Began(_)))));
    let Some(Heard::Session(Event::Lost { why, messages })) = here.receive() else { panic!("not lost") };
    assert_eq!((why, messages.len(), messages[0].maybe_delivered), (Why::Closed, 1, true));
    assert_eq!(here.receive(), None, "and nothing else comes");
    drop(serving);
}

pub(crate) fn a_dropped_client_leaves_when_its_messages_have_arrived(pair: Pair) {
    let Rig { here, there, client, serving } = Rig::new(pair, on_confirmation());
    here.send(Message::text("a")).expect("queued");
    drop((here, client));
    let (session, receipt) = loop {
        if let (session, Heard::Message(received)) = there.receive().expect("it lives") {
            break (session, received.receipt.expect("numbered"));
        }
    };
    there.send_volatile(session, Message::text("are you there?")).expect("it waits");
    there.confirm(receipt);
    let lost = Heard::Session(Event::Lost { why: Why::Closed, messages: Vec::new() });
    assert_eq!(there.receive(), Some((session, lost)));
    drop(serving);
}

pub(crate) fn a_session_whose_client_is_gone_expires(pair: Pair) {
    let mut sessions = SessionsConfig::default();
    sessions.keep = Duration::from_millis(300);
    let rig = Rig::over(serve(pair, sessions), |server| lone_proxy(server, 1200));
    rig.here.send(Message::text("a")).expect("queued");
    let (session, _) = rig.message_there();
    rig.there.send(session, Message::binary(vec![0; 5000])).expect("queued");
    assert_eq!(rig.there.receive(), Some((session, Heard::Detached)));
    let Some((of, Heard::Session(Event::Lost { why, messages }))) = rig.there.receive() else {
        panic!("not lost")
    };
    assert_eq!((of, why, messages.len(), messages[0].maybe_delivered), (session, Why::Expired, 1, true));
}

/// Nobody receives events; a sender that waits for room does so itself.
pub(crate) fn a_sender_that_waits_for_room_is_told_when_the_session_expires(pair: Pair) {
    let mut sessions = SessionsConfig::default();
    sessions.keep = Duration::from_millis(300);
    sessions.session.replay.max_messages = 1;
    let rig = Rig::over(serve(pair, sessions), |server| lone_proxy(server, 1200));
    rig.here.send(Message::text("a")).expect("queued");
    let (session, _) = rig.message_there();
    rig.there.send(session, Message::binary(vec![0; 5000])).expect("queued");
    let more = Message::text("more");
    assert_eq!(rig.there.send(session, more.clone()), Err(SendError::Unknown(more)));
}

pub(crate) fn a_server_that_stops_hands_back_messages_that_have_not_arrived(pair: Pair) {
    let mut rig = Rig::over(serve(pair, SessionsConfig::default()), |server| lone_proxy(server, 1200));
    rig.here.send(Message::text("a")).expect("queued");
    let (session, _) = rig.message_there();
    rig.there.send(session, Message::binary(vec![0; 5000])).expect("queued");
    assert_eq!(rig.there.receive(), Some((session, Heard::Detached)));
    let there = Arc::clone(&rig.there);
    let waiting = thread::spawn(move || (there.receive(), there.receive()));
    rig.serving.server.stop();
    let (Some((of, Heard::Session(Event::Lost { why, messages }))), None) = waiting.join().expect("in time")
    else {
        panic!("not lost, or something else comes")
    };
    assert_eq!((of, why, messages.len()), (session, Why::Closed, 1));
}

pub(crate) fn a_client_that_gives_up_hands_back_its_messages(pair: Pair) {
    let mut config = ClientConfig::default();
    config.messages = Some(Config::default());
    config.reconnect.max_attempts = Some(1);
    // Nobody else is given this port, unlike one that was only just free.
    let client = pair.client.client("ws://127.0.0.1:1", config);
    let here = client.talk();
    // It may have given up already.
    let queued = here.send(Message::text("a")).is_ok();
    let heard = here.receive();
    let Some(Heard::Session(Event::Lost { why, messages })) = heard else { panic!("not lost: {heard:?}") };
    assert_eq!((why, messages.len()), (Why::Closed, usize::from(queued)));
    assert_eq!(here.send(Message::text("b")), Err(SendError::Unknown(Message::text("b"))));
    assert_eq!(here.flush(), Err(FlushError::Lost));
    assert_eq!(here.receive(), None, "and nothing else comes");
}

pub(crate) fn ends_that_do_not_speak_of_messages_say_so(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let client = serving.client(speaking());
    let speaks = client.talk();
    assert_eq!(speaks.receive(), Some(Heard::Session(Event::Unsupported)));
    let long = Message::binary(vec![0; MAX_MESSAGE + 1]);
    assert_eq!(speaks.send(long.clone()), Err(SendError::TooLong(long)));

    let mute = serving.client(ClientConfig::default()).talk();
    let (said, unsaid) = (Message::text("a"), SendError::Mute(Message::text("a")));
    assert_eq!(mute.send(said.clone()), Err(unsaid.clone()));
    assert_eq!(mute.send_volatile(said.clone()), Err(unsaid.clone()));
    assert_eq!((mute.flush(), mute.receive()), (Err(FlushError::Mute), None));
    for error in [unsaid.to_string(), FlushError::Mute.to_string()] {
        assert_eq!(error, "this end is not set up for messages: see `messages` in its settings");
    }

    let there = serving.server.talks();
    let session = SessionId::from_bytes([1; 16]);
    assert_eq!(there.send(session, said.clone()), Err(unsaid.clone()));
    assert_eq!(there.send_volatile(session, said), Err(unsaid));
    assert_eq!((there.receive(), there.end_session(session)), (None, Vec::new()));
}
