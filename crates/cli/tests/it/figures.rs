//! What Prometheus reads from a server, and what is in its log.

use crate::common::{LIMIT, Process, Signal, World};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The answer to a request for this.
fn ask(address: &str, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

fn is_name(name: &str) -> bool {
    let mut letters = name.bytes();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == b'_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

/// Reads the text format of Prometheus, and insists on its rules: HELP and TYPE before the samples of a name, each name
/// in one place, no sample twice, labels in quotes, and buckets of a histogram that grow up to its count.
fn samples(text: &str) -> BTreeMap<String, u64> {
    assert!(text.ends_with('\n'), "the last line ends");
    let (mut samples, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    let mut present = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').expect("a name and words");
            assert!(is_name(name) && !words.is_empty() && !kinds.contains_key(name), "{line}");
            name.clone_into(&mut present);
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a name and a kind");
            assert!(name == present && ["gauge", "counter", "histogram"].contains(&kind), "{line}");
            assert!(name.ends_with("_total") == (kind == "counter"), "counters are called so: {line}");
            kinds.insert(name.to_owned(), kind.to_owned());
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let kind = &kinds[&present];
        let suffix = name.strip_prefix(present.as_str()).unwrap_or_else(|| panic!("{line} among {present}"));
        assert_eq!(kind == "histogram", !suffix.is_empty(), "{line}");
        assert!(["", "_bucket", "_sum", "_count"].contains(&suffix), "{line}");
        let labels = labels.strip_suffix('}').expect("it is closed");
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (key, word) = label.split_once('=').expect("a label");
            let word = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
            assert!(is_name(key) && word.is_some_and(|word| !word.contains(['"', '\\'])), "{line}");
        }
        // Only times have fractions. They may be whole microseconds.
        let value = match suffix {
            "_sum" => (value.parse::<f64>().expect("a number") * 1e6) as u64,
            _ => value.parse().expect("a number"),
        };
        assert!(samples.insert(series.to_owned(), value).is_none(), "{line}");
    }
    for (name, _) in kinds.iter().filter(|(_, kind)| *kind == "histogram") {
        let bins = text.lines().filter(|line| line.starts_with(&format!("{name}_bucket{{")));
        let counts: Vec<u64> =
            bins.map(|line| line.rsplit_once(' ').expect("a value").1.parse().expect("a number")).collect();
        assert!(
            counts.is_sorted() && counts.last() == Some(&samples[&format!("{name}_count")]),
            "{counts:?}"
        );
        assert!(samples.contains_key(&format!("{name}_bucket{{le=\"+Inf\"}}")));
    }
    samples
}

struct Scraped {
    url: String,
    metrics: String,
    server: Process,
}

fn serve(world: &World, args: &[&str]) -> Scraped {
    let serve = ["serve", "--listen", "127.0.0.1:0", "--dir", "inbox", "--metrics", "127.0.0.1:0"];
    let mut command = world.bowline(serve.iter().chain(args));
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    let metrics = loop {
        line.clear();
        assert!(stderr.read_line(&mut line).expect("UTF-8") > 0, "it says where the figures are");
        if let Some(at) = line.trim_end().strip_prefix("figures for Prometheus: http://") {
            break at.strip_suffix("/metrics").expect("a path").to_owned();
        }
    };
    let mut server = Process::of(child, stderr);
    let line = server.line().expect("it listens");
    Scraped { url: line.strip_prefix("listening on ").expect("the agreed words").to_owned(), metrics, server }
}

#[test]
fn a_request_for_figures_may_come_in_pieces() {
    let world = World::new();
    let Scraped { metrics, server, .. } = serve(&world, &[]);
    let mut stream = TcpStream::connect(&metrics).expect("it listens");
    for piece in ["GET /met", "rics HTTP/1.1\r\nHost: h\r\n\r\n"] {
        stream.write_all(piece.as_bytes()).expect("it reads");
        // So that each is read by itself.
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("UTF-8");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    server.kill();
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn the_figures_of_a_server_tell_what_has_happened() {
    let world = World::new();
    world.file("a", 300_000);
    world.file("b", 10);
    world.file("inbox/b", 10);
    world.file("photos/c", 7);
    let Scraped { url, metrics, server } = serve(&world, &[]);
    let scrape = || samples(&ask(&metrics, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").1);
    let before = scrape();
    assert_eq!(before["bowline_connections_opened_total"], 0);
    assert_eq!(world.run(["send", "a", &url]).code, Some(0));
    assert_eq!(world.run(["send", "a", &url, "--limit-rate", "1G"]).code, Some(0));
    assert_eq!(world.run(["fetch", &format!("{url}/a"), "-o", "back"]).code, Some(0));
    assert_eq!(world.run(["fetch", &format!("{url}/nothing")]).code, Some(1));
    // A folder and a listing are no files.
    assert_eq!(world.run(["send", "photos", &url]).code, Some(0));
    assert_eq!(world.run(["list", &url]).code, Some(0));
    let address = url.strip_prefix("ws://").expect("an address");
    assert!(ask(address, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").0.starts_with("HTTP/1.1 426"));
    let expected = [
        ("bowline_connections_opened_total", 6),
        ("bowline_connections_ended_total{kind=\"clean\"}", 6),
        ("bowline_refused_total{reason=\"handshake\"}", 1),
        ("bowline_transfers_done_total{direction=\"in\",result=\"arrived\"}", 2),
        ("bowline_transfers_done_total{direction=\"in\",result=\"already_there\"}", 1),
        ("bowline_transfers_done_total{direction=\"out\",result=\"arrived\"}", 1),
        ("bowline_transfers_failed_total{direction=\"out\",code=\"not_found\"}", 1),
        ("bowline_transfers{direction=\"in\",stage=\"moving\"}", 0),
        ("bowline_file_bytes_total{direction=\"in\"}", 300_007),
        ("bowline_file_bytes_total{direction=\"out\"}", 300_000),
        ("bowline_unfinished_files", 0),
        ("bowline_connections", 0),
    ];
    let mut after = scrape();
    // The last events may still be on their way.
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if expected.iter().all(|(series, value)| after.get(*series) == Some(value)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
        after = scrape();
    }
    for (series, value) in expected {
        assert_eq!(after.get(series), Some(&value), "{series}: {after:#?}");
    }
    let bytes = |way: &str| after[&format!("bowline_connection_bytes_total{{direction=\"{way}\"}}")];
    assert!((300_000..400_000).contains(&bytes("in")) && (300_000..400_000).contains(&bytes("out")));
    assert!(after["bowline_disk_free_bytes"] > 0);
    // What exists once exists for good: rates need that.
    let names = |samples: &BTreeMap<String, u64>| samples.keys().cloned().collect::<BTreeSet<_>>();
    assert!(names(&before).is_subset(&names(&after)));

    assert!(ask(&metrics, "GET / HTTP/1.1\r\n\r\n").0.starts_with("HTTP/1.1 404"));
    assert!(ask(&metrics, "POST /metrics HTTP/1.1\r\n\r\n").0.starts_with("HTTP/1.1 405"));
    let (head, body) = ask(&metrics, "HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 405") && head.contains("Content-Length: 21") && body.is_empty(),
        "{head}"
    );
    server.signal(Signal::INT);
    assert_eq!(server.finish().code, Some(0));
}

#[test]
fn silent_connections_keep_nobody_from_the_figures() {
    let world = World::new();
    let Scraped { metrics, server: _server, .. } = serve(&world, &[]);
    let _silent: Vec<_> = (0..128).map(|_| TcpStream::connect(&metrics).expect("it listens")).collect();
    let mut stream = TcpStream::connect(&metrics).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("it is a socket");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, before they all had their time");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn the_figures_show_open_transfers_and_unfinished_files() {
    let world = World::new();
    world.file("a", 3_000_000);
    let Scraped { url, metrics, server: _server } =
        serve(&world, &["--limit-rate", "200k", "--heartbeat", "200ms"]);
    let scrape = || samples(&ask(&metrics, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").1);
    let mut sending = Process::start(&mut world.bowline(["send", "a", &url, "--json"]));
    sending.middle();
    let moving = "bowline_transfers{direction=\"in\",stage=\"moving\"}";
    while scrape()[moving] < 1 {}
    let seen = scrape();
    assert_eq!((seen["bowline_connections"], seen["bowline_unfinished_files"]), (1, 1));
    assert_eq!(seen["bowline_unfinished_bytes"], 3_000_000);
    sending.signal(Signal::USR1);
    while scrape()["bowline_transfers{direction=\"in\",stage=\"paused\"}"] < 1 {}
    assert_eq!(scrape()[moving], 0);
    while scrape()["bowline_round_trip_seconds_count"] < 1 {}
    let seen = scrape();
    assert!(seen["bowline_pings_sent_total"] >= seen["bowline_pongs_received_total"]);
    assert!(seen["bowline_pongs_received_total"] >= 1 && seen["bowline_round_trip_seconds_sum"] > 0);
    sending.kill();
    while scrape()["bowline_connections"] > 0 {}
    let seen = scrape();
    assert_eq!(seen["bowline_transfers{direction=\"in\",stage=\"paused\"}"], 0);
    assert!(seen["bowline_unfinished_bytes"] < 3_000_000, "what is safe of it");
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_log_for_programs_has_an_object_on_each_line_and_no_secret() {
    let world = World::new();
    world.file("a", 1000);
    std::fs::write(world.path("who"), "alice s3cret\n").expect("writable");
    let server = world.serve(&["--quiet", "--tokens", "who", "--log-format", "json", "--log-level", "trace"]);
    let sent = world.run(["send", "a", &server.url, "--token", "s3cret"]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert_eq!(world.run(["send", "a", &server.url, "--token", "0ther"]).code, Some(1));
    server.process.signal(Signal::INT);
    let log = server.process.finish().stderr;
    assert!(!log.contains("s3cret") && !log.contains("0ther"), "{log}");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
        .collect();
    let of = |message: &str| {
        let found = lines.iter().find(|line| line["message"] == message);
        found.unwrap_or_else(|| panic!("{message}: {log}"))
    };
    for message in ["connected", "received", "disconnected"] {
        let line = of(message);
        assert_eq!(
            (&line["level"], &line["link"], &line["who"]),
            (&"INFO".into(), &1.into(), &"alice".into()),
            "{line}"
        );
        assert!(line["timestamp"].is_string(), "{line}");
    }
    assert_eq!((&of("received")["name"], &of("received")["bytes"]), (&"a".into(), &1000.into()));
    assert!(of("turned away")["why"].as_str().is_some_and(|why| why.contains("401")));
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_log_for_people_tells_a_connection_in_a_few_lines() {
    let world = World::new();
    world.file("a", 1000);
    let server = world.serve(&["--quiet", "--log-level", "info"]);
    assert_eq!(world.run(["send", "a", &server.url]).code, Some(0));
    server.process.signal(Signal::INT);
    let log = server.process.finish().stderr;
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 3, "{log}");
    for (line, words) in lines.iter().zip(["connected link=1", "received link=1", "disconnected link=1"]) {
        assert!(line.contains(words), "{line}");
    }
}
