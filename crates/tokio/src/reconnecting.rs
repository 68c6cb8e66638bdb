//! A WebSocket to any server that reconnects whenever it is lost.

use std::fmt;
use std::time::Duration;

use bowline_core::connection::{Event, SendError};
use bowline_core::{Close, Disconnect, Instant, Message};
use bowline_handshake::client::Request;
use bowline_host::DialError;
use bowline_host::client::{GaveUp, LinkEvent, Reconnecting, ReconnectingConfig, StartError};
use tokio::time::sleep_until;

use crate::client::LinkState;
use crate::clock::Clock;
use crate::dial::Dialed;
use crate::dialing::{self, Dialing};
use crate::driver::Driver;
use crate::host::let_go;
use crate::maybe_tls::MaybeTlsStream;
use crate::websocket::WebSocket;

/// A WebSocket to any server that reconnects, with increasing backoff, whenever the connection is lost. Its heartbeat
/// learns from disconnects how long a silence the path allows.
///
/// Each message belongs to one connection: what was sent before a cut may not have arrived, and nothing is sent again
/// automatically. Between two ends that both speak Bowline, a [`Client`](crate::Client) delivers each message exactly
/// once.
///
/// ```
/// use bowline_core::Message;
/// use bowline_tokio::{ReconnectingConfig, ReconnectingWebSocket, WebSocket};
/// use tokio::net::TcpListener;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let url = format!("ws://{}/", listener.local_addr()?);
/// tokio::spawn(async move {
///     for greeting in ["hello", "hello again"] {
///         let (stream, _) = listener.accept().await.unwrap();
///         let mut socket = WebSocket::accept(stream).await.unwrap();
///         socket.send(Message::text(greeting)).await.unwrap();
///         // ... and the connection is lost.
///     }
/// });
///
/// let mut socket = ReconnectingWebSocket::new(&url, ReconnectingConfig::default())?;
/// assert_eq!(socket.receive().await?, Message::text("hello"));
/// assert_eq!(socket.receive().await?, Message::text("hello again"));
/// # Ok(())
/// # }
/// ```
///
/// To send something at the beginning of each connection, such as your subscriptions, or to show the state of the
/// connection, take [events](Self::event) instead of messages:
///
/// ```no_run
/// use bowline_core::Message;
/// use bowline_core::connection::Event;
/// use bowline_tokio::{LinkEvent, ReconnectingConfig, ReconnectingWebSocket};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut socket = ReconnectingWebSocket::new("wss://example.org/ticker", ReconnectingConfig::default())?;
/// while let Ok(event) = socket.event().await {
///     match event {
///         // If the connection is lost already, the next event says so.
///         LinkEvent::Up { .. } => drop(socket.send(Message::text(r#"{"subscribe":"all"}"#)).await),
///         LinkEvent::Notice(Event::Message(Message::Text(text))) => println!("{text}"),
///         LinkEvent::Down { disconnect } => eprintln!("{disconnect}"),
///         LinkEvent::Waiting { delay, .. } => eprintln!("connecting again in {delay:?}"),
///         LinkEvent::GaveUp { why, .. } => eprintln!("{why}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Heartbeats
/// It dials, pings and keeps its deadlines while its owner waits for [events](Self::event) or messages, or sends. An
/// owner that does something else for longer than half the heartbeat interval should move it into a task of its own.
///
/// # Ends
/// It keeps dialling until the settings say otherwise ([`ReconnectingConfig::reconnect`]; by default never), or until
/// the server ends it for good: by a Close with 1000, by a Close that says that the same will not work, or by refusing
/// the handshake. If your server means something else by that, call [`dial`](Self::dial) to continue.
pub struct ReconnectingWebSocket {
    clock: Clock,
    reconnecting: Reconnecting,
    dialing: Dialing,
    link: Option<WebSocket<MaybeTlsStream>>,
    /// The round-trip time that the last connection's handshake has shown.
    round_trip: Option<Duration>,
    subprotocol: Option<String>,
}

impl ReconnectingWebSocket {
    /// A WebSocket to the server at this `ws://` URL, or with feature `tls` a `wss://` one. It dials when its owner
    /// first waits for something.
    ///
    /// # Errors
    /// The URL is not valid, or the system gives no random bytes.
    pub fn new(url: &str, config: ReconnectingConfig) -> Result<Self, StartError> {
        Self::with_request(Request::new(url)?, config)
    }

