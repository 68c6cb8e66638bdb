//! What an application is told about a running transfer, and parts of files.

use bowline_core::transfer::{Digest, Stage};
use bowline_host::client::Download;
use bowline_host::server::{ServerConfig, ServerEvent};

use crate::ends::Pair;
use crate::rig::{
    Serving, contents, end, folder, id, name, once_cutting_proxy, quick, slow, source, store, until,
};

pub(crate) fn rate_and_time_left_are_known_while_it_moves_and_then_no_more(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let client = serving.client(slow(600_000));
    let mut upload = client.upload(&source(&dir, 4_000_000), name("file"), id(1)).expect("queued");
    let first = upload.progress();
    assert!(first.stage == Stage::Moving || (first.rate, first.time_left) == (None, None), "{first:?}");
    let told = until(&mut upload, |progress| progress.rate.is_some_and(|rate| rate > 0));
    assert_eq!(told.stage, Stage::Moving);
    let left = told.time_left.expect("it follows from the rate");
    let rate = told.rate.expect("it moves");
    let expected = (4_000_000 - told.received) as f64 / rate as f64;
    // A rate is rounded.
    let slack = 1.0 + expected / rate as f64;
    assert!(rate < 4_000_000 && (left.as_secs_f64() - expected).abs() < slack, "{told:?}");
    upload.finished().expect("sent");
    let last = upload.progress();
    assert_eq!((last.received, last.durable, last.length), (4_000_000, 4_000_000, Some(4_000_000)));
    assert_eq!((last.rate, last.time_left), (None, None));
}

pub(crate) fn the_traffic_of_a_link_is_reported_and_adds_up(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let client = serving.client(slow(400_000));
    let mut upload = client.upload(&source(&dir, 2_000_000), name("file"), id(1)).expect("queued");
    until(&mut upload, |progress| progress.received > 100_000);
    let traffic = client.traffic();
    assert!(traffic.moved > 0 && traffic.moved < 2_000_000, "{traffic:?}");
    assert!(
        traffic.chunk.is_some() && traffic.window.is_some() && traffic.round_trip.is_some(),
        "{traffic:?}"
    );
    upload.finished().expect("sent");
    assert_eq!(client.traffic().moved, 2_000_000);

    let back = client.download(name("file"), &dir.path().join("back"), id(2), false);
    assert_eq!(end(back).expect("fetched").bytes, 2_000_000);
    assert_eq!(client.traffic().moved, 4_000_000);
}

pub(crate) fn a_part_is_fetched_beside_the_whole(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    std::fs::write(serving.dir.path().join("file"), contents(300_000)).expect("written");
    let dir = folder();
    let store = store(dir.path());
    let client = serving.client(quick());
    let whole = client.fetch(&store, Download::new(id(1), name("file"), name("whole")));
    let mut download = Download::new(id(2), name("file"), name("part"));
    download.range = "100000-199999".parse().expect("a range");
    let part = client.fetch(&store, download);
    assert_eq!(end(whole).expect("fetched").bytes, 300_000);
    let got = end(part).expect("fetched");
    assert_eq!((got.bytes, got.digest), (100_000, Digest::of(&contents(300_000)[100_000..200_000])));
    let arrived = std::fs::read(dir.path().join("part")).expect("there");
    assert!(arrived == contents(300_000)[100_000..200_000]);
}

pub(crate) fn a_folder_is_listed_and_nothing_is_written(pair: Pair) {
    let mut serving = Serving::start(pair, ServerConfig::default());
    std::fs::create_dir(serving.dir.path().join("folder")).expect("made");
    std::fs::write(serving.dir.path().join("folder/file"), contents(10)).expect("written");
    let dir = folder();
    let store = store(dir.path());
    let client = serving.client(quick());
    let got =
        end(client.fetch(&store, Download::new(id(1), name("folder"), name("folder")))).expect("listed");
    assert!(got.listing.is_some_and(|listing| listing.entries().count() == 1));
    assert!(!dir.path().join("folder").exists());
    let told = loop {
        match serving.server.event() {
            ServerEvent::Listed { name, .. } => break name,
            ServerEvent::Sent(file) => panic!("{file:?}"),
            _ => {}
        }
    };
    assert_eq!(told, Some(name("folder")), "no file was fetched");
}

pub(crate) fn only_the_rest_of_a_small_file_that_another_client_began_is_fetched(pair: Pair) {
    const SMALL: usize = 60_000;
    let mut config = ServerConfig::default();
    config.transfer.limit_rate = Some(20_000);
    let mut serving = Serving::start(pair, config);
    std::fs::write(serving.dir.path().join("small"), contents(SMALL)).expect("written");
    let dir = folder();
    let to = dir.path().join("back");
    let first = serving.client(quick());
    let mut down = first.download(name("small"), &to, id(1), false).expect("queued");
    let safe = until(&mut down, |progress| progress.durable > 0).durable;
    first.close();
    serving.restart(ServerConfig::default());
    // The whole file would be cut.
    let proxy = once_cutting_proxy(serving.server.address(), SMALL as u64 - safe + 4000);
    let second = serving.client_at(proxy, quick());
    let fetched = end(second.download(name("small"), &to, id(1), false)).expect("fetched");
    assert_eq!(std::fs::read(to).expect("there"), contents(SMALL));
    assert_eq!(fetched.links, 1, "{safe} bytes were there");
}
