//! The closing handshake as one table: what each input does in each state.
//!
//! Each cell is a fresh machine, brought into the state of its column and given the input of its row.

use super::*;
use crate::CloseCode;
use crate::table::{self, Table};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;

/// When a state is entered, and when the input comes.
const ENTERED: Instant = Instant::from_secs(5);
const NOW: Instant = Instant::from_secs(6);

type Step = fn(&mut Closing, Instant) -> String;

/// The states, and how to get there.
const STATES: [(&str, Step); 14] = [
    ("Open", |_, _| String::new()),
    ("Sent", |it, now| told(it.close(now, Close::normal()).ok())),
    ("Sent, left", |it, now| told(it.close(now, Close::normal()).ok()) + &left(it, now)),
    ("Sent, gaps", |it, now| told(it.close(now, Close::normal()).ok()) + &deaf(it, now) + &left(it, now)),
    ("Sent, skips", |it, now| {
        let then = now - it.config.close_timeout;
        told(it.close(then, Close::normal()).ok()) + &deaf(it, then) + &left(it, then) + &waited(it, now)
    }),
    ("Failed", |it, now| fails(it, now)),
    ("Failed, left", |it, now| fails(it, now) + &left(it, now)),
    ("Held", |it, now| holds(it, now, b"\x03\xe8")),
    ("Both, data", |it, now| closes(it, now, b"\x03\xe8")),
    ("Both", |it, now| holds(it, now, b"\x03\xe8") + &fails(it, now)),
    ("Both, left", |it, now| closes(it, now, b"\x03\xe8") + &left(it, now)),
    ("Drain", |it, now| ends(it, now, End::WriteFailed)),
    ("Drain, skips", |it, now| ends(it, now - it.config.drain_timeout, End::WriteFailed) + &skips(it, now)),
    ("Over", |it, now| ends(it, now, End::Eof)),
];

/// What can happen.
const INPUTS: [(&str, Step); 21] = [
    ("we close with 1000", |it, now| told(it.close(now, Close::normal()).ok())),
    ("we fail with 1002", fails),
    ("our Close has left", left),
    ("Close 1001 comes", |it, now| closes(it, now, b"\x03\xe9")),
    ("Close without a code", |it, now| closes(it, now, b"")),
    ("Close 1006, invalid", |it, now| closes(it, now, b"\x03\xee")),
    ("Close 1001 is to wait", |it, now| holds(it, now, b"\x03\xe9")),
    ("it has been seen", |it, now| told(it.answer(now))),
    ("data comes", |it, now| if it.handle_data(now) { "deliver".into() } else { String::new() }),
    ("a Ping comes", |it, now| if it.handle_ping(now) { "answer".into() } else { String::new() }),
    ("a Pong comes", |it, now| if it.handle_pong(now) { "look".into() } else { String::new() }),
    ("we stop reading", deaf),
    ("the stream ends", |it, now| ends(it, now, End::Eof)),
    ("the connection is reset", |it, now| ends(it, now, End::Reset)),
    ("a write fails", |it, now| ends(it, now, End::WriteFailed)),
    ("a read fails", |it, now| ends(it, now, End::ReadFailed)),
    ("we drop the transport", |it, now| ends(it, now, End::LocalAbort)),
    ("nobody is there", |it, now| told(it.dead(now))),
    ("the wait is over", |it, now| waited(it, now)),
    ("... a moment before", |it, now| {
        it.handle_timeout(it.poll_timeout().unwrap_or(now) - Duration::from_nanos(1));
        String::new()
    }),
    ("... and data lies unread", |it, now| skips(it, it.poll_timeout().unwrap_or(now))),
];

fn told(payload: Option<Bytes>) -> String {
    let Some(payload) = payload else { return String::new() };
    match Close::decode(&payload).0.code() {
        CloseCode::NO_STATUS => "Close".into(),
        code => format!("Close {}", code.as_u16()),
    }
}

fn fails(closing: &mut Closing, now: Instant) -> String {
    told(closing.fail(now, CloseCode::PROTOCOL_ERROR, ""))
}

fn left(closing: &mut Closing, now: Instant) -> String {
    closing.handle_close_flushed(now, None);
    String::new()
}

fn closes(closing: &mut Closing, now: Instant, payload: &[u8]) -> String {
    told(closing.handle_close(now, payload))
}

fn holds(closing: &mut Closing, now: Instant, payload: &[u8]) -> String {
    closing.hold_close(now, payload);
    String::new()
}

