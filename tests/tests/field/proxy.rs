//! Behind nginx, which cuts what is silent: the end says after how long, and the next connection has learned from it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bowline_store::DiskStore;
use bowline_tokio::{Client, ClientConfig, LinkEvent, Server, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::peer::within;

#[tokio::test]
#[ignore = "takes 40 s, and needs nginx: tests/interop/field runs it"]
async fn nginx_cuts_once_and_the_client_learns() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = listener.local_addr().unwrap().port();
    let inbox = folder.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let store = DiskStore::open(&inbox, bowline_store::Config::default()).unwrap();
    let server = Server::new(store, ServerConfig::default());
    tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
    let (_nginx, port) = nginx(folder.path(), backend).await;

    let mut config = ClientConfig::default();
    config.connection.heartbeat.interval = Duration::from_secs(10);
    let client = Client::new(&format!("ws://127.0.0.1:{port}"), config).unwrap();
    let mut events = client.events();

    // The first connection bears what it was told, and is cut.
    let mut before = None;
    let disconnect = loop {
        match within(events.recv()).await.unwrap() {
            LinkEvent::Up { .. } => before = Some(Instant::now()),
            LinkEvent::Down { disconnect } => break disconnect,
            _ => {}
        }
    };
    println!("nginx: after {:?}: {disconnect}", before.unwrap().elapsed());
    // "3.0 s" where nginx is on time.
    let idle = disconnect.idle().as_secs_f64();
    assert!((2.9..4.0).contains(&idle), "{disconnect}");
    assert!(disconnect.to_string().contains(&format!("after {idle:.1} s of silence")), "{disconnect}");

    // The second one lives.
    while !matches!(within(events.recv()).await.unwrap(), LinkEvent::Up { link: 2 }) {}
    let until = Instant::now() + Duration::from_secs(30);
    while let Ok(event) = timeout_at(until, events.recv()).await {
        let event = event.unwrap();
        assert!(!matches!(event, LinkEvent::Down { .. }), "{event:?}");
    }
    client.close().await;
}

/// A proxy in front of a port of this machine, which cuts after 3 s without a byte from there. It runs in the foreground as
/// whoever we are, keeps all its files in this folder, and ends with this.
async fn nginx(folder: &Path, backend: u16) -> (Child, u16) {
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        free.local_addr().unwrap().port()
    };
    let configuration = format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log; events {{}}
        http {{
            access_log off; client_body_temp_path body; proxy_temp_path proxy;
            fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass http://127.0.0.1:{backend};
                    proxy_http_version 1.1;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection upgrade;
                    proxy_read_timeout 3s;
                }}
            }}
        }}"
    );
    std::fs::write(folder.join("nginx.conf"), configuration).unwrap();
    let mut nginx = Command::new("nginx")
        .args(["-p", folder.to_str().unwrap(), "-e", "error.log", "-c", "nginx.conf"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ready = timeout(Duration::from_secs(30), async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert_eq!(nginx.try_wait().unwrap(), None, "nginx has ended");
            sleep(Duration::from_millis(20)).await;
        }
    });
    ready.await.expect("nginx does not start");
    (nginx, port)
}
