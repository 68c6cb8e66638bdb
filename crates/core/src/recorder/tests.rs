//! What is recorded, and how it reads.

use super::entry::{Entry, Range};
use super::*;
use crate::connection::Lesson;
use crate::{CloseCode, End};
use alloc::format;
use alloc::string::{String, ToString};

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn recorder() -> Recorder {
    Recorder::new(Role::Server, &heartbeat::Config::default(), Instant::ZERO)
}

/// Notes these in turn, with no traffic between them.
fn timeline(notes: impl IntoIterator<Item = (u64, What)>) -> String {
    let mut recorder = recorder();
    for (millis, what) in notes {
        recorder.note(at(millis), what, Counts::default(), Instant::ZERO);
    }
    recorder.timeline(core::iter::empty(), Counts::default(), Instant::ZERO).to_string()
}

/// The text of a single note.
fn told(what: What) -> String {
    let all = timeline([(0, what)]);
    all.lines()
        .nth(1)
        .unwrap_or_default()
        .trim_start_matches([' ', '.', '0'])
        .trim_start_matches("s  ")
        .into()
}

fn lasted(millis: u64) -> Range {
    Duration::from_millis(millis).into()
}

#[test]
fn an_entry_is_small() {
    assert!(size_of::<Entry>() <= 64, "{}", size_of::<Entry>());
    assert!(size_of::<Recorder>() <= 128, "{}", size_of::<Recorder>());
}

#[test]
fn the_latest_entries_are_kept_and_older_ones_are_counted() {
    let code = |n: u16| What::Asked(CloseCode::new(n));
    let all = timeline((1..=100).map(|n| (u64::from(n) * 1000, code(n))));
    let lines: Vec<_> = all.lines().collect();
    assert_eq!(lines.len(), 2 + KEPT);
    assert_eq!(lines[1].trim(), "... 36 older lines not kept ...");
    assert!(lines[2].ends_with("we close with 37 (unknown)"), "{}", lines[2]);
    assert!(lines[65].ends_with("we close with 100 (unknown)"), "{}", lines[65]);
    let one = timeline((1..=65).map(|n| (60_000, code(n))));
    assert!(one.contains("... 1 older line not kept ...") && !one.contains("silence"), "{one}");
}

#[test]
fn repeated_events_are_one_entry() {
    let all = timeline([
        (1000, What::Full(lasted(1000))),
        (5000, What::Full(lasted(3200))),
        (9000, What::Full(lasted(1500))),
        (9500, What::Stalled(lasted(4000))),
        (20_000, What::Full(lasted(1000))),
    ]);
    assert_eq!(
        all,
        "      0.000 s  opened as the server; heartbeat 20 s, timeout 20 s\n\
         \u{20}  .. 9.000 s  the transport took nothing 3 times, for 1 to 3.2 s\n\
         \u{20}     9.500 s  this process did not run for 4 s\n\
         \u{20}    20.000 s  the transport took nothing for 1 s\n"
    );
}

#[test]
fn repeated_events_are_one_entry_even_while_bytes_cross() {
    let mut recorder = recorder();
    let counts = |bytes_sent, messages_sent| Counts { bytes_sent, messages_sent, ..Counts::default() };
    recorder.note(at(2000), What::Deaf(lasted(1000)), counts(1000, 1), at(1000));
    recorder.note(at(4000), What::Deaf(lasted(1000)), counts(2000, 2), at(3000));
    let timeline = recorder.timeline(core::iter::empty(), counts(5000, 3), at(5000));
    assert_eq!(
        timeline.to_string().split_once('\n').unwrap_or_default().1,
        "   .. 1.000 s  sent 1000 bytes in 1 message\n\
         \u{20}  .. 4.000 s  our application did not read 2 times, for 1 s\n\
         \u{20}  .. 5.000 s  sent 3.9 KiB in 2 messages\n"
    );
}

/// The text about routine traffic since the beginning.
fn routine(recorder: &Recorder, counts: Counts) -> String {
    let all = recorder.timeline(core::iter::empty(), counts, at(0)).to_string();
    all.lines()
        .nth(1)
        .unwrap_or_default()
        .trim_start_matches([' ', '.', '0'])
        .trim_start_matches("s  ")
        .to_string()
}