fn deaf(closing: &mut Closing, now: Instant) -> String {
    closing.set_reading(now, false);
    String::new()
}

fn ends(closing: &mut Closing, now: Instant, end: End) -> String {
    closing.handle_end(now, end);
    String::new()
}

fn skips(closing: &mut Closing, now: Instant) -> String {
    closing.skip_data(now);
    String::new()
}

fn waited(closing: &mut Closing, now: Instant) -> String {
    match closing.handle_timeout(closing.poll_timeout().unwrap_or(now)) {
        Some(Overdue::Answer(payload)) => told(Some(payload)),
        Some(Overdue::Data) => "drop".into(),
        None => String::new(),
    }
}

/// A machine in this state.
fn in_state(role: Role, enter: Step) -> Closing {
    let mut closing = Closing::new(Config::default(), role, Instant::ZERO);
    enter(&mut closing, ENTERED);
    closing
}

fn state(closing: &Closing) -> &'static str {
    let failed = closing.failed.is_some();
    match &closing.state {
        State::Open => "Open",
        State::Sent(Wait::Flush { .. }) if failed => "Failed",
        State::Sent(Wait::Flush { .. } | Wait::Data { .. }) => "Sent",
        State::Sent(Wait::Peer { .. }) if failed => "Failed, left",
        State::Sent(Wait::Peer { hearing: Hearing::All, .. }) => "Sent, left",
        State::Sent(Wait::Peer { hearing: Hearing::Gaps, .. }) => "Sent, gaps",
        State::Sent(Wait::Peer { hearing: Hearing::Skips, .. }) => "Sent, skips",
        State::Held { .. } => "Held",
        State::Both(Wait::Data { .. }) => "Both, data",
        State::Both(Wait::Flush { .. }) => "Both",
        State::Both(Wait::Peer { .. }) => "Both, left",
        State::Drain { skips: false, .. } => "Drain",
        State::Drain { skips: true, .. } => "Drain, skips",
        State::Ending { .. } | State::Over => "Over",
    }
}

/// The result of an input.
fn outcome(role: Role, enter: Step, input: Step) -> String {
    let mut closing = in_state(role, enter);
    let (was, ignored) = (state(&closing), closing.ignored);
    let output = input(&mut closing, NOW);
    let is = state(&closing);
    let after = match closing.poll_disconnect(&Evidence::default()) {
        Some(end) if was != "Over" => {
            let kind = format!("{:?}", end.kind());
            format!("! {}", kind.split(['(', ' ']).next().unwrap_or_default())
        }
        _ if is != was => format!("→ {is}"),
        _ if closing.ignored > ignored => "ignore".into(),
        _ => String::new(),
    };
    [output, after].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ")
}

fn wait(closing: &Closing) -> String {
    closing.poll_timeout().map_or(String::new(), |at| format!("{:?}", at - ENTERED))
}

fn on(on: bool) -> String {
    if on { "yes".into() } else { String::new() }
}

const LEGEND: &str = "\
The closing handshake. A cell says what is to be written or done, then: → another state, ! the end and its kind,
ignore: the frame is counted as one that came too late, · nothing changes. Left: our Close has left. Gaps: we have not
read all the time since. Skips: what comes before the peer's Close is not looked at. Data: it waits before our answer;
drop: it has waited for too long. Waits: for so long, from when the state was entered.

";

fn print() -> String {
    let mut table = Table::new(STATES.map(|(name, _)| name));
    let look = |role, show: fn(&Closing) -> String| STATES.map(|(_, enter)| show(&in_state(role, enter)));
    table.row("waits", look(Role::Client, wait));
    table.row("heartbeat", look(Role::Client, |it| on(it.wants_heartbeat())));
    table.row("client's transport", look(Role::Client, |it| format!("{:?}", it.transport())));
    table.row("server's transport", look(Role::Server, |it| format!("{:?}", it.transport())));
    table.gap();
    for (name, input) in INPUTS {
        let cells = STATES.map(|(_, enter)| outcome(Role::Client, enter, input));
        assert_eq!(cells, STATES.map(|(_, enter)| outcome(Role::Server, enter, input)), "{name}");
        table.row(name, cells);
    }
    LEGEND.to_string() + &table.to_string()
}

#[test]
fn every_state_is_reached() {
    for (name, enter) in STATES {
        assert_eq!(state(&in_state(Role::Client, enter)), name);
    }
}

#[test]
fn every_input_follows_the_table_in_every_state() {
    table::check("closing/machine/states.txt", &print());
}
