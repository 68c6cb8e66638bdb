//! A host that reports more bytes as written than there were.

use super::*;
use crate::closing::{Retry, Who};

/// More than is masked at once on its way out.
const LARGE: usize = 600 << 10;

fn shown(connection: &Connection) -> usize {
    connection.outputs().map(<[u8]>::len).sum()
}

/// The possible states of a queue, by name.
fn queues() -> Vec<(&'static str, Connection)> {
    let large = Bytes::from(vec![7; LARGE]);
    let client = || {
        let config = Config { fragment: Some(LARGE), ..config() };
        Connection::client(config, [1; 32], T0)
    };
    let with = |mut connection: Connection, work: &dyn Fn(&mut Connection)| {
        work(&mut connection);
        connection
    };
    let send = |it: &mut Connection| it.send(T0, Message::Binary(large.clone())).unwrap();
    let ping = |it: &mut Connection| assert_eq!(it.ping(T0, b"?"), Ok(1));
    let begin = |it: &mut Connection| it.handle_written(T0, 1);
    let close = |it: &mut Connection| it.close(T0, Close::normal()).unwrap();
    let text = |it: &mut Connection| it.send(T0, Message::text("abc")).unwrap();
    vec![
        ("nothing", client()),
        ("a message", with(client(), &text)),
        ("a ping", with(client(), &ping)),
        ("a Close", with(client(), &close)),
        (
            "a ping in front of a message",
            with(client(), &|it| {
                text(it);
                ping(it);
            }),
        ),
        (
            "a ping and a Close behind a message that leaves",
            with(client(), &|it| {
                text(it);
                begin(it);
                ping(it);
                close(it);
            }),
        ),
        ("what is masked as it leaves", with(client(), &send)),
        (
            "a ping in front of that",
            with(client(), &|it| {
                send(it);
                ping(it);
            }),
        ),
        (
            "a ping and more behind the first part of that",
            with(client(), &|it| {
                send(it);
                begin(it);
                ping(it);
                close(it);
            }),
        ),
        ("some of what is not copied", with(server(), &send)),
        (
            "a ping behind the first fragment of that",
            with(server(), &|it| {
                send(it);
                begin(it);
                ping(it);
            }),
        ),
    ]
}

#[test]
fn a_host_that_reports_too_much_as_written_is_cut_off_at_once() {
    // A few more, or everything that is queued and not shown yet.
    let reports = [|_, more| more, |_, more| more + 100_000, usize::max, |_, _| usize::MAX];
    for (which, report) in reports.into_iter().enumerate() {
        for (name, mut connection) in queues() {
            let shown = shown(&connection);
            let n = report(connection.queued(), shown + 1);
            connection.handle_written(at(1), n);
            assert_eq!(connection.transport(), Transport::Drop, "{name}, report {which}");
            assert_eq!((connection.output(), connection.queued()), (&b""[..], 0), "{name}");
            let events = events(&mut connection);
            let [Event::Closed(disconnect)] = &events[..] else { panic!("{name}: {events:?}") };
            assert_eq!(disconnect.end(), Some(End::Miscounted), "{name}");
            assert_eq!((disconnect.kind(), disconnect.who()), (Kind::LocalAbort, Who::Us), "{name}");
            let closed = disconnect.sent().is_some();
            assert_eq!(disconnect.retry() == Retry::Backoff, !closed, "{name}");
            let (sentence, story) = (disconnect.to_string(), disconnect.explain().to_string());
            assert!(sentence.contains("reported more as written"), "{sentence}");
            assert!(story.contains("this program miscounted its writes"), "{story}");
        }
    }
}

#[test]
fn a_host_that_counts_correctly_is_not_cut_off() {
    for (name, mut connection) in queues() {
        drain(&mut connection, at(1));
        connection.handle_written(at(1), 0);
        assert_eq!(connection.transport(), Transport::Keep, "{name}");
    }
}

/// The host may report a write that was under way when another one failed, or when all was over.
#[test]
fn reports_after_a_failed_write_are_not_counted() {
    let mut connection = server();
    connection.send(T0, Message::text("abc")).unwrap();
    connection.handle_end(T0, End::WriteFailed);
    connection.handle_written(T0, 5);
    assert!(connection.wants_input(), "the last words may still come");
    connection.handle_end(T0, End::Eof);
    connection.handle_written(T0, 5);
    assert_eq!(end(&mut connection).end(), Some(End::Eof));
}

#[test]
fn a_miscount_hides_an_earlier_fault_of_the_peer() {
    let mut connection = server();
    let mut reserved = to_server(0x81, b"?");
    reserved[0] |= 0x40;
    connection.handle_input(T0, &[to_server(0x81, b"a"), reserved].concat());
    connection.handle_written(T0, 1);
    assert_eq!(end(&mut connection).kind(), Kind::LocalAbort);
}

#[test]
fn a_close_that_is_due_but_not_shown_does_not_count() {
    let mut reserved = to_server(0x81, b"?");
    reserved[0] |= 0x40;
    for last in [reserved, to_server(0x88, b"\x03\xe8")] {
        let mut connection = server();
        connection.handle_input(T0, &[to_server(0x81, b"a"), last].concat());
        // Now our Close is due, and waits for the time.
        events(&mut connection);
        assert_eq!((connection.output(), connection.poll_timeout()), (&b""[..], Some(T0)));
        connection.handle_written(T0, 1);
        assert_eq!(connection.transport(), Transport::Drop);
        assert_eq!(end(&mut connection).end(), Some(End::Miscounted));
    }
}

#[test]
fn a_miscount_does_not_count_as_a_quick_drop_by_the_peer() {
    let histories =
        [|it: &mut Connection| it.handle_written(T0, 1), |it: &mut Connection| it.abort(T0)].map(|act| {
            let mut connection = server();
            act(&mut connection);
            let mut history = History::default();
            history.record(&end(&mut connection));
            history
        });
    assert_eq!(histories[0], histories[1]);
}