#[test]
fn round_trips_are_shown_as_a_range() {
    let told = |round_trips: &[u64], pings, pongs| {
        let mut recorder = recorder();
        for micros in round_trips {
            recorder.round_trip(Duration::from_micros(*micros));
        }
        let counts = Counts { bytes_sent: 1, pings, pongs, ..Counts::default() };
        routine(&recorder, counts)
    };
    assert_eq!(told(&[20_000], 1, 1), "1 ping answered in 20 ms");
    assert_eq!(told(&[40_000, 11_000, 23_000], 3, 3), "3 pings answered in 11 to 40 ms");
    assert_eq!(told(&[300_000_000, 600_000_000], 2, 2), "2 pings answered in 5 to 10 min");
    let long = told(&[100_000_000, 160_000_000], 2, 2);
    assert_eq!(long, "2 pings answered in 1 min 40 s to 2 min 40 s");
    assert_eq!(told(&[40_000, 8_300_000], 3, 2), "2 of 3 pings answered in 40 ms to 8.3 s");
    assert_eq!(told(&[], 3, 0), "3 pings without a pong");
    // One that was sent before the last entry, and answered after it.
    assert_eq!(told(&[20_000], 0, 1), "1 ping answered in 20 ms");
}

#[test]
fn routine_traffic_is_summed_up() {
    let told = |counts: Counts| routine(&recorder(), counts);
    let none = Counts::default();
    let busy =
        Counts { bytes_sent: 11, messages_sent: 1, bytes_received: 3 << 20, messages_received: 2, ..none };
    assert_eq!(told(busy), "sent 11 bytes in 1 message; received 3.0 MiB in 2 messages");
    assert_eq!(told(Counts { messages_sent: 2, ..none }), "2 messages to send");
    assert_eq!(told(Counts { bytes_received: 60, pings_received: 10, ..none }), "the peer sent 10 pings");
    // Parts of messages, but not the Close frames.
    assert_eq!(told(Counts { bytes_sent: 5000, bytes_received: 131, ..none }), "sent 4.9 KiB");
    assert_eq!(told(Counts { bytes_sent: 131, bytes_received: 132, ..none }), "received 132 bytes");
    assert_eq!(told(Counts { bytes_sent: 131, bytes_received: 131, ..none }), "");
    let pinged = Counts { pings: 1, pongs: 1, ..none };
    assert_eq!(told(Counts { bytes_sent: 393, bytes_received: 393, ..pinged }), "1 ping answered");
    assert_eq!(
        told(Counts { bytes_sent: 394, bytes_received: 5, ..pinged }),
        "sent 394 bytes; 1 ping answered"
    );
    let pinged = Counts { pings_received: 2, ..none };
    assert_eq!(told(Counts { bytes_received: 393, ..pinged }), "the peer sent 2 pings");
}

#[test]
fn a_silence_of_ten_seconds_or_more_is_shown() {
    let all = timeline([(9_999, What::PeerDoesNotPong), (19_999, What::CloseSent(CloseCode::NORMAL))]);
    assert!(!all.contains("9.9 s of silence") && all.contains("... 10 s of silence ..."), "{all}");
    // The last part of this has a cause of its own.
    let all = timeline([(60_000, What::Slept(lasted(45_000)))]);
    assert!(all.contains("... 15 s of silence ...") && all.contains("the machine slept for 45 s"), "{all}");
}

#[test]
fn times_of_a_long_connection_are_shown_in_hours() {
    let all = timeline([(9_999_999, What::PeerDoesNotPong)]);
    assert!(all.contains("  9999.999 s  the peer"), "{all}");
    let all = timeline([(10_000_000, What::PeerDoesNotPong)]);
    assert!(all.contains("  2:46:40.000  the peer"), "{all}");
    let all = timeline([(10_000_000, What::PeerDoesNotPong), (360_061_007, What::TransportEnded(End::Eof))]);
    assert!(all.contains("0:00:00.000  opened") && all.contains(" 100:01:01.007  the stream"), "{all}");
}

#[test]
fn lines_fit_the_width_of_a_terminal() {
    let why = Lesson::Dropped { silence: Duration::from_millis(60_040) };
    let (from, to) = (Duration::from_secs(120).into(), Duration::from_secs(45).into());
    let all = timeline([(75_040, What::Heartbeat { from, to, why }), (75_040, What::PeerDoesNotPong)]);
    assert!(all.lines().all(|line| line.len() <= 80), "{all}");
    let told = "heartbeat 45 s instead of 120 s: a silence of 60 s ended a\n               connection";
    assert!(all.contains(told), "{all}");
}

