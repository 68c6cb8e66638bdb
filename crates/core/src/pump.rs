//! Connects a connection with a session.

use crate::connection::{Connection, Event};
use crate::message::Message;
use crate::{Close, CloseCode, Instant, Session};

/// Places are kept while more than this may arrive. Less than two of the largest chunks is soon over, or is one
/// sender's share among many; with many senders, their places would take more memory than they save.
const KEEP: u64 = 1 << 20;

/// Moves everything that can move between a connection and the session that it serves.
///
/// Tell the session about the link first ([`Session::handle_link_up`]), at a server as well as at a client: before that
/// nothing is sent, and an arriving message ends the connection with 1011.
///
/// Call it after each `handle_*` on the connection and after each answer to the session, then look at the session's
/// events and at the connection's output. This includes [`handle_written`](Connection::handle_written): what has left
/// makes room for the next chunk, which has no deadline and would wait until something else happens. Messages are taken
/// from the session only while the connection has [`room`](Connection::room), so that chunks are cut late and pings
/// find little in front of them. The session's replies to messages are sent before it hears that the peer closes.
/// Silences that the connection survived are reported to the session, which may change the heartbeat. The connection's
/// end becomes the session's: after its last event the connection is of no more use.
///
/// Text messages, and binary ones that do not belong to the transfer protocol, end the connection with 1003; so do
/// pieces of messages, which the session cannot use.
pub fn pump(now: Instant, connection: &mut Connection, session: &mut Session) {
    if connection.has_messages() {
        while connection.has_messages() {
            if let Some(event) = connection.poll_event() {
                handle(now, connection, session, event);
            }
        }
        send(now, connection, session);
    }
    while let Some(event) = connection.poll_event() {
        if let Event::Closed(disconnect) = event {
            return session.handle_link_down(now, disconnect);
        }
        handle(now, connection, session, event);
    }
    if let Some(silence) = connection.poll_survived() {
        session.handle_survived(now, silence);
    }
    if let Some(change) = session.poll_heartbeat(now) {
        connection.set_heartbeat_interval(now, change.to, change.why);
    }
    send(now, connection, session);
    let (in_flight, promised) = (session.transfers().in_flight(), session.transfers().promised());
    let is_impatient = session.is_impatient(now);
    // A sender whose source has nothing to give says so, again and again.
    connection.set_awaiting(now, in_flight > 0 || promised > 0 || is_impatient);
    connection.set_impatient(now, is_impatient);
    connection.keep_places(promised > KEEP);
}

fn handle(now: Instant, connection: &mut Connection, session: &mut Session, event: Event) {
    match event {
        Event::Message(Message::Binary(message)) => {
            let is_foreign = session.handle_message(now, message).is_some();
            if is_foreign && !session.has_link() {
                // Our host's mistake: the peer did nothing wrong, and may reconnect.
                let why = "a message came before the session was told of its link";
                let _ = connection.close(now, Close::ours(CloseCode::INTERNAL_ERROR, why));
            } else if is_foreign {
                refuse(now, connection, "an unknown binary message");
            }
        }
        Event::Message(_) => refuse(now, connection, "a text message"),
        Event::Piece(_) => refuse(now, connection, "a piece of a message"),
        Event::Doubtful { .. } => {
            session.handle_link_event(event);
            session.handle_doubt(now);
        }
        Event::Pong { rtt } => {
            session.handle_rtt(now, rtt);
            session.handle_link_event(event);
        }
        other => session.handle_link_event(other),
    }
}

fn send(now: Instant, connection: &mut Connection, session: &mut Session) {
    while connection.room() > 0 {
        let Some(message) = session.poll_message(now, connection.room()) else {
            if let Some(close) = session.poll_close() {
                // Already closing: the other side's reason stays.
                let _ = connection.close(now, close);
            }
            return;
        };
        if connection.send_parts(now, message).is_err() {
            // Closing: what is lost here is offered again on the next link.
            return;
        }
    }
}

fn refuse(now: Instant, connection: &mut Connection, why: &str) {
    if let Ok(close) = Close::new(CloseCode::UNSUPPORTED_DATA, why) {
        let _ = connection.close(now, close);
    }
}
