use std::sync::Arc;
use std::time::Duration;

use bowline_core::closing::{Kind, Who};
use bowline_core::connection::{Config, Event, PingError, SendError};
use bowline_core::frame::{Decoder, Limits, Opcode};
use bowline_core::{Close, CloseCode, Message, Role};
use bowline_tokio::{Unsent, WebSocket};
use futures_util::stream::FusedStream;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::time::{Instant, sleep, timeout};

use crate::common::{self, config, in_time, quiet};

fn pair(client: Config, server: Config) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (client, server) = common::pair(client, server);
    (WebSocket::new(client), WebSocket::new(server))
}

#[tokio::test]
async fn messages_cross_a_real_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = WebSocket::accept(stream).await.unwrap();
        while let Ok(message) = socket.receive().await {
            socket.send(message).await.unwrap();
        }
        socket.ended().await
    };
    let client = async {
        let mut socket = WebSocket::connect(&url).await.unwrap();
        for len in [0, 1, 125, 126, 65_535, 65_536, 3_000_000] {
            let message = Message::binary(vec![len as u8; len]);
            let (sent, received) = {
                let (mut sending, mut receiving) = (&mut socket).split();
                tokio::join!(sending.send(message.clone()), receiving.next())
            };
            sent.unwrap();
            assert!(received.unwrap().unwrap() == message, "{len} bytes");
        }
        socket.close(Close::normal()).unwrap();
        socket.ended().await
    };
    let (at_client, at_server) = tokio::join!(client, server);
    assert_eq!(at_client.to_string(), "sent 1000 (OK); then received 1000 (OK)");
    assert_eq!(at_server.to_string(), "received 1000 (OK); then sent 1000 (OK)");
}