#[test]
fn each_kind_of_entry_has_its_wording() {
    let code = CloseCode::GOING_AWAY;
    for (what, words) in [
        (What::ClockBack(lasted(20)), "the clock went back by 20 ms"),
        (What::StillFull, "the transport took a byte, and has taken nothing since"),
        (What::StillDeaf, "our application stopped reading"),
        (What::PingLeft, "sent a ping; nothing has come since"),
        (What::PingWaits, "a ping is due, but cannot leave"),
        (What::Asked(code), "we close with 1001 (going away)"),
        (What::Failed(code), "we cannot go on, and close with 1001 (going away)"),
        (What::CloseSent(code), "sent close frame 1001 (going away)"),
        (What::CloseReceived(code), "received close frame 1001 (going away)"),
        (What::TransportEnded(End::Reset), "the connection was reset"),
        (What::TransportEnded(End::WriteFailed), "a write failed; reading what is left"),
        (What::TransportEnded(End::WriteReset), "a write found the connection reset; reading what is left"),
        (
            What::TransportEnded(End::WriteTimedOut),
            "a write found that the system had given up; reading what is left",
        ),
        (What::TransportEnded(End::LocalAbort), "we drop the connection"),
        (What::TransportEnded(End::Miscounted), "this program miscounted its writes: we drop the connection"),
        (What::NotLeft(1), "1 byte had not left"),
        (What::Doubtful(Duration::from_secs(6).into()), "nothing has come for 6 s, and a ping has no answer"),
        (What::GaveWay, "a new connection takes its place"),
        (What::GaveUp(GaveUp::NobodyThere), "no sign of life: gave up"),
        (What::GaveUp(GaveUp::CloseUnanswered), "our close frame was not answered: gave up"),
        (What::GaveUp(GaveUp::NothingTaken), "nothing leaves any more: gave up"),
        (What::GaveUp(GaveUp::NothingToRead), "there is nothing more to read"),
        (What::GaveUp(GaveUp::BothClosed), "both sides have closed: dropped the transport"),
        (What::Now(Standing::Open { round_trip: None }), "open"),
        (
            What::Now(Standing::Open { round_trip: Some(Duration::from_millis(5).into()) }),
            "open; round trip 5 ms",
        ),
        (What::Now(Standing::Closing), "closing"),
    ] {
        assert_eq!(told(what), words);
    }
}

#[test]
fn the_timeline_says_how_the_heartbeat_was_set() {
    let opened = |mode| {
        let config = heartbeat::Config { mode, ..heartbeat::Config::default() };
        let recorder = Recorder::new(Role::Client, &config, Instant::ZERO);
        let all = recorder.timeline(core::iter::empty(), Counts::default(), at(0));
        format!("{all}").trim().to_string()
    };
    assert_eq!(opened(Mode::Off), "0.000 s  opened as the client; no heartbeat");
    assert_eq!(opened(Mode::KeepaliveOnly), "0.000 s  opened as the client; heartbeat 20 s, no timeout");
}

#[test]
fn extreme_times_and_counts_do_no_harm() {
    let mut recorder = recorder();
    recorder.round_trip(Duration::MAX);
    let counts = Counts { bytes_sent: u64::MAX, messages_sent: u32::MAX, pings: 1, ..Counts::default() };
    recorder.note(Instant::MAX, What::Stalled(Duration::MAX.into()), counts, Instant::MAX);
    let open = [(Instant::MAX, What::StillFull)].into_iter();
    let all = recorder.timeline(open, counts, Instant::ZERO).to_string();
    assert!(all.contains("this process did not run for 1193 h 2 min"), "{all}");
}

#[test]
fn an_ongoing_event_is_listed_where_it_began() {
    let open = [(at(1000), What::StillFull)].into_iter();
    let counts = Counts { bytes_received: 500, messages_received: 1, ..Counts::default() };
    let all = recorder().timeline(open, counts, at(3000)).to_string();
    assert!(all.find("1.000 s  the transport") < all.find(".. 3.000 s  received"), "{all}");
}
