use super::*;
use bowline_core::transfer::Code;
use bowline_tokio::ClientConfig;
use tokio::sync::mpsc::error::TryRecvError;

/// A feeder, what it reports, and where it learns of ends.
fn feeder() -> (Feeder, mpsc::Receiver<News>, mpsc::UnboundedSender<Ended>) {
    let (tell, news) = mpsc::channel(1);
    let (ended, ends) = mpsc::unbounded_channel();
    let feeder = Feeder {
        client: Client::new("ws://127.0.0.1:9", ClientConfig::default()).expect("a good URL"),
        server: String::new(),
        identity: Arc::new(Identity::passing().expect("random bytes")),
        preserve: false,
        tell,
        ends,
        next: 0,
        nest: Nest::default(),
    };
    (feeder, news, ended)
}

fn name(name: &str) -> SafeName {
    SafeName::parse(name).expect("a good name")
}

#[tokio::test]
async fn a_walk_that_stands_still_says_why() {
    let dir = tempfile::tempdir().expect("a folder");
    let tree = Tree::open(dir.path(), name("a")).expect("a folder");
    let (mut feeder, mut news, _ended) = feeder();
    let error = StoreError::io(Path::new("d"), rustix::io::Errno::MFILE.into());
    let found = Found::LeftOut { path: "d".into(), why: LeftOut::Unreadable(error) };
    let mut counter = Counter { id: [0; 16], index: 0, count: Arc::default() };
    feeder.take(&tree, Step { found, opened: None }, &mut counter).await.expect("somebody listens");
    let Some(News::PutOff { name, failure, after }) = news.recv().await else { panic!("it is put off") };
    assert_eq!((failure.code, after), (Code::Busy, ahead::STANDSTILL));
    assert_eq!(Path::new(&name), dir.path().join("d"));
}

#[tokio::test]
async fn a_file_that_vanishes_before_the_walk_reaches_it_is_missed() {
    let dir = tempfile::tempdir().expect("a folder");
    let tree = Tree::open(dir.path(), name("a")).expect("a folder");
    let (mut feeder, mut news, _ended) = feeder();
    let found = Found::LeftOut { path: "b".into(), why: LeftOut::Vanished };
    let mut counter = Counter { id: [0; 16], index: 0, count: Arc::default() };
    feeder.take(&tree, Step { found, opened: None }, &mut counter).await.expect("somebody listens");
    let Some(News::LeftOut { name, lost, .. }) = news.recv().await else { panic!("it is told") };
    assert_eq!((Path::new(&name), lost), (&*dir.path().join("b"), Lost::Missed(1)));
}

#[test]
fn a_count_that_is_no_longer_needed_is_not_waited_for() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.max_blocking_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let tree = Tree::open(dir.path(), name("a")).expect("a folder");
        // A disk that does not answer.
        let (disk, silence) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || silence.recv());
        let (feeder, mut news, _ended) = feeder();
        let counting = feeder.count(&tree, Arc::default());
        drop(feeder);
        assert_eq!(news.try_recv().expect_err("nothing is told"), TryRecvError::Disconnected);
        drop(disk);
        counting.await.expect("it ends without a word");
    });
}

#[tokio::test]
async fn no_ends_are_kept_while_named_files_are_sent() {
    let (mut feeder, mut news, ended) = feeder();
    let path = tempfile::tempdir().expect("a folder").path().join("gone");
    for index in 0..100 {
        let path = path.clone();
        feeder
            .send_source(index, name("a"), None, None, move || Source::open(&path))
            .await
            .expect("somebody listens");
        news.recv().await.expect("it could not begin");
        ended.send(Ended { index, listing: None }).expect("it listens");
        assert_eq!(feeder.ends.len(), 1);
    }
}
