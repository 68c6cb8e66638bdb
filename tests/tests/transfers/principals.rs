//! Who may keep what on a server, and for how long.

use std::time::Duration;

use bowline_core::transfer::Code;
use bowline_host::client::{ClientConfig, LinkEvent};
use bowline_host::server::{Access, Grant, Secret, ServerConfig, ServerEvent};
use bowline_host::transfer::TransferError;
use bowline_store::{DiskStore, Principal};

use crate::ends::{Client, Pair};
use crate::rig::{Serving, contents, end, eventually, folder, id, name, quick, source, until};

fn of(name: &str) -> Grant {
    Grant::to(Principal::named(name).expect("short"))
}

fn alice_and_bob() -> Access {
    let access = Access::nobody().with_token(Secret::of("one"), of("alice"));
    access.with_token(Secret::of("two"), of("bob"))
}

fn with_token(token: &str) -> ClientConfig {
    let mut config = quick();
    config.token = Some(token.into());
    config.transfer.attempts = 0;
    config
}

pub(crate) fn a_principal_resumes_only_its_own_files(pair: Pair) {
    let mut config = ServerConfig::default();
    config.access = alice_and_bob();
    config.transfer.limit_rate = Some(2_000_000);
    let serving = Serving::start(pair, config);
    let dir = folder();
    let path = source(&dir, 3_000_000);
    let alice = serving.client(with_token("one"));
    let mut first = alice.upload(&path, name("file"), id(1)).expect("queued");
    until(&mut first, |progress| progress.durable > 500_000);
    alice.close();
    // The same id in somebody else's hands starts from the beginning, under another name.
    let bob = serving.client(with_token("two"));
    let second = end(bob.upload(&path, name("other"), id(1))).expect("sent");
    assert_eq!((second.resent, second.bytes), (0, 3_000_000));
    bob.close();
    let alice = serving.client(with_token("one"));
    let mut again = alice.upload(&path, name("file"), id(1)).expect("queued");
    until(&mut again, |progress| progress.received > 0);
    assert!(again.progress().received >= 500_000, "what was hers is still there");
    end(Ok(again)).expect("sent");
    alice.close();
    let stranger = serving.client(with_token("three"));
    let refused = end(stranger.upload(&path, name("file"), id(1)));
    assert!(refused.is_err(), "{refused:?}");
}

pub(crate) fn transfers_beyond_the_limit_of_a_principal_are_told_to_wait(pair: Pair) {
    let mut config = ServerConfig::default();
    config.access = alice_and_bob();
    config.max_open = Some(1);
    config.transfer.limit_rate = Some(500_000);
    let serving = Serving::start(pair, config);
    let dir = folder();
    let path = source(&dir, 5_000_000);
    let (one, two, bob) = (
        serving.client(with_token("one")),
        serving.client(with_token("one")),
        serving.client(with_token("two")),
    );
    let mut first = one.upload(&path, name("file"), id(1)).expect("queued");
    until(&mut first, |progress| progress.received > 0);
    let refused = end(two.upload(&path, name("second"), id(2))).expect_err("one too many");
    let TransferError::Failed(failure) = &refused else { panic!("{refused:?}") };
    assert_eq!((failure.code, failure.retry_after), (Code::Busy, Duration::from_secs(1)));
    assert_eq!(failure.text, "you have 1 transfers open; at most 1 may be");
    let mut others = bob.upload(&path, name("third"), id(3)).expect("queued");
    until(&mut others, |progress| progress.received > 0);
    // Its place is free when the transfer ends, and a client that waits as it is told gets it.
    let mut patient = with_token("one");
    patient.transfer.attempts = 5;
    let patient = serving.client(patient);
    let second = patient.upload(&source(&dir, 10), name("second"), id(2));
    one.close();
    end(second).expect("sent");
}

