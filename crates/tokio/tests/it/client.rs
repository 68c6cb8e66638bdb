use bowline_tokio::{Client, ClientConfig};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;

/// On one thread, whose tasks run while this one waits.
#[tokio::test]
async fn a_token_that_was_set_before_a_dial_goes_with_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    for _ in 0..8 {
        let client = Client::new(&url, ClientConfig::default()).unwrap();
        client.set_token("secret").unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let mut request = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap().filter(|line| !line.is_empty()) {
            request.push(line.to_ascii_lowercase());
        }
        assert!(request.contains(&"authorization: bearer secret".into()), "{request:?}");
    }
}
