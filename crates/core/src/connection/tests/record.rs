//! What a connection reports about its life, and what it records.

use super::*;

fn timeline(connection: &Connection, millis: u64) -> alloc::string::String {
    connection.timeline(at(millis)).to_string()
}

/// Answers the ping that is due after `millis`, this much later.
fn answer_ping(client: &mut Connection, millis: u64, later: u64) {
    client.handle_timeout(at(millis));
    let bytes = drain(client, at(millis));
    let pings = frames(Role::Client, &bytes);
    client.handle_input(at(millis + later), &to_client(0x8a, &pings[0].1));
}

#[test]
fn hours_of_pings_take_one_line_and_no_memory() {
    let mut client = client();
    let mut now = 0;
    for round in 0..500 {
        now += 20_000;
        answer_ping(&mut client, now, 11 + round % 30);
        now += 11 + round % 30;
        events(&mut client);
    }
    assert_eq!(client.recorder.memory(), 0);
    let text = timeline(&client, now + 1000);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("500 pings answered in 11 to 40 ms\n"), "{text}");
    assert!(text.contains("  open; round trip "), "{text}");
}

#[test]
fn the_record_stays_small_whatever_happens() {
    let mut client = client();
    for round in 1..2000 {
        let now = at(round * 5000);
        client.send(now, Message::binary(vec![0; 1000])).unwrap_or_default();
        client.handle_wake(now, Duration::from_secs(11 + round));
        client.handle_timeout(now);
        client.set_heartbeat_interval(now, Duration::from_millis(9000 + round), Lesson::Asked);
        drain(&mut client, now);
        client.handle_input(now, &to_client(0x82, b"x"));
        events(&mut client);
    }
    assert!(client.recorder.memory() <= 4 << 10, "{}", client.recorder.memory());
    assert!(client.is_open());
}

#[test]
fn the_timeline_shows_no_secrets() {
    let mut client = client();
    client.send(T0, Message::text("secret")).unwrap();
    client.ping(T0, b"secret").unwrap();
    drain(&mut client, T0);
    client.handle_input(T0, &to_client(0x81, b"secret"));
    client.handle_input(T0, &to_client(0x88, &close_payload(1000, "secret")));
    client.handle_end(at(10), End::Eof);
    let disconnect = end(&mut client);
    let timeline = disconnect.timeline().map(ToString::to_string).unwrap_or_default();
    assert!(timeline.contains("received close frame 1000 (OK)\n"), "{timeline}");
    assert!(!timeline.contains("secret"), "{timeline}");
    assert!(!alloc::format!("{:?}", disconnect.timeline()).contains("secret"));
}

#[test]
fn our_first_close_is_reported_when_it_has_left() {
    let mut client = client();
    client.send(T0, Message::binary(vec![0; 20_000])).unwrap();
    client.close(T0, Close::normal()).unwrap();
    client.handle_written(T0, 10);
    assert_eq!(events(&mut client), []);
    drain(&mut client, at(500));
    assert_eq!(events(&mut client), [Event::CloseSent(Close::normal())]);
    let text = timeline(&client, 600);
    let close = text.find("0.000 s  we close with 1000 (OK)");
    assert!(
        close < text.find("0.500 s  sent close frame 1000 (OK)") && text.ends_with("closing\n"),
        "{text}"
    );
}

#[test]
fn a_transport_that_takes_nothing_is_reported_after_a_second() {
    let mut client = client();
    client.send(T0, Message::binary(vec![0; 20_000])).unwrap();
    client.handle_written(T0, 10);
    client.handle_blocked(T0);
    assert_eq!(client.poll_timeout(), Some(at(1000)));
    client.handle_timeout(at(999));
    assert_eq!(events(&mut client), []);
    client.handle_timeout(at(1000));
    assert_eq!(events(&mut client), [Event::WriteBlocked { lasted: Duration::from_secs(1) }]);
    assert_eq!(client.poll_timeout(), Some(at(20_000)));
    assert!(
        timeline(&client, 4000).contains("0.000 s  the transport took a byte, and has taken nothing since\n")
    );
    client.handle_written(at(5000), 10);
    assert_eq!(events(&mut client), [Event::Unblocked { lasted: Duration::from_secs(5) }]);
    assert!(timeline(&client, 5000).contains("5.000 s  the transport took nothing for 5 s\n"));
    assert!(!timeline(&client, 9000).contains("nothing since"));
}

#[test]
fn ordinary_back_pressure_is_not_reported() {
    let mut client = client();
    for round in 0..1000 {
        let now = at(round * 10);
        let _ = client.send(now, Message::binary(vec![0; 1000]));
        client.handle_blocked(now);
        client.handle_timeout(now);
        client.handle_written(now, 1000);
    }
    assert_eq!(events(&mut client), []);
    assert_eq!(timeline(&client, 10_000).lines().count(), 3);
}

#[test]
fn a_pause_of_the_reader_is_recorded() {
    let mut config = config();
    config.receive_buffer = 1000;
    let mut client = Connection::client(config, [1; 32], T0);
    client.handle_input(at(1000), &to_client(0x82, &[0; 1000]));
    events(&mut client);
    client.handle_timeout(at(1999));
    assert!(!timeline(&client, 5000).contains("read"));
    client.handle_input(at(5000), &to_client(0x82, &[0; 1000]));
    client.handle_timeout(at(5500));
    assert!(!timeline(&client, 5999).contains("reading"));
    assert!(timeline(&client, 6000).contains("5.000 s  our application stopped reading\n"));
    events(&mut client);
    client.handle_timeout(at(9000));
    let text = timeline(&client, 9000);
    assert!(text.contains("9.000 s  our application did not read for 4 s\n"), "{text}");
    assert!(!text.contains("stopped"), "{text}");
}