pub(crate) fn a_quota_is_reported_with_both_numbers(pair: Pair) {
    let dir = folder();
    let mut config = bowline_store::Config::default();
    config.quota.bytes = Some(1000);
    let store = DiskStore::open(dir.path(), config).expect("a store");
    let serving = Serving::of(pair, store, folder(), ServerConfig::default());
    let client = serving.client(quick());
    let refused = end(client.upload(&source(&dir, 1001), name("file"), id(1))).expect_err("too much");
    let TransferError::Failed(failure) = &refused else { panic!("{refused:?}") };
    assert_eq!(failure.code, Code::Quota);
    assert!(
        failure.text.ends_with("(0 of 1000 bytes are taken by unfinished files, 1001 more are needed)"),
        "{failure}"
    );
    end(client.upload(&source(&dir, 1000), name("file"), id(2))).expect("it fits");
}

pub(crate) fn a_server_sweeps_by_itself(pair: Pair) {
    let dir = folder();
    let mut config = bowline_store::Config::default();
    config.expire_after = Some(Duration::from_millis(1));
    let store = DiskStore::open(dir.path(), config).expect("a store");
    let spec = bowline_store::Spec::new(name("file"), Some(10));
    let attach = bowline_store::Attach::new(bowline_store::Mode::AttachOrCreate, [1; 16]);
    let attached = store.attach(id(1), &spec, attach, std::time::SystemTime::now()).expect("begun");
    drop(attached);
    assert!(dir.path().join(".bowline").exists());
    let mut config = ServerConfig::default();
    config.sweep_every = Some(Duration::from_millis(20));
    let _serving = Serving::of(pair, store, folder(), config);
    eventually("it is swept", || !dir.path().join(".bowline").exists());
}

pub(crate) fn a_token_allows_what_it_says_and_no_more(pair: Pair) {
    let mut sends = of("alice");
    (sends.may_fetch, sends.folder, sends.quota) = (false, Some(name("in/alice")), Some(1000));
    let mut fetches = of("bob");
    fetches.may_send = false;
    let mut config = ServerConfig::default();
    config.access =
        Access::nobody().with_token(Secret::of("one"), sends).with_token(Secret::of("two"), fetches);
    let mut serving = Serving::start(pair, config);
    let dir = folder();
    let small = source(&dir, 1000);
    let alice = serving.client(with_token("one"));
    end(alice.upload(&small, name("file"), id(1))).expect("she may");
    assert_eq!(serving.file("in/alice/file"), contents(1000), "her names are in her folder");
    let why = |begun| match end(begun).expect_err("refused") {
        TransferError::Failed(failure) => (failure.code, failure.text),
        other => panic!("{other:?}"),
    };
    let place = dir.path().join("place");
    let refused = why(alice.download(name("file"), &place, id(2), false));
    assert_eq!(refused, (Code::Rejected, "you may not fetch files from this server".into()));
    let (code, text) = why(alice.upload(&source(&dir, 1001), name("large"), id(3)));
    assert!(code == Code::Quota && text.contains("0 of 1000 bytes"), "{text}");

    let bob = serving.client(with_token("two"));
    let refused = why(bob.upload(&small, name("other"), id(4)));
    assert_eq!(refused, (Code::Rejected, "you may not send files to this server".into()));
    for refused in ["in/alice/file", "in/alice/large", "other"] {
        let told = loop {
            if let ServerEvent::Failed { name, .. } = serving.server.event() {
                break name;
            }
        };
        assert_eq!(told, Some(name(refused)), "the server's own people hear of what");
    }
    end(bob.download(name("in/alice/file"), &place, id(5), false)).expect("he may, and sees everything");
    assert_eq!(std::fs::read(place).expect("it is there"), contents(1000));
}

/// The sentence of the first end of a link.
fn first_end(client: &mut Box<dyn Client>) -> String {
    loop {
        match client.event() {
            LinkEvent::Down { disconnect } => return disconnect.to_string(),
            LinkEvent::GaveUp { why, .. } => panic!("{why}"),
            _ => {}
        }
    }
}