    /// The same, with the application's own subprotocols, token and headers.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn with_request(request: Request, config: ReconnectingConfig) -> Result<Self, StartError> {
        let clock = Clock::start();
        let token_file = config.token_file.clone();
        let reconnecting = Reconnecting::new(config, &request, clock.now())?;
        let dialing = Dialing::new(request, token_file);
        Ok(Self { clock, reconnecting, dialing, link: None, round_trip: None, subprotocol: None })
    }

    /// The next message, over whichever connection it arrives, or why there will be none. If messages arrive in pieces,
    /// the message is joined from the pieces that [`event`](Self::event) has not returned.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped, and a dial that is under way continues with the next
    /// call.
    ///
    /// # Errors
    /// It has given up, or was closed.
    pub async fn receive(&mut self) -> Result<Message, GaveUp> {
        loop {
            let event = self.event().await?;
            if let Some(message) = self.reconnecting.message(event) {
                return Ok(message);
            }
        }
    }

    /// The next thing that happens: a change in the state of the link, or what its connection reports, including
    /// messages, as [`LinkEvent::Notice`]; or why there will be nothing more.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped, and a dial that is under way continues with the next
    /// call.
    ///
    /// # Errors
    /// It has given up, or was closed, and everything that came before has been reported.
    pub async fn event(&mut self) -> Result<LinkEvent, GaveUp> {
        loop {
            if let Some(event) = self.reconnecting.poll_event() {
                self.follow(&event);
                return Ok(event);
            }
            if let Some(link) = &mut self.link {
                match link.event().await {
                    Event::Closed(disconnect) => self.let_go(disconnect),
                    event => {
                        let connection = link.conn_mut();
                        if let Some(silence) = connection.poll_survived() {
                            self.reconnecting.handle_survived(self.clock.now(), silence, connection);
                        }
                        return Ok(LinkEvent::Notice(event));
                    }
                }
            } else if let Some(why) = self.reconnecting.ended() {
                return Err(why.clone());
            } else {
                self.wait().await;
            }
        }
    }

    /// Sends a message over the current connection, as [`WebSocket::send`] does.
    ///
    /// Cancel-safe: when the future is dropped early, nothing of the message has been sent; but the message is gone.
    ///
    /// # Errors
    /// If no connection is up, or it is closing. The message is returned. Wait for [`LinkEvent::Up`].
    pub async fn send(&mut self, message: Message) -> Result<(), SendError<Message>> {
        match &mut self.link {
            Some(link) => link.send(message).await,
            None => Err(SendError::Closing(message)),
        }
    }

    /// Ends it: the current connection is closed, and no other is dialled. Then keep taking [events](Self::event) until
    /// there are none: what the peer sends until it also closes is still received.
    pub fn close(&mut self, close: Close) {
        self.reconnecting.close();
        self.dialing.abandon();
        if let Some(link) = &mut self.link {
            // One that is closing already is fine, and so is a normal Close instead of one that must not be sent.
            let _ = link.close(close).or_else(|_| link.close(Close::normal()));
        }
    }

    /// The network has changed, according to the system or the user: a dial that is waiting happens soon.
    pub fn network_changed(&mut self) {
        self.reconnecting.handle_network_change(self.clock.now());
    }

    /// Dials now, whatever was decided: the user has pressed a button, or knows better than the last end what the
    /// server means. This also works after it has given up. It does not affect a connection that is up, a dial that is
    /// under way, or a WebSocket that was [closed](Self::close).
    pub fn dial(&mut self) {
        self.reconnecting.dial(self.clock.now());
    }

    /// The state of the link.
    pub fn state(&self) -> LinkState {
        let clock = self.clock;
        self.reconnecting.state().clone().map(|until| clock.deadline(until))
    }

    /// The current connection: to inspect it, to ping, or to send in other ways. What it receives belongs to
    /// [`event`](Self::event).
    pub fn link(&mut self) -> Option<&mut WebSocket<MaybeTlsStream>> {
        self.link.as_mut()
    }

    /// The smoothed round-trip time of the last connection; before its first Pong, that of its handshake.
    pub fn rtt(&self) -> Option<Duration> {
        self.link.as_ref().and_then(WebSocket::rtt).or(self.round_trip)
    }

    /// The subprotocol that the server has chosen for the last connection, if it has chosen one.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// How long the path may be silent before a connection that begins now pings.
    pub fn heartbeat_interval(&self) -> Duration {
        self.reconnecting.heartbeat_interval(self.clock.now())
    }

    fn follow(&mut self, event: &LinkEvent) {
        match event {
            LinkEvent::Dialing { .. } => self.dialing.start(self.reconnecting.dial_config()),
            LinkEvent::Waiting { .. } | LinkEvent::GaveUp { .. } => self.dialing.abandon(),
            _ => {}
        }
        dialing::log(event);
    }

    /// Waits for the result of the dial, or for the time of the next one.
    async fn wait(&mut self) {
        let (clock, due) = (self.clock, self.reconnecting.poll_timeout().unwrap_or(Instant::MAX));
        tokio::select! {
            result = self.dialing.result() => self.handle_dialed(result),
            () = sleep_until(clock.deadline(due)) => self.reconnecting.handle_timeout(clock.now()),
        }
    }

    fn let_go(&mut self, disconnect: Disconnect) {
        if let Some(link) = self.link.take() {
            let_go(link.into_driver());
        }
        self.reconnecting.handle_down(self.clock.now(), disconnect);
    }

    fn handle_dialed(&mut self, result: Result<Dialed<MaybeTlsStream>, DialError>) {
        let now = self.clock.now();
        let opened = result.and_then(|dialed| {
            let config = self.reconnecting.connection(now);
            (self.round_trip, self.subprotocol) = (Some(dialed.round_trip), dialed.subprotocol.clone());
            Driver::dialed(dialed, config, self.clock).map_err(DialError::System)
        });
        match opened {
            Ok(driver) => {
                self.link = Some(WebSocket::new(driver));
                self.reconnecting.handle_up(now);
            }
            Err(error) => self.reconnecting.handle_dial_failed(now, error.disconnect()),
        }
    }
}

impl fmt::Debug for ReconnectingWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reconnecting, link, .. } = self;
        f.debug_struct("ReconnectingWebSocket")
            .field("reconnecting", reconnecting)
            .field("link", link)
            .finish_non_exhaustive()
    }
}
