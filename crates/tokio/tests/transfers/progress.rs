//! What an application is told of a transfer under way, and parts of files.

use super::*;
use bowline_core::transfer::Stage;
use bowline_tokio::Download;

#[tokio::test]
async fn rate_and_time_left_are_known_while_it_moves_and_then_no_more() {
    let serving = Serving::start(ServerConfig::default()).await;
    let dir = folder();
    let mut slow = quick();
    slow.transfer.limit_rate = Some(2_000_000);
    let client = serving.client(slow);
    let mut upload = client.upload(&source(&dir, 4_000_000), name("file"), id(1)).await.expect("queued");
    let progress = upload.progress();
    assert_eq!((progress.borrow().rate, progress.borrow().time_left), (None, None));
    until(&upload, |progress| progress.rate.is_some_and(|rate| rate > 0)).await;
    let told = *progress.borrow();
    assert_eq!(told.stage, Stage::Moving);
    let left = told.time_left.expect("it follows from the rate");
    assert!(left < LIMIT && told.rate.is_some_and(|rate| rate < 4_000_000), "{told:?}");
    timeout(LIMIT, upload.finished()).await.expect("in time").expect("sent");
    assert_eq!((progress.borrow().rate, progress.borrow().time_left), (None, None));
}

#[tokio::test]
async fn a_part_is_fetched_beside_the_whole() {
    let serving = Serving::start(ServerConfig::default()).await;
    std::fs::write(serving.dir.path().join("file"), contents(300_000)).expect("written");
    let dir = folder();
    let store = DiskStore::open(dir.path(), bowline_store::Config::default()).expect("a store");
    let client = serving.client(quick());
    let whole = client.fetch(&store, Download::new(id(1), name("file"), name("whole"))).await;
    let mut download = Download::new(id(2), name("file"), name("part"));
    download.range = "100000-199999".parse().expect("a range");
    let part = client.fetch(&store, download).await;
    assert_eq!(end(whole).await.expect("fetched").bytes, 300_000);
    let got = end(part).await.expect("fetched");
    assert_eq!((got.bytes, got.digest), (100_000, Digest::of(&contents(300_000)[100_000..200_000])));
    let arrived = std::fs::read(dir.path().join("part")).expect("there");
    assert!(arrived == contents(300_000)[100_000..200_000]);
}