pub(crate) fn a_transfer_goes_on_with_the_token_that_follows_one_that_was_withdrawn(pair: Pair) {
    let access = |token| Access::nobody().with_token(Secret::of(token), of("alice"));
    let mut config = ServerConfig::default();
    config.access = access("first");
    config.transfer.limit_rate = Some(1_000_000);
    let serving = Serving::start(pair, config);
    let dir = folder();
    let file = dir.path().join("token");
    std::fs::write(&file, "first\n").expect("written");
    let mut config = quick();
    config.token_file = Some(file.clone());
    let mut client = serving.client(config);
    let mut upload = client.upload(&source(&dir, 8_000_000), name("file"), id(1)).expect("queued");
    // Reported with every acknowledgement, and far from the end, even for a test that does not run for some seconds;
    // what is durable is reported every second.
    until(&mut upload, |progress| progress.received > 500_000);
    // The token in the file.
    std::fs::write(&file, "second\n").expect("written");
    serving.server.set_access(access("second"));
    let why = first_end(&mut client);
    assert!(why.contains("the token was withdrawn"), "{why}");
    until(&mut upload, |progress| progress.links == 2 && progress.received > 1_000_000);
    // The token that the application sets, which counts if no file has another.
    std::fs::remove_file(&file).expect("removed");
    client.set_token("third");
    serving.server.set_access(access("third"));
    let finished = upload.finished().expect("sent");
    assert_eq!((finished.links, finished.bytes), (3, 8_000_000));
    assert!(finished.resent < 1_000_000, "{} bytes again", finished.resent);
    assert_eq!(serving.file("file"), contents(8_000_000));
    // A client without another token is not admitted again.
    let mut other = client.upload(&source(&dir, 20_000_000), name("other"), id(2)).expect("queued");
    until(&mut other, |progress| progress.received > 0);
    serving.server.set_access(access("fourth"));
    let refused = other.finished().expect_err("refused");
    assert!(matches!(&refused, TransferError::Refused(why) if why.contains("401")), "{refused:?}");
}

pub(crate) fn a_token_that_expires_ends_its_connection(pair: Pair) {
    // On an overloaded machine it may be over before anybody has connected.
    let lifetimes = [1500, 6000, 20_000].map(Duration::from_millis);
    assert!(lifetimes.into_iter().any(|lifetime| expires(pair, lifetime)), "nobody comes");
}

/// Whether a client connects with a token before it expires, and is then sent away.
fn expires(pair: Pair, lifetime: Duration) -> bool {
    let mut grant = of("alice");
    grant.until = Some(std::time::SystemTime::now() + lifetime);
    let mut config = ServerConfig::default();
    config.access = Access::nobody().with_token(Secret::of("one"), grant);
    let serving = Serving::start(pair, config);
    let mut client = serving.client(with_token("one"));
    let mut is_up = false;
    let why = loop {
        match client.event() {
            LinkEvent::Up { .. } => is_up = true,
            LinkEvent::Down { disconnect } => {
                let why = disconnect.to_string();
                assert!(why.contains("the token has expired"), "{why}");
            }
            LinkEvent::GaveUp { why, .. } => break why,
            _ => {}
        }
    };
    assert!(why.contains("401"), "{why}");
    is_up
}

pub(crate) fn the_rights_of_a_token_may_change_during_a_transfer(pair: Pair) {
    let mut config = ServerConfig::default();
    config.access = alice_and_bob();
    config.transfer.limit_rate = Some(1_000_000);
    let serving = Serving::start(pair, config);
    let dir = folder();
    let (mut alice, bob) = (serving.client(with_token("one")), serving.client(with_token("two")));
    let mut hers = alice.upload(&source(&dir, 20_000_000), name("hers"), id(1)).expect("queued");
    let mut his = bob.upload(&source(&dir, 2_000_000), name("his"), id(1)).expect("queued");
    until(&mut hers, |progress| progress.received > 100_000);
    until(&mut his, |progress| progress.received > 100_000);
    let mut less = of("alice");
    less.may_send = false;
    let access = Access::nobody().with_token(Secret::of("one"), less);
    serving.server.set_access(access.with_token(Secret::of("two"), of("bob")));
    let why = first_end(&mut alice);
    assert!(why.contains("what this token allows has changed"), "{why}");
    let TransferError::Failed(failure) = hers.finished().expect_err("refused") else { panic!() };
    assert_eq!(failure.code, Code::Rejected, "{failure}");
    assert_eq!(his.finished().expect("nobody disturbed him").links, 1);
}
