//! What is kept of a command, as text and as a page.

use super::*;
use bowline_core::Instant as Time;
use bowline_core::closing::Obstacle;
use bowline_core::connection::{Config, Connection, Event};

fn story() -> Story {
    Story::new(&Record { explain: true, report: None }, "send", "a.bin".into(), "ws://h/")
        .expect("nothing is written")
}

fn arrival(name: &str, bytes: u64) -> Arrival {
    let digest = Digest::of(name.as_bytes());
    Arrival { name: name.into(), bytes, resent: 1024, links: 2, seconds: 1.5, deduplicated: false, digest }
}

/// The end of a connection that lived for this many seconds.
fn end(seconds: u64) -> Disconnect {
    let mut connection = Connection::client(Config::default(), [1; 32], Time::ZERO);
    connection.handle_end(Time::from_secs(seconds), bowline_core::End::Eof);
    std::iter::from_fn(|| connection.poll_event())
        .find_map(|event| if let Event::Closed(end) = event { Some(end) } else { None })
        .expect("it has ended")
}

fn text(story: &Story) -> String {
    story.lines().join("\n")
}

#[test]
fn each_turn_is_a_line_and_each_connection_has_its_record() {
    let mut story = story();
    let failed = Disconnect::connect_failed(Obstacle::Refused, "nothing is listening at h:80".to_owned());
    story.link(&LinkEvent::Dialing { attempt: 1 });
    story.link(&LinkEvent::DialFailed { attempt: 1, disconnect: failed });
    story.link(&LinkEvent::Waiting { attempt: 2, delay: Duration::from_millis(1500) });
    story.link(&LinkEvent::Dialing { attempt: 2 });
    story.link(&LinkEvent::Up { link: 1 });
    story.link(&LinkEvent::Down { disconnect: end(7) });
    let text = text(&story);
    for words in [
        "  dials ws://h/\n",
        "  not reachable: nothing is listening at h:80\n",
        "  waits for 1.5 s\n",
        "  dials again, attempt 2\n",
        "  connection 1 is up\n",
        "  connection 1 has ended: no close frame received or sent;",
        "Connection 1, from ",
        "      0.000 s  opened as the client; heartbeat 20 s, timeout 20 s\n",
        "      7.000 s  ",
    ] {
        assert!(text.contains(words), "{words:?} in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_second_connection_beside_a_silent_one_is_reported_with_its_outcome() {
    let mut story = story();
    let failed = Disconnect::connect_failed(Obstacle::Refused, "nothing is listening at h:80".to_owned());
    story.link(&LinkEvent::Up { link: 3 });
    story.link(&LinkEvent::DialingBeside);
    story.link(&LinkEvent::DialBesideFailed { disconnect: failed });
    story.link(&LinkEvent::DialingBeside);
    story.link(&LinkEvent::Kept);
    let text = text(&story);
    let told: Vec<_> =
        text.lines().filter_map(|line| line.split_once(" s  ")).map(|(_, told)| told).collect();
    let expected = [
        "connection 3 is up",
        "connection 3 is silent: dials a second one",
        "the second one is not reachable: nothing is listening at h:80",
        "connection 3 is silent: dials a second one",
        "connection 3 carries again: the second one is closed",
    ];
    assert_eq!(told[..5], expected, "{text}");
}

#[test]
fn the_last_of_many_connections_are_kept() {
    let mut story = story();
    for link in 1..=400 {
        story.link(&LinkEvent::Up { link });
        story.link(&LinkEvent::Down { disconnect: end(1) });
    }
    let text = text(&story);
    assert!(!text.contains("Connection 384, from") && text.contains("Connection 385, from"), "{text}");
    assert!(text.contains("Connection 400, from"), "{text}");
    assert!(text.contains("connection 1 is up") && text.contains("connection 400 is up"), "{text}");
    assert!(text.contains("... 544 more are not kept ..."), "{text}");
}

#[test]
fn the_first_of_many_files_are_named() {
    let mut story = story();
    for number in 1..=FILES + 2 {
        story.done(|| format!("sent {number}.txt"), arrival("a", 1));
    }
    let text = text(&story);
    assert!(text.contains("sent 32.txt") && !text.contains("sent 33.txt"), "{text}");
    assert!(text.ends_with("  34 files in all"), "{text}");
}

/// Text of a page without its markup.
fn words(page: &str) -> String {
    page.split('<')
        .filter_map(|part| part.split_once('>'))
        .map(|(_, text)| text)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether each element that is opened is closed, in the right order.
fn is_well_formed(page: &str) -> bool {
    let mut open = Vec::new();
    for tag in page.split('<').skip(1).filter_map(|part| part.split_once('>')).map(|(tag, _)| tag) {
        let name = tag.split([' ', '\n']).next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) if open.pop() != Some(name) => return false,
            Some(_) => {}
            None if tag.ends_with('/') || ["!doctype", "meta", "br"].contains(&name) => {}
            None => open.push(name),
        }
    }
    open.is_empty()
}

#[test]
fn a_page_has_the_numbers_and_no_markup_of_others() {
    let (sender, receiver) = watch::channel(Traffic::default());
    let mut story = story().watching(receiver);
    story.link(&LinkEvent::Up { link: 1 });
    let mut traffic = Traffic::default();
    (traffic.moved, traffic.chunk) = (3 << 20, Some(65_536));
    (traffic.window, traffic.in_flight) = (Some(300 << 10), 100 << 10);
    (traffic.round_trip, traffic.control_delay) =
        (Some(Duration::from_millis(40)), Some(Duration::from_millis(30)));
    sender.send_replace(traffic);
    story.link(&LinkEvent::Down { disconnect: end(7) });
    story.link(&LinkEvent::Up { link: 2 });
    story.done(|| "sent <b>".into(), arrival("<script>alert('1')</script>&", 3 << 20));
    story.end(&Ok(()));
    story.link(&LinkEvent::Down { disconnect: end(9) });
    let page = page::page(&story);
    assert!(is_well_formed(&page), "{page}");
    assert!(!page.contains("<script") && !page.contains("sent <b>") && !page.contains("http://"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;"), "{page}");
    let text = words(&page);
    for words in [
        "Everything has arrived, and both ends have computed the same digests.",
        "It took 2 connections: the link broke once, and was down for ",
        "In one file  3.0\u{a0}MiB",
        "Connections  2",
        "Crossed again  1.0\u{a0}KiB",
        "Round trips  40\u{a0}ms",
        "urgent waited behind files for 30 ms at most",
        "connection 1 has ended: no close frame received or sent;",
        "Connection 2, from ",
    ] {
        assert!(text.contains(words), "{words:?} in\n{text}");
    }
    for name in ["Throughput", "Window", "Chunk", "Round trip", "Control delay"] {
        assert!(page.contains(&format!("<figcaption><b>{name}</b>")), "{name}");
    }
    assert_eq!(page.matches("class=\"cut\" x1=").count(), 5, "one break in each plot, not the last end");
}

#[test]
fn a_unit_stands_beside_its_number_and_once_for_two_of_one_unit() {
    for (millis, shown) in [
        ([1, 371], "1\u{a0}to 371\u{a0}ms"),
        ([500, 1500], "500\u{a0}ms\u{a0}to 1.5\u{a0}s"),
        ([40, 40], "40\u{a0}ms"),
    ] {
        let (sender, receiver) = watch::channel(Traffic::default());
        let mut story = story().watching(receiver);
        for millis in millis {
            let mut traffic = Traffic::default();
            traffic.round_trip = Some(Duration::from_millis(millis));
            sender.send_replace(traffic);
            story.link(&LinkEvent::Up { link: 1 });
        }
        story.end(&Ok(()));
        let page = page::page(&story);
        assert!(page.contains(&format!("<dt>Round trips</dt><dd>{shown}</dd>")), "{shown} in\n{page}");
    }
}

#[test]
fn a_failure_of_all_files_is_reported_once() {
    let mut story = story();
    story.link(&LinkEvent::Dialing { attempt: 1 });
    for why in ["the disk is full", "the disk is full", "it is gone"] {
        story.failed(&Trouble::failed(why));
    }
    let text = text(&story);
    assert_eq!(["the disk is full", "it is gone"].map(|why| text.matches(why).count()), [1, 1], "{text}");
}

#[test]
fn an_entry_of_several_lines_has_one_time() {
    let mut story = story();
    story.failed(&Trouble::failed("one word and another ".repeat(20)));
    let text = text(&story);
    let lines: Vec<_> = text.lines().filter(|line| line.contains("another")).collect();
    assert!(lines.len() > 1 && lines[0].contains(" s  "), "{text}");
    assert!(lines[1..].iter().all(|line| line.starts_with(&" ".repeat(15))), "{text}");
}

#[test]
fn a_page_of_a_failure_says_why() {
    let mut story = story();
    story.link(&LinkEvent::Dialing { attempt: 1 });
    story.end(&Err(Trouble::failed("nobody <listens>")));
    let page = page::page(&story);
    assert!(is_well_formed(&page), "{page}");
    let text = words(&page);
    for words in [
        "Not everything has arrived: nobody &lt;listens&gt;.",
        "There was no connection.",
        "Nothing was measured.",
    ] {
        assert!(text.contains(words), "{words:?} in\n{text}");
    }
}

#[test]
fn a_page_stays_small_however_often_a_link_breaks() {
    let (sender, receiver) = watch::channel(Traffic::default());
    let mut story = story().watching(receiver);
    for link in 1..=5000 {
        let mut traffic = Traffic::default();
        (traffic.moved, traffic.window, traffic.round_trip) =
            (link, Some(link), Some(Duration::from_micros(link)));
        (traffic.chunk, traffic.control_delay) = (Some(link as u32), Some(Duration::from_micros(link)));
        sender.send_replace(traffic);
        story.link(&LinkEvent::Up { link: link as u32 });
        story.link(&LinkEvent::Down { disconnect: end(1) });
        story.done(|| format!("sent {link}"), arrival("a", 1));
    }
    story.end(&Ok(()));
    let page = page::page(&story);
    assert!(page.len() < 2 << 20, "{}", page.len());
    assert!(words(&page).contains("the link broke 5000 times"), "{page}");
}

#[test]
fn a_page_that_cannot_be_written_is_reported_before_anything_is_sent() {
    for (path, why) in [("/nowhere/x.html", "its folder is missing"), ("/", "it is a folder")] {
        let record = Record { explain: false, report: Some(path.into()) };
        let trouble = Story::new(&record, "send", String::new(), "").expect_err(path);
        assert!(trouble.to_string().ends_with(why), "{trouble}");
        assert_eq!(trouble.exit, crate::exit::Exit::Usage);
    }
}
