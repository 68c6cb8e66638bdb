//! What came before the end is answered before the end, also by a driver in the background.

use std::time::Duration;

use bowline_core::closing::Kind;
use bowline_core::{Close, CloseCode, Message};
use bowline_tokio::{Unsent, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep};

use crate::common::{self, config};

/// Messages and a Close in one write, as a client in a hurry sends them.
async fn in_a_hurry(peer: &mut DuplexStream, messages: &[&str]) {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend([0x81, message.len() as u8]);
        bytes.extend(message.as_bytes());
    }
    bytes.extend(b"\x88\x02\x03\xe8");
    peer.write_all(&bytes).await.unwrap();
}

/// The payloads of this many text frames of a client, which are short, and of its Close.
async fn heard(peer: &mut DuplexStream, messages: usize) -> Vec<Vec<u8>> {
    let mut heard = Vec::new();
    for _ in 0..=messages {
        let mut header = [0; 6];
        peer.read_exact(&mut header).await.unwrap();
        assert_eq!(header[0], if heard.len() < messages { 0x81 } else { 0x88 });
        let mut payload = vec![0; usize::from(header[1] & 127)];
        peer.read_exact(&mut payload).await.unwrap();
        bowline_core::mask::apply(&mut payload, header[2..].try_into().unwrap(), 0);
        heard.push(payload);
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn an_echo_answers_messages_that_came_with_the_close() {
    let (client, mut peer) = common::client(config());
    let (sender, mut receiver) = WebSocket::new(client).spawn();
    in_a_hurry(&mut peer, &["a", "b", "c"]).await;
    let start = Instant::now();
    let echo = tokio::spawn(async move {
        while let Ok(message) = receiver.receive().await {
            sender.send(message).await.unwrap();
        }
        receiver.ended().await
    });
    assert_eq!(
        heard(&mut peer, 3).await,
        [b"a".to_vec(), b"b".to_vec(), b"c".to_vec(), b"\x03\xe8".to_vec()]
    );
    assert_eq!(start.elapsed(), Duration::ZERO, "nobody waits for a timeout");
    drop(peer);
    assert_eq!(echo.await.unwrap().to_string(), "received 1000 (OK); then sent 1000 (OK)");
}

#[tokio::test(start_paused = true)]
async fn an_echo_answers_messages_that_came_with_a_fault() {
    let (client, mut peer) = common::client(config());
    let (sender, mut receiver) = WebSocket::new(client).spawn();
    // The last one is masked, which a server must not do.
    peer.write_all(b"\x81\x01a\x81\x01b\x81\x81\0\0\0\0c").await.unwrap();
    let start = Instant::now();
    let echo = tokio::spawn(async move {
        while let Ok(message) = receiver.receive().await {
            sender.send(message).await.unwrap();
        }
        receiver.ended().await
    });
    let heard = heard(&mut peer, 2).await;
    assert_eq!(heard[..2], [b"a".to_vec(), b"b".to_vec()]);
    assert_eq!(heard[2][..2], *b"\x03\xea");
    assert_eq!(start.elapsed(), Duration::ZERO, "nobody waits for a timeout");
    drop(peer);
    assert_eq!(echo.await.unwrap().kind(), Kind::WeFailed(CloseCode::PROTOCOL_ERROR));
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_has_no_reply_delays_a_refusal_until_it_comes_back() {
    let (client, mut peer) = common::client(config());
    let (_sender, mut receiver) = WebSocket::new(client).spawn();
    let start = Instant::now();
    peer.write_all(b"\x81\x01a\x81\x81\0\0\0\0b").await.unwrap();
    let owner = tokio::spawn(async move {
        receiver.receive().await.unwrap();
        sleep(Duration::from_secs(1)).await;
        receiver.ended().await
    });
    assert_eq!(heard(&mut peer, 0).await[0][..2], *b"\x03\xea");
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    drop(peer);
    assert_eq!(owner.await.unwrap().kind(), Kind::WeFailed(CloseCode::PROTOCOL_ERROR));
}

#[tokio::test(start_paused = true)]
async fn a_slow_echo_answers_messages_that_came_before_the_close() {
    let (client, mut peer) = common::client(config());
    let (sender, mut receiver) = WebSocket::new(client).spawn();
    peer.write_all(b"\x81\x01a").await.unwrap();
    let message = receiver.receive().await.unwrap();
    in_a_hurry(&mut peer, &[]).await;
    sleep(Duration::from_secs(2)).await;
    sender.send(message).await.unwrap();
    let ((), heard) = tokio::join!(async { drop(receiver.receive().await) }, async {
        let heard = heard(&mut peer, 1).await;
        peer.shutdown().await.unwrap();
        heard
    });
    assert_eq!(heard, [b"a".to_vec(), b"\x03\xe8".to_vec()]);
    assert_eq!(receiver.ended().await.kind(), Kind::Clean);
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_goes_away_does_not_delay_the_answer() {
    let (client, mut peer) = common::client(config());
    let (sender, receiver) = WebSocket::new(client).spawn();
    in_a_hurry(&mut peer, &["a"]).await;
    let start = Instant::now();
    let drop_later = async {
        sleep(Duration::from_millis(500)).await;
        drop(receiver);
    };
    let (heard, ()) = tokio::join!(heard(&mut peer, 0), drop_later);
    assert_eq!((heard, start.elapsed()), (vec![b"\x03\xe8".to_vec()], Duration::from_millis(500)));
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn an_absent_owner_delays_the_answer_by_half_the_time_of_the_peer() {
    let (client, mut peer) = common::client(config());
    let (_sender, _receiver) = WebSocket::new(client).spawn();
    in_a_hurry(&mut peer, &["a"]).await;
    let start = Instant::now();
    assert_eq!(heard(&mut peer, 0).await, [b"\x03\xe8".to_vec()]);
    assert_eq!(start.elapsed(), Duration::from_millis(2500));
}

#[tokio::test(start_paused = true)]
async fn messages_that_a_closed_peer_does_not_take_are_lost_and_a_flush_says_so() {
    let (client, mut peer) = common::client(config());
    let (sender, mut receiver) = WebSocket::new(client).spawn();
    while sender.try_send(Message::binary(vec![0; 10_000])).is_ok() {
        sleep(Duration::from_millis(1)).await;
    }
    in_a_hurry(&mut peer, &[]).await;
    let (end, flushed) = tokio::join!(receiver.ended(), sender.flush());
    assert_eq!(flushed, Err(Unsent::Lost), "{end}");
    assert!(sender.send(Message::text("late")).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepted_messages_leave_before_the_answer_to_a_close() {
    // However long the answer takes.
    let mut patient = config();
    patient.closing.close_timeout = Duration::from_secs(3600);
    for round in 0..100_usize {
        let (client, server) = common::pair(patient.clone(), patient.clone());
        let ((sender, mut receiver), mut peer) = (WebSocket::new(client).spawn(), WebSocket::new(server));
        let talks = tokio::spawn(async move {
            let mut accepted = 0_usize;
            while sender.send(Message::text("talk")).await.is_ok() {
                accepted += 1;
            }
            accepted
        });
        let listens = tokio::spawn(async move { receiver.ended().await });
        let mut heard = 0_usize;
        let end = loop {
            if heard == round {
                peer.close(Close::normal()).unwrap();
            }
            match peer.receive().await {
                Ok(_) => heard += 1,
                Err(end) => break end,
            }
        };
        assert_eq!(heard, talks.await.unwrap(), "round {round}, {end}");
        listens.await.unwrap();
    }
}