/// None of its sends ever waits.
#[tokio::test(start_paused = true)]
async fn an_owner_that_only_sends_still_pings_and_answers() {
    let (mut client, mut server) = pair(config(), config());
    let receiving = tokio::spawn(async move {
        server.ping(b"are you there").unwrap();
        let mut is_answered = false;
        loop {
            match server.event().await {
                Event::Answered { .. } => is_answered = true,
                Event::Closed(_) => return is_answered,
                _ => {}
            }
        }
    });
    for _ in 0..600 {
        client.send(Message::text("another")).await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    assert!(client.rtt().is_some(), "it has pinged, and heard the answer");
    drop(client);
    assert!(receiving.await.unwrap(), "it has answered");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_after_a_clean_end_without_an_error() {
    let (mut client, mut server) = pair(config(), config());
    let (rest, ()) = tokio::join!(client.by_ref().collect::<Vec<_>>(), async {
        server.send(Message::text("last")).await.unwrap();
        SinkExt::close(&mut server).await.unwrap();
        server.ended().await;
    });
    assert_eq!(rest, [Ok(Message::text("last"))]);
    assert_eq!(client.disconnect().unwrap().kind(), Kind::Clean);
    assert_eq!(client.next().await, None);
    assert!(client.receive().await.is_err(), "those who ask are told again");
}

#[tokio::test(start_paused = true)]
async fn a_stream_tells_any_other_end_once() {
    let (mut client, mut server) = pair(config(), config());
    server.close(Close::new(CloseCode::SERVICE_RESTART, "deploy").unwrap()).unwrap();
    assert!(!client.is_terminated());
    let (item, _) = tokio::join!(client.next(), server.ended());
    let Some(Err(disconnect)) = item else { panic!("{item:?}") };
    assert_eq!((disconnect.kind(), disconnect.who()), (Kind::Restart, Who::Peer));
    assert!(client.is_terminated());
    assert_eq!(client.next().await, None);
    let (_sender, receiver) = client.spawn();
    assert!(receiver.is_terminated());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_receive_loses_nothing() {
    let (mut client, mut server) = pair(quiet(), quiet());
    let send = async {
        for n in 0..100_u32 {
            server.send(Message::text(n.to_string().repeat(5000))).await.unwrap();
        }
        server.ended().await
    };
    let receive = async {
        for n in 0..100_u32 {
            let message = loop {
                match client.receive().now_or_never() {
                    Some(message) => break message.unwrap(),
                    None => sleep(Duration::from_millis(1)).await,
                }
            };
            assert!(message == Message::text(n.to_string().repeat(5000)), "message {n}");
        }
    };
    in_time(async {
        tokio::select! {
            () = receive => {}
            _ = send => unreachable!("nothing ends here"),
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn halves_in_two_tasks_wake_each_other() {
    let (client, server) = pair(config(), config());
    let message = Message::binary(vec![9; 300_000]);
    // An end that is closing takes no more messages from its own application either, so all must have been sent before.
    let sent = Arc::new(Barrier::new(2));
    let mut tasks = Vec::new();
    for socket in [client, server] {
        let (mut sending, mut receiving) = socket.split();
        let (outgoing, done) = (message.clone(), Arc::clone(&sent));
        tasks.push(tokio::spawn(async move {
            for _ in 0..20 {
                sending.send(outgoing.clone()).await.unwrap();
            }
            done.wait().await;
            sending.close().await.unwrap();
        }));
        tasks.push(tokio::spawn(async move {
            for _ in 0..20 {
                assert_eq!(receiving.next().await.unwrap().unwrap().len(), 300_000);
            }
            assert_eq!(receiving.next().await, None);
        }));
    }
    for task in tasks {
        in_time(task).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_too_late_comes_back() {
    let (mut client, mut server) = pair(config(), config());
    server.close(Close::normal()).unwrap();
    assert_eq!(server.try_send(Message::text("late")), Err(SendError::Closing(Message::text("late"))));
    tokio::join!(client.ended(), server.ended());
    assert_eq!(client.send(Message::text("late")).await, Err(SendError::Closing(Message::text("late"))));
}

#[tokio::test(start_paused = true)]
async fn a_send_that_finds_no_room_waits_for_the_peer() {
    let (mut client, mut server) = pair(quiet(), quiet());
    let message = Message::binary(vec![1; 1 << 20]);
    client.send(message.clone()).await.unwrap();
    assert!(
        timeout(Duration::from_secs(60), client.send(message.clone())).await.is_err(),
        "there is no room"
    );

    let sending = async {
        client.send(message.clone()).await.unwrap();
        client.flush().await.unwrap();
    };
    let receiving = async {
        for _ in 0..2 {
            assert!(server.receive().await.unwrap() == message);
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_send_ends_with_the_connection() {
    let (mut client, server) = pair(config(), config());
    client.send(Message::binary(vec![1; 1 << 20])).await.unwrap();
    let start = Instant::now();
    // The peer is there but reads nothing, and nothing else would reveal that.
    assert_eq!(client.send(Message::text("more")).await, Err(SendError::Closing(Message::text("more"))));
    assert_eq!(start.elapsed(), Duration::from_secs(40));
    assert_eq!(client.ended().await.kind(), Kind::WriteStall);
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_the_last_byte() {
    let (mut client, mut server) = pair(quiet(), quiet());
    client.send(Message::binary(vec![1; 1 << 20])).await.unwrap();
    assert!(timeout(Duration::from_secs(60), client.flush()).await.is_err());
    let (received, flushed) = tokio::join!(server.receive(), client.flush());
    assert_eq!(flushed, Ok(()));
    assert_eq!(received.unwrap().len(), 1 << 20);
    assert_eq!(client.conn().queued(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_has_waited_answers_a_ping_before_it_writes_on() {
    let mut config = quiet();
    config.fragment = Some(1000);
    let (client, mut far) = common::client(config);
    let mut client = WebSocket::new(client);
    client.try_send(Message::binary(vec![1; 4 * common::PIPE])).unwrap();
    assert!(client.flush().now_or_never().is_none());

    far.write_all(b"\x89\x00").await.unwrap();
    let mut seen = vec![0; common::PIPE + 2000];
    far.read_exact(&mut seen[..common::PIPE]).await.unwrap();
    assert!(client.flush().now_or_never().is_none());
    far.read_exact(&mut seen[common::PIPE..]).await.unwrap();
    let mut decoder = Decoder::new(Role::Server, &Limits::default());
    decoder.push(&seen);
    let mut opcodes = std::iter::from_fn(|| decoder.decode().unwrap()).map(|header| header.opcode);
    assert!(opcodes.any(|opcode| opcode == Opcode::Pong), "behind the fragment that had begun to leave");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_flush_ends_with_the_connection() {
    let (mut client, _server) = pair(config(), config());
    client.send(Message::binary(vec![1; 1 << 20])).await.unwrap();
    let start = Instant::now();
    assert_eq!(client.flush().await, Err(Unsent::Lost));
    assert_eq!(start.elapsed(), Duration::from_secs(40));
    assert_eq!(client.ended().await.kind(), Kind::WriteStall);
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_loses_what_was_sent_says_so() {
    let (client, far) = common::client(quiet());
    let mut client = WebSocket::new(client);
    drop(far);
    client.try_send(Message::text("hello")).unwrap();
    assert_eq!(client.flush().await, Err(Unsent::Lost));
    assert_eq!(client.conn().stats().bytes_sent, 0);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_taken_before_is_reported_again() {
    let (mut client, server) = common::client(config());
    drop(server);
    common::drain(&mut client).await;
    let mut socket = WebSocket::new(client);
    assert_eq!(socket.receive().await.unwrap_err().kind(), Kind::LocalAbort);
}

#[tokio::test(start_paused = true)]
async fn an_echo_answers_messages_that_came_with_the_close() {
    for large in [1, 300_000] {
        let (mut client, mut server) = pair(quiet(), quiet());
        let echo = async {
            while let Ok(message) = server.receive().await {
                server.send(message).await.unwrap();
            }
            server.ended().await
        };
        let hurry = async {
            // All of this, and the Close, has arrived before the server looks.
            client.try_send(Message::text("a")).unwrap();
            client.try_send(Message::text("b".repeat(large))).unwrap();
            client.close(Close::normal()).unwrap();
            assert_eq!(client.receive().await, Ok(Message::text("a")));
            assert!(client.receive().await == Ok(Message::text("b".repeat(large))));
            client.ended().await
        };
        let start = Instant::now();
        let (at_server, at_client) = in_time(async { tokio::join!(echo, hurry) }).await;
        assert_eq!(at_server.to_string(), "received 1000 (OK); then sent 1000 (OK)");
        assert_eq!(at_client.to_string(), "sent 1000 (OK); then received 1000 (OK)");
        assert_eq!(start.elapsed(), Duration::ZERO, "nobody waits for a timeout");
    }
}

#[tokio::test(start_paused = true)]
async fn an_echo_that_waits_for_room_answers_messages_that_came_before_the_close() {
    let (mut client, server) = pair(quiet(), quiet());
    let echo = async {
        let (mut sending, mut receiving) = server.split();
        while let Some(Ok(message)) = receiving.next().await {
            sending.send(message).await.unwrap();
        }
        receiving.reunite(sending).unwrap().ended().await
    };
    let slow = async {
        // More than fits into the pipe and the queue of the server, so it waits for us to read.
        for n in 0..5 {
            client.send(Message::binary(vec![n; 200_000])).await.unwrap();
        }
        client.close(Close::normal()).unwrap();
        for n in 0..5 {
            assert!(client.receive().await == Ok(Message::binary(vec![n; 200_000])), "message {n}");
        }
        client.ended().await
    };
    let (at_server, at_client) = in_time(Box::pin(async { tokio::join!(echo, slow) })).await;
    assert_eq!(at_server.to_string(), "received 1000 (OK); then sent 1000 (OK)");
    assert_eq!(at_client.to_string(), "sent 1000 (OK); then received 1000 (OK)");
}

#[tokio::test(start_paused = true)]
async fn events_tell_more_than_messages() {
    let (mut client, mut server) = pair(quiet(), quiet());
    assert_eq!((client.ping(b"a"), client.ping(&[0; 126])), (Ok(1), Err(PingError::TooLong(126))));
    let answered = Event::Answered { ping: 1, rtt: Duration::ZERO };
    tokio::select! {
        event = client.event() => assert_eq!(event, answered),
        _ = server.receive() => unreachable!("nothing is sent"),
    }
    server.send(Message::text("hello")).await.unwrap();
    server.close(Close::normal()).unwrap();
    let at_client = async {
        let mut events = Vec::new();
        while !matches!(events.last(), Some(Event::Closed(_))) {
            events.push(client.event().await);
        }
        events
    };
    let (events, disconnect) = tokio::join!(at_client, server.ended());
    assert_eq!(disconnect.kind(), Kind::Clean);
    assert_eq!(events[0], Event::Message(Message::text("hello")));
    assert_eq!(events[1..3], [Event::CloseReceived(Close::normal()), Event::CloseSent(Close::normal())]);
    // The end is reported again and again, in both ways.
    assert_eq!(client.event().await, events[3]);
    assert_eq!(Event::Closed(client.receive().await.unwrap_err()), events[3]);
    assert_eq!((client.rtt(), client.stats().messages_received), (None, 1));
    assert!(
        client.timeline().to_string().contains("received close frame 1000 (OK)"),
        "{}",
        client.timeline()
    );
}
