//! Small messages there and back over loopback TCP, with one end in a thread of its own: what a message costs besides
//! its bytes.

mod blocking;
mod raw;

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier};
use std::thread;

use bowline_core::Role;
use bytes::Bytes;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::cpu::{Cost, Usage};
use crate::peers::{Body, Peer, at_once, each};
use crate::stream::{Calls, Counted};
use crate::table::{Better, Goal, Table};

const LEN: usize = 32;
/// How many times fewer messages a quick run sends.
const QUICK: usize = 2;

/// Who exchanges how many messages with whom.
#[derive(Clone, Copy)]
pub(crate) struct Job {
    connections: usize,
    /// This many messages of a connection are on their way at any time.
    in_flight: usize,
    /// Over each connection.
    messages: usize,
    /// Whether answers are held back while more has already arrived.
    held: bool,
}

/// The cost of a run, with the calls where they were counted.
struct Sample {
    cost: Cost,
    calls: Option<Both>,
}

#[derive(Clone, Default)]
struct Both {
    client: Arc<Calls>,
    server: Arc<Calls>,
}

type Work = fn(&Job) -> Option<Sample>;

const COLUMNS: [(&str, Job); 4] = [
    ("1 connection", Job { connections: 1, in_flight: 1, messages: 20_000, held: false }),
    ("64 connections", Job { connections: 64, in_flight: 1, messages: 1_250, held: false }),
    ("64 connections, 16 in flight", Job { connections: 64, in_flight: 16, messages: 2_500, held: false }),
    (
        "the same, held while more has come",
        Job { connections: 64, in_flight: 16, messages: 2_500, held: true },
    ),
];

/// CPU for each message, writes for each message, and writes of the server for each of its reads.
pub fn echo(rounds: usize, quick: bool) -> Vec<Table> {
    let mut contenders: Vec<(&str, Work)> = vec![("limit: raw TCP, tokio", raw::tokio)];
    contenders.extend(each!(peer, Counted<tokio::net::TcpStream>, Work));
    contenders
        .extend([("bowline-blocking", blocking::bowline as Work), ("tungstenite", blocking::tungstenite)]);

    let table = |name, title: &str, unit| {
        let columns = COLUMNS.map(|(name, _)| name.into()).into();
        Table::new(name, &format!("Echo of 32-byte messages over TCP: {title}"), unit, Better::Less, columns)
    };
    let mut tables = [
        table("echo-cpu", "CPU of both ends", "µs per message"),
        table("echo-writes", "writes of both ends", "calls per message"),
        table("echo-server", "writes of the server", "calls per read"),
    ];
    tables[0].goals = vec![Some(Goal::OfLimit(1.0)); COLUMNS.len()];
    tables[2].goals = vec![None, None, Some(Goal::Value(1.0)), Some(Goal::Value(1.0))];
    for _ in 0..rounds {
        for (column, (_, job)) in COLUMNS.into_iter().enumerate() {
            let job = Job { messages: if quick { job.messages / QUICK } else { job.messages }, ..job };
            for (name, work) in &contenders {
                let Some(Sample { cost, calls }) = work(&job) else { continue };
                let messages = (job.connections * job.messages) as f64;
                tables[0].add(name, column, cost.cpu() * 1e6 / messages);
                let Some(Both { client, server }) = calls else { continue };
                tables[1].add(name, column, (client.writes() + server.writes()) as f64 / messages);
                tables[2].add(name, column, server.writes() as f64 / server.reads() as f64);
            }
        }
    }
    tables.into()
}

fn peer<P: Peer<Stream = Counted<tokio::net::TcpStream>>>(job: &Job) -> Option<Sample> {
    if job.held && !P::CAN_LOOK {
        return None;
    }
    let calls = Both::default();
    let (of_client, of_server) = (Arc::clone(&calls.client), Arc::clone(&calls.server));
    let job = *job;
    let cost = both(
        job,
        move |streams| {
            on_tokio(streams, async move |stream| {
                let mut peer = P::new(Counted::new(stream, &of_client), Role::Client);
                let body = Bytes::from_static(&[7; LEN]);
                for _ in 0..job.in_flight {
                    peer.feed(Body::Shared(body.clone())).await;
                }
                peer.flush().await;
                for n in 0..job.messages {
                    let message = next(&mut peer, job.held).await;
                    if n + job.in_flight < job.messages {
                        answer(&mut peer, message, job.held).await;
                    }
                }
            });
        },
        move |streams| {
            on_tokio(streams, async move |stream| {
                let mut peer = P::new(Counted::new(stream, &of_server), Role::Server);
                for _ in 0..job.messages {
                    let message = next(&mut peer, job.held).await;
                    answer(&mut peer, message, job.held).await;
                }
                peer.flush().await;
            });
        },
    );
    Some(Sample { cost, calls: Some(calls) })
}

async fn next<P: Peer>(peer: &mut P, held: bool) -> P::Message {
    if held {
        if let Some(message) = at_once(peer.receive()).await {
            return message;
        }
        peer.flush().await;
    }
    peer.receive().await
}

async fn answer<P: Peer>(peer: &mut P, message: P::Message, held: bool) {
    assert_eq!(P::len(&message), LEN);
    match held {
        true => peer.echo_later(message).await,
        false => peer.echo(message).await,
    }
}

/// Runs both ends, each in a thread, and returns what they cost together.
fn both(
    job: Job,
    client: impl FnOnce(Vec<TcpStream>) + Send + 'static,
    server: impl FnOnce(Vec<TcpStream>) + Send + 'static,
) -> Cost {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (clients, servers) = (0..job.connections)
        .map(|_| {
            let client = TcpStream::connect(address).expect("somebody listens");
            let (server, _) = listener.accept().expect("a connection");
            for stream in [&client, &server] {
                stream.set_nodelay(true).expect("a socket");
            }
            (client, server)
        })
        .unzip();
    let start = Arc::new(Barrier::new(3));
    let spawn = |work: Box<dyn FnOnce() + Send>| {
        let start = Arc::clone(&start);
        thread::spawn(move || {
            start.wait();
            work();
        })
    };
    let threads = [spawn(Box::new(|| client(clients))), spawn(Box::new(|| server(servers)))];
    start.wait();
    let before = Usage::now();
    for thread in threads {
        thread.join().expect("all messages are there");
    }
    Usage::now().since(before)
}

/// Runs the same work on each stream, all of them in one thread.
fn on_tokio(streams: Vec<TcpStream>, work: impl AsyncFn(tokio::net::TcpStream) + 'static) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let work = std::rc::Rc::new(work);
    let set = LocalSet::new();
    for stream in streams {
        let work = std::rc::Rc::clone(&work);
        set.spawn_local(async move {
            stream.set_nonblocking(true).expect("a socket");
            work(tokio::net::TcpStream::from_std(stream).expect("a socket")).await;
        });
    }
    runtime.block_on(set);
}
