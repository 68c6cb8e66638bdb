//! Streams of messages over loopback TCP, with one end in a thread of its own.

mod blocking;
mod raw;

pub(crate) use blocking::{bowline_on, tungstenite_on};

use std::net::{TcpListener, TcpStream};
use std::sync::{Barrier, mpsc};
use std::thread;

use bowline_core::Role;
use bytes::Bytes;
use tokio::runtime::Builder;

use crate::cpu::{Cost, Usage};
use crate::peers::{Body, Peer, each};
use crate::table::{Better, Goal, Table};

const LEN: usize = 256 << 10;

/// Who sends what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) from: Role,
    pub(crate) owned: bool,
    pub(crate) messages: usize,
}

/// One end of a run; reports through the channel that it has begun, and through the other that it is done.
type Work = fn(&Job) -> Cost;

const WAYS: [(&str, Role, bool); 3] = [
    ("client to server, shared body", Role::Client, false),
    ("client to server, owned body", Role::Client, true),
    ("server to client, shared body", Role::Server, false),
];

/// User seconds per GiB, all CPU, and wall time; on tokio, and blocking.
pub fn streams(rounds: usize, mib: usize) -> Vec<Table> {
    let tokio: Vec<(&str, Work)> = std::iter::once(("limit: raw TCP, tokio", raw::tokio as Work))
        .chain(each!(peer, tokio::net::TcpStream, Work))
        .collect();
    let blocking: Vec<(&str, Work)> = vec![
        ("limit: raw TCP, blocking", raw::blocking),
        ("bowline-blocking", blocking::bowline),
        ("tungstenite", blocking::tungstenite),
    ];
    let mut tables = run("tokio", &tokio, rounds, mib);
    tables.extend(run("blocking", &blocking, rounds, mib));
    tables
}

fn run(adapter: &str, contenders: &[(&str, Work)], rounds: usize, mib: usize) -> Vec<Table> {
    let table = |name: &'static str, what: &str| {
        let title = format!("Streams over TCP, {adapter}, 256 KiB messages: {what}");
        Table::new(name, &title, "s per GiB", Better::Less, WAYS.map(|(name, ..)| name.into()).into())
    };
    let (user, cpu, wall) = match adapter {
        "tokio" => ("streams-tokio-user", "streams-tokio-cpu", "streams-tokio-wall"),
        _ => ("streams-blocking-user", "streams-blocking-cpu", "streams-blocking-wall"),
    };
    let mut tables = [table(user, "user time"), table(cpu, "CPU of both ends"), table(wall, "wall time")];
    tables[0].goals = [0.08, 0.05, 0.02].map(|value| Some(Goal::Value(value))).into();
    for _ in 0..rounds {
        for (column, (_, from, owned)) in WAYS.into_iter().enumerate() {
            let job = Job { from, owned, messages: (mib << 20) / LEN };
            for (name, work) in contenders {
                let cost = work(&job);
                let gib = mib as f64 / 1024.0;
                tables[0].add(name, column, cost.user / gib);
                tables[1].add(name, column, cost.cpu() / gib);
                tables[2].add(name, column, cost.wall / gib);
            }
        }
    }
    tables.into()
}

fn peer<P: Peer<Stream = tokio::net::TcpStream>>(job: &Job) -> Cost {
    let &Job { from, messages, .. } = job;
    let to = if from == Role::Client { Role::Server } else { Role::Client };
    both(
        job,
        move |stream, bodies| {
            on_tokio(stream, async |stream| {
                let mut peer = P::new(stream, from);
                for body in bodies {
                    peer.send(body).await;
                }
                peer.flush().await;
            });
        },
        move |stream| {
            on_tokio(stream, async |stream| {
                let mut peer = P::new(stream, to);
                for _ in 0..messages {
                    let message = peer.receive().await;
                    assert_eq!(P::len(&message), LEN);
                }
            });
        },
    )
}

/// Runs both ends, each in a thread, and returns what they cost together.
fn both(
    job: &Job,
    send: impl FnOnce(TcpStream, Box<dyn Iterator<Item = Body>>) + Send + 'static,
    receive: impl FnOnce(TcpStream),
) -> Cost {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let sender = TcpStream::connect(listener.local_addr().expect("bound")).expect("somebody listens");
    let (receiver, _) = listener.accept().expect("a connection");
    for stream in [&sender, &receiver] {
        stream.set_nodelay(true).expect("a socket");
    }
    let start = std::sync::Arc::new(Barrier::new(2));
    let (done, ended) = mpsc::channel::<()>();
    let (job, at) = (*job, std::sync::Arc::clone(&start));
    let thread = thread::spawn(move || {
        let template = Bytes::from(vec![0x5a; LEN]);
        at.wait();
        // The stream lives until everything has arrived.
        let keep = sender.try_clone().expect("a descriptor");
        send(sender, Box::new((0..job.messages).map(move |_| body(&template, job.owned))));
        let _ = ended.recv();
        drop(keep);
    });
    start.wait();
    let before = Usage::now();
    receive(receiver);
    let cost = Usage::now().since(before);
    drop(done);
    thread.join().expect("it has sent everything");
    cost
}

fn body(template: &Bytes, owned: bool) -> Body {
    if owned { Body::Owned(template.to_vec()) } else { Body::Shared(template.clone()) }
}

fn on_tokio(stream: TcpStream, work: impl AsyncFnOnce(tokio::net::TcpStream)) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        stream.set_nonblocking(true).expect("a socket");
        work(tokio::net::TcpStream::from_std(stream).expect("a socket")).await;
    });
}
