//! Who may keep what at a server, and for how long.

use std::time::Duration;

use bowline_core::transfer::Code;
use bowline_host::client::ClientConfig;
use bowline_host::server::ServerConfig;
use bowline_host::transfer::TransferError;
use bowline_store::{DiskStore, Principal};

use crate::ends::Pair;
use crate::rig::{Serving, end, eventually, folder, id, name, quick, source, until};

fn of(name: &str, token: &str) -> (Principal, String) {
    (Principal::named(name).expect("short"), token.into())
}

fn with_token(token: &str) -> ClientConfig {
    let mut config = quick();
    config.token = Some(token.into());
    config.transfer.attempts = 0;
    config
}

pub(crate) fn whoever_a_token_names_goes_on_with_his_own_files_only(pair: Pair) {
    let mut config = ServerConfig::default();
    config.tokens = vec![of("alice", "one"), of("bob", "two")];
    config.transfer.limit_rate = Some(2_000_000);
    let serving = Serving::start(pair, config);
    let dir = folder();
    let path = source(&dir, 3_000_000);
    let alice = serving.client(with_token("one"));
    let mut first = alice.upload(&path, name("file"), id(1)).expect("queued");
    until(&mut first, |progress| progress.durable > 500_000);
    alice.close();
    // The same id in the hands of somebody else begins at the beginning, under another name.
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

pub(crate) fn more_open_transfers_than_a_principal_may_have_are_told_to_wait(pair: Pair) {
    let mut config = ServerConfig::default();
    config.tokens = vec![of("alice", "one"), of("bob", "two")];
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
    assert_eq!(failure.text, "1 transfers of yours are open, 1 may be");
    let mut others = bob.upload(&path, name("third"), id(3)).expect("queued");
    until(&mut others, |progress| progress.received > 0);
    // Its place is free when the transfer ends, and whoever waits as he is told gets it.
    let mut patient = with_token("one");
    patient.transfer.attempts = 5;
    let patient = serving.client(patient);
    let second = patient.upload(&source(&dir, 10), name("second"), id(2));
    one.close();
    end(second).expect("sent");
}

pub(crate) fn a_quota_is_told_with_both_numbers(pair: Pair) {
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
    let spec = bowline_store::Spec { name: name("file"), length: Some(10), mtime_ms: 0, validator: None };
    let attach =
        bowline_store::Attach { mode: bowline_store::Mode::AttachOrCreate, epoch_seen: 0, owner: [1; 16] };
    let attached = store.attach(id(1), &spec, attach, std::time::SystemTime::now()).expect("begun");
    drop(attached);
    assert!(dir.path().join(".bowline").exists());
    let mut config = ServerConfig::default();
    config.sweep_every = Some(Duration::from_millis(20));
    let _serving = Serving::of(pair, store, folder(), config);
    eventually("it is swept", || !dir.path().join(".bowline").exists());
}
