//! Who may keep what at a server, and for how long.

use super::*;
use bowline_store::Principal;

fn of(name: &str, token: &str) -> (Principal, String) {
    (Principal::named(name).expect("short"), token.into())
}

fn with_token(token: &str) -> ClientConfig {
    let mut config = quick();
    config.token = Some(token.into());
    config.transfer.attempts = 0;
    config
}

#[tokio::test]
async fn whoever_a_token_names_goes_on_with_his_own_files_only() {
    let mut config = ServerConfig::default();
    config.tokens = vec![of("alice", "one"), of("bob", "two")];
    config.transfer.limit_rate = Some(2_000_000);
    let serving = Serving::start(config).await;
    let dir = folder();
    let path = source(&dir, 3_000_000);
    let alice = serving.client(with_token("one"));
    let first = alice.upload(&path, name("file"), id(1)).await.expect("queued");
    until(&first, |progress| progress.durable > 500_000).await;
    alice.close().await;
    // The same id in the hands of somebody else begins at the beginning, under another name.
    let bob = serving.client(with_token("two"));
    let second = end(bob.upload(&path, name("other"), id(1)).await).await.expect("sent");
    assert_eq!((second.resent, second.bytes), (0, 3_000_000));
    bob.close().await;
    let alice = serving.client(with_token("one"));
    let again = alice.upload(&path, name("file"), id(1)).await.expect("queued");
    until(&again, |progress| progress.received > 0).await;
    assert!(again.progress().borrow().received >= 500_000, "what was hers is still there");
    end(Ok(again)).await.expect("sent");
    alice.close().await;
    let stranger = serving.client(with_token("three"));
    let refused = end(stranger.upload(&path, name("file"), id(1)).await).await;
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn more_open_transfers_than_a_principal_may_have_are_told_to_wait() {
    let mut config = ServerConfig::default();
    config.tokens = vec![of("alice", "one"), of("bob", "two")];
    config.max_open = Some(1);
    config.transfer.limit_rate = Some(500_000);
    let serving = Serving::start(config).await;
    let dir = folder();
    let path = source(&dir, 5_000_000);
    let (one, two, bob) = (
        serving.client(with_token("one")),
        serving.client(with_token("one")),
        serving.client(with_token("two")),
    );
    let first = one.upload(&path, name("file"), id(1)).await.expect("queued");
    until(&first, |progress| progress.received > 0).await;
    let refused = end(two.upload(&path, name("second"), id(2)).await).await.expect_err("one too many");
    let TransferError::Failed(failure) = &refused else { panic!("{refused:?}") };
    assert_eq!((failure.code, failure.retry_after), (Code::Busy, Duration::from_secs(1)));
    assert_eq!(failure.text, "1 transfers of yours are open, 1 may be");
    let others = bob.upload(&path, name("third"), id(3)).await.expect("queued");
    until(&others, |progress| progress.received > 0).await;
    // Its place is free when the transfer ends, and whoever waits as he is told gets it.
    let mut patient = with_token("one");
    patient.transfer.attempts = 5;
    let patient = serving.client(patient);
    let second = patient.upload(&source(&dir, 10), name("second"), id(2)).await;
    one.close().await;
    end(second).await.expect("sent");
}

#[tokio::test]
async fn a_quota_is_told_with_both_numbers() {
    let dir = folder();
    let mut config = bowline_store::Config::default();
    config.quota.bytes = Some(1000);
    let store = DiskStore::open(dir.path(), config).expect("a store");
    let serving = Serving::of(store, folder(), ServerConfig::default()).await;
    let client = serving.client(quick());
    let refused =
        end(client.upload(&source(&dir, 1001), name("file"), id(1)).await).await.expect_err("too much");
    let TransferError::Failed(failure) = &refused else { panic!("{refused:?}") };
    assert_eq!(failure.code, Code::Quota);
    assert!(
        failure.text.ends_with("(0 of 1000 bytes are taken by unfinished files, 1001 more are needed)"),
        "{failure}"
    );
    end(client.upload(&source(&dir, 1000), name("file"), id(2)).await).await.expect("it fits");
}

#[tokio::test]
async fn a_server_sweeps_by_itself() {
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
    let _serving = Serving::of(store, folder(), config).await;
    let swept = async {
        while dir.path().join(".bowline").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, swept).await.expect("swept");
}