#[test]
fn a_clock_that_goes_back_is_recorded_unless_it_is_noise() {
    let mut client = client();
    client.handle_read(at(5000));
    client.handle_read(at(5000) - Duration::from_micros(999));
    assert!(!timeline(&client, 5000).contains("clock"));
    client.handle_read(at(4999));
    client.handle_read(at(2000));
    assert!(timeline(&client, 5000).contains(".. 5.000 s  the clock went back 2 times, by 1 ms to 3 s\n"));
    assert_eq!(client.stats().clock_regressions, 3);
}

#[test]
fn an_unanswered_close_is_explained_in_plain_words() {
    let mut client = client();
    client.close(T0, Close::normal()).unwrap();
    drain(&mut client, T0);
    client.handle_timeout(at(5000));
    let text = end(&mut client).explain().to_string();
    assert_eq!(
        text,
        "sent 1000 (OK); no close frame received; the other side did not answer within 5\ns\n\n\
         \u{20}     0.000 s  opened as the client; heartbeat 20 s, timeout 20 s\n\
         \u{20}     0.000 s  we close with 1000 (OK)\n\
         \u{20}     0.000 s  sent close frame 1000 (OK)\n\
         \u{20}     5.000 s  our close frame was not answered: gave up\n\n\
         Ended by this side; it was asked for, so there is nothing to do.\n"
    );
}

#[test]
fn nothing_more_is_recorded_after_the_end() {
    let mut client = client();
    client.handle_end(at(10), End::Reset);
    let before = timeline(&client, 10);
    client.handle_end(at(20), End::Eof);
    client.handle_wake(at(30), Duration::from_secs(20));
    assert_eq!(timeline(&client, 40), before);
    assert_eq!(end(&mut client).timeline().map(ToString::to_string), Some(before));
}

#[test]
fn a_ping_without_an_answer_has_a_line_of_its_own() {
    let mut client = client();
    client.send(T0, Message::text("hello")).unwrap();
    drain(&mut client, T0);
    client.handle_timeout(at(20_000));
    assert!(timeline(&client, 20_500).contains("20.000 s  a ping is due, but cannot leave\n"));
    drain(&mut client, at(21_000));
    assert_eq!(
        timeline(&client, 40_000).split_once('\n').unwrap_or_default().1,
        "   .. 0.000 s  sent 25 bytes in 1 message\n\
         \u{20}              ... 21 s of silence ...\n\
         \u{20}    21.000 s  sent a ping; nothing has come since\n\
         \u{20}              ... 19 s of silence ...\n\
         \u{20}    40.000 s  open\n"
    );
}

#[test]
fn unsent_messages_are_reported() {
    let end_with = |len| {
        let mut client = client();
        if len > 0 {
            client.send(T0, Message::binary(vec![0; len])).unwrap();
        }
        client.close(T0, Close::normal()).unwrap();
        client.handle_end(at(10), End::Reset);
        end(&mut client).explain().to_string()
    };
    assert!(end_with(20_000).contains("0.010 s  19.6 KiB had not left\n"), "{}", end_with(20_000));
    // A Close alone is mentioned in the sentence.
    assert!(!end_with(0).contains("had not left\n"), "{}", end_with(0));
}

#[test]
fn a_timeline_is_never_older_than_the_clock() {
    let mut client = client();
    client.handle_read(at(5000));
    assert_eq!(timeline(&client, 1000), timeline(&client, 5000));
}

#[test]
fn a_transport_whose_write_failed_is_not_reported_as_blocked() {
    let mut client = client();
    client.send(T0, Message::binary(vec![0; 20_000])).unwrap();
    client.handle_blocked(T0);
    client.handle_end(at(500), End::WriteFailed);
    client.handle_timeout(at(1000));
    assert_eq!(events(&mut client), []);
}

#[test]
fn a_transport_whose_write_failed_ends_once_there_is_nothing_more_to_read() {
    for failed in [End::WriteFailed, End::WriteReset, End::WriteTimedOut] {
        let mut client = client();
        client.handle_end(at(500), failed);
        let drained = client.poll_timeout().expect("a limit");
        client.handle_timeout(drained);
        let text = end(&mut client).timeline().expect("a record").to_string();
        assert!(text.contains("there is nothing more to read"), "{failed:?}: {text}");
    }
}

#[test]
fn our_close_is_reported_however_much_other_news_waits() {
    let mut client = client();
    for _ in 0..70 {
        client.handle_wake(T0, Duration::from_secs(20));
    }
    client.close(T0, Close::normal()).unwrap();
    drain(&mut client, T0);
    let events = events(&mut client);
    assert_eq!((events.len(), events.last()), (65, Some(&Event::CloseSent(Close::normal()))));
}

#[test]
fn a_close_from_the_peer_is_more_than_news() {
    let mut client = client();
    client.handle_wake(T0, Duration::from_secs(20));
    assert!(client.has_news());
    client.handle_input(T0, &to_client(0x88, &close_payload(1000, "")));
    client.poll_event();
    assert!(client.has_events() && !client.has_news());
    client.poll_event();
    client.handle_input(T0, &to_client(0x81, b"hello"));
    assert!(!client.has_news());
}
