//! Behind nginx, which cuts silent connections: the end says after how long, and the next connection has learned from
//! it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bowline_host::client::{ClientConfig, LinkEvent};
use bowline_host::server::ServerConfig;
use bowline_store::DiskStore;

use crate::ends::{Adapter, aside};
use crate::files::LIMIT;

over! {
    nginx_cuts_once_and_the_client_learns
}

async fn nginx_cuts_once_and_the_client_learns(adapter: Adapter) {
    aside(move || cuts_once(adapter)).await;
}

fn cuts_once(adapter: Adapter) {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let store = DiskStore::open(&inbox, bowline_store::Config::default()).unwrap();
    let server = adapter.server(SocketAddr::from(([127, 0, 0, 1], 0)), store, ServerConfig::default());
    let (_nginx, port) = nginx(folder.path(), server.address().port());

    let mut config = ClientConfig::default();
    config.connection.heartbeat.interval = Duration::from_secs(10);
    let mut client = adapter.client(&format!("ws://127.0.0.1:{port}"), config);

    // The first connection keeps its configured interval, and is cut.
    let mut before = None;
    let disconnect = loop {
        match client.event() {
            LinkEvent::Up { .. } => before = Some(Instant::now()),
            LinkEvent::Down { disconnect } => break disconnect,
            _ => {}
        }
    };
    println!("{adapter:?}: nginx: after {:?}: {disconnect}", before.unwrap().elapsed());
    // "3 s" where nginx is on time.
    let idle = disconnect.idle().as_secs_f64();
    assert!((2.9..4.0).contains(&idle), "{disconnect}");
    assert!(disconnect.to_string().contains(&format!("after {idle:.1} s of silence")), "{disconnect}");

    // The second connection lives.
    while !matches!(client.event(), LinkEvent::Up { link: 2 }) {}
    sleep(Duration::from_secs(30));
    while let Some(event) = client.try_event() {
        assert!(!matches!(event, LinkEvent::Down { .. }), "{event:?}");
    }
    client.close();
}

/// Ends this process.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        // If it has already ended, that is just as good.
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// A proxy in front of a port of this machine, which cuts after 3 s without a byte from there. It runs in the
/// foreground as the current user, and keeps all its files in this folder.
fn nginx(folder: &Path, backend: u16) -> (Nginx, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
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
    let nginx = Command::new("nginx")
        .args(["-p", folder.to_str().unwrap(), "-e", "error.log", "-c", "nginx.conf"])
        .stdin(Stdio::null())
        .spawn();
    let mut nginx = Nginx(nginx.unwrap());
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert_eq!(nginx.0.try_wait().unwrap(), None, "nginx has ended");
        assert!(start.elapsed() < LIMIT, "nginx does not start");
        sleep(Duration::from_millis(20));
    }
    (nginx, port)
}
