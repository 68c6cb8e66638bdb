//! What a server lists, and for whom.

use bowline_core::transfer::{Code, SafeName};
use bowline_host::client::{ClientConfig, Download};
use bowline_host::server::{Access, Grant, Secret, ServerConfig, ServerEvent};
use bowline_host::transfer::TransferError;

use crate::ends::{Client, Pair};
use crate::rig::{Serving, contents, end, folder, id, name, quick, store};

fn with_token(token: &str) -> ClientConfig {
    let mut config = quick();
    config.token = Some(token.into());
    config
}

/// What a client learns about the contents, or why it does not.
fn listed(client: &dyn Client, wanted: Option<SafeName>) -> Result<Vec<String>, (Code, String)> {
    let dir = folder();
    let got = match end(client.fetch(&store(dir.path()), Download::listing(id(1), wanted))) {
        Ok(finished) => finished.listing.expect("a listing"),
        Err(TransferError::Failed(failure)) => return Err((failure.code, failure.text)),
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 0, "nothing is written");
    Ok(got.entries().map(|entry| format!("{} {}", entry.length, entry.name)).collect())
}

fn fill(serving: &Serving) {
    std::fs::create_dir(serving.dir.path().join("folder")).expect("made");
    std::fs::write(serving.dir.path().join("folder/a b"), contents(10)).expect("written");
    std::fs::write(serving.dir.path().join("file"), contents(7)).expect("written");
}

pub(crate) fn a_server_says_what_it_holds(pair: Pair) {
    let mut serving = Serving::start(pair, ServerConfig::default());
    let client = serving.client(quick());
    assert_eq!(listed(&*client, None), Ok(Vec::new()), "an empty one holds nothing");
    fill(&serving);
    let lines = |lines: &[&str]| Ok(lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
    assert_eq!(listed(&*client, None), lines(&["7 file", "0 folder", "10 folder/a b"]));
    assert_eq!(listed(&*client, Some(name("folder"))), lines(&["10 a b"]));
    assert_eq!(listed(&*client, Some(name("file"))), lines(&["7 file"]));
    for expected in [None, None, Some("folder"), Some("file")] {
        let told = loop {
            match serving.server.event() {
                ServerEvent::Listed { name, .. } => break name,
                ServerEvent::Sent(file) => panic!("{file:?}"),
                _ => {}
            }
        };
        assert_eq!(told, expected.map(name));
    }
}

pub(crate) fn a_client_sees_only_what_its_grant_allows_in_a_listing(pair: Pair) {
    let [mut sends, mut sees, mut knows] = [(); 3].map(|()| Grant::default());
    sends.may_fetch = false;
    sees.folder = Some(name("folder"));
    knows.may_list = false;
    let mut config = ServerConfig::default();
    config.access = [("sends", sends), ("sees", sees), ("knows", knows)]
        .into_iter()
        .fold(Access::nobody(), |access, (token, grant)| access.with_token(Secret::of(token), grant));
    let serving = Serving::start(pair, config);
    fill(&serving);
    let refused = |text: &str| Err((Code::Rejected, text.to_owned()));
    let sends = serving.client(with_token("sends"));
    for wanted in [None, Some(name("folder"))] {
        assert_eq!(listed(&*sends, wanted), refused("you may not fetch files from this server"));
    }
    let sees = serving.client(with_token("sees"));
    assert_eq!(listed(&*sees, None), Ok(vec!["10 a b".to_owned()]));
    assert_eq!(listed(&*sees, Some(name("file"))).expect_err("outside").0, Code::NotFound);
    let knows = serving.client(with_token("knows"));
    let why = "this server does not list what it holds; ask for a file or a folder by its name";
    assert_eq!(listed(&*knows, None), refused(why));
    assert_eq!(listed(&*knows, Some(name("folder"))), Ok(vec!["10 a b".to_owned()]));
    assert_eq!(listed(&*knows, Some(name("file"))), Ok(vec!["7 file".to_owned()]));
}
