use super::*;
use std::time::Duration;

fn server(config: ServerConfig) -> (Server, tempfile::TempDir) {
    let inbox = tempfile::tempdir().unwrap();
    let store = DiskStore::open(inbox.path(), bowline_store::Config::default()).unwrap();
    (Server::new(store, config), inbox)
}

#[tokio::test]
async fn a_server_may_take_as_many_as_come() {
    let mut config = ServerConfig::default();
    config.max_connections = usize::MAX;
    let (server, _inbox) = server(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    server.serve(listener, async {}).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_is_not_swept_without_a_pause() {
    let mut config = ServerConfig::default();
    config.sweep_every = Some(Duration::ZERO);
    let (server, _inbox) = server(config);
    timeout(Duration::from_millis(10), server.sweep()).await.unwrap_err();
}
