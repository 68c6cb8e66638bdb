use std::path::Path;

use bowline_core::message::Piece;
use bowline_core::messages::SessionId;
use bowline_core::transfer::{Offer, SafeName, TransferId};
use bowline_core::{Close, Message};
use bowline_handshake::Config;
use bowline_handshake::client::Request;
use bowline_handshake::server::Accept;
use bowline_store::{DiskStore, Pipe};
use bowline_tokio::accept::{self, Asked, Decision};
use bowline_tokio::{
    Client, Download, Driver, Guest, Receiver, ReconnectingWebSocket, Sender, Server, Transfer, WebSocket,
    dial,
};
use tokio::net::{TcpListener, TcpStream};

fn is_send(_: impl Send) {}

/// What a task that moves between threads waits for. The test is that it compiles: nobody calls these.
#[test]
fn every_future_is_send() {
    let _ = (websockets, halves, reconnecting, clients, transfers, servers, handshakes);
}

fn websockets(socket: &mut WebSocket<TcpStream>, driver: &mut Driver<TcpStream>, stream: TcpStream) {
    is_send(WebSocket::connect(""));
    is_send(WebSocket::accept(stream));
    is_send(socket.receive());
    is_send(socket.receive_piece());
    is_send(socket.event());
    is_send(socket.send(Message::text("")));
    is_send(socket.send_piece(Piece::text("")));
    is_send(socket.flush());
    is_send(socket.ended());
    is_send(driver.drive());
}

fn halves(sender: &Sender, receiver: &mut Receiver) {
    is_send(sender.send(Message::text("")));
    is_send(sender.send_piece(Piece::text("")));
    is_send(sender.flush());
    is_send(sender.ping(&[]));
    is_send(sender.close(Close::normal()));
    is_send(sender.rtt());
    is_send(sender.stats());
    is_send(sender.timeline());
    is_send(receiver.receive());
    is_send(receiver.receive_piece());
    is_send(receiver.ended());
    is_send(receiver.rtt());
}

fn reconnecting(socket: &mut ReconnectingWebSocket) {
    is_send(socket.receive());
    is_send(socket.event());
    is_send(socket.send(Message::text("")));
}

fn clients(client: &Client) {
    is_send(client.send(Message::text("")));
    is_send(client.send_volatile(Message::text("")));
    is_send(client.receive());
    is_send(client.flush());
    is_send(client.ping());
    is_send(client.clone().close());
}

fn transfers(
    client: &Client,
    transfer: &mut Transfer,
    (name, id): (SafeName, TransferId),
    (offer, pipe): (Offer, Pipe),
    (store, download): (&DiskStore, Download),
) {
    is_send(client.upload(Path::new(""), name.clone(), id));
    is_send(client.download(name.clone(), Path::new(""), id, false));
    is_send(client.offer(offer, None));
    is_send(client.pipe(pipe, name, id));
    is_send(client.fetch(store, download));
    is_send(transfer.finished());
}

fn servers(
    server: &Server,
    listener: TcpListener,
    streams: [TcpStream; 2],
    guest: Guest,
    session: SessionId,
) {
    let [stream, other] = streams;
    is_send(server.serve(listener, std::future::pending()));
    is_send(server.serve_stream(stream, String::new()));
    is_send(server.serve_guest(other, guest, String::new()));
    is_send(server.sweep());
    is_send(server.receive());
    is_send(server.send(session, Message::text("")));
}

fn handshakes(streams: [TcpStream; 3], asked: Asked<TcpStream>, request: &Request) {
    let [one, two, three] = streams;
    is_send(dial::connect("", &dial::Config::default()));
    is_send(dial::connect_with(request, &dial::Config::default()));
    is_send(dial::handshake(one, request, &Config::default()));
    is_send(accept::receive(two, &Config::default()));
    is_send(accept::accept(three, &Config::default(), |_, _| Decision::Accept(Accept::new())));
    is_send(asked.accept(&Accept::new()));
}
