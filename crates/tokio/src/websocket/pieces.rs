//! A WebSocket whose messages need not fit into memory.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bowline_core::connection::{Event, SendError};
use bowline_core::message::Piece;
use bowline_core::{Disconnect, Message};
use tokio::io::{AsyncRead, AsyncWrite};

use super::WebSocket;

impl<S> WebSocket<S> {
    /// Queues the next piece of a message if there is room for it at once; see [`send_piece`](Self::send_piece).
    ///
    /// # Errors
    /// If there is no room, the connection is closing, or the message was begun with pieces of the other kind; the
    /// piece is returned.
    pub fn try_send_piece(&mut self, piece: Piece) -> Result<(), SendError<Piece>> {
        let now = self.driver.time_to_send();
        self.driver.conn_mut().send_piece(now, piece)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The next piece of a message, or how the connection ended, which is repeated on each further call.
    ///
    /// With [`Config::delivery`](bowline_core::connection::Config::delivery) set to
    /// [`Pieces`](bowline_core::message::Delivery::Pieces), a piece is what has arrived, and no more memory is used
    /// than the settings say, however long the message is. Otherwise each message is its own first and last piece. If
    /// the end comes before the last piece, the peer did not send the rest.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    ///
    /// ```
    /// use bowline_core::connection::Config;
    /// use bowline_core::frame::Limits;
    /// use bowline_core::message::{Delivery, Piece};
    /// use bowline_core::{Close, Message};
    /// use bowline_tokio::{Clock, Driver, WebSocket};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut config = Config::default();
    /// config.delivery = Delivery::Pieces;
    /// config.limits = Limits::none();
    ///
    /// let (near, far) = tokio::io::duplex(64 << 10); // any stream after the opening handshake
    /// let mut server = WebSocket::new(Driver::server(far, &[], config, Clock::start())?);
    /// let echo = tokio::spawn(async move {
    ///     while let Ok(piece) = server.receive_piece().await {
    ///         // Waits until the client accepts what was sent before, so little is held, however much arrives.
    ///         server.send_piece(piece).await.unwrap();
    ///     }
    ///     server.ended().await
    /// });
    ///
    /// let client = Driver::client(near, &[], Config::default(), Clock::start())?;
    /// let (sender, mut receiver) = WebSocket::new(client).spawn();
    /// for _ in 0..100 {
    ///     sender.send_piece(Piece::binary(vec![7; 10_000])).await?; // for example, read from a file
    /// }
    /// sender.send_piece(Piece::binary("").last()).await?;
    /// assert_eq!(receiver.receive().await?, Message::binary(vec![7; 1_000_000]));
    /// sender.close(Close::normal()).await?;
    /// assert_eq!(receiver.ended().await.to_string(), "sent 1000 (OK); then received 1000 (OK)");
    /// # echo.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The end, clean or not.
    pub async fn receive_piece(&mut self) -> Result<Piece, Disconnect> {
        poll_fn(|cx| self.poll_piece(cx)).await
    }

    /// Waits until there is room, and sends the next piece of a message. The first piece begins the message, and until
    /// its [last](Piece::last) piece no other message can be sent. Closing abandons the message: the peer sees a Close
    /// inside a message that has not ended.
    ///
    /// What the stream accepts at once has left when this returns. While it waits it receives, up to a limit, like
    /// [`send`](Self::send).
    ///
    /// Cancel-safe: when the future is dropped early, nothing of the piece has been sent; but the piece is gone.
    ///
    /// # Errors
    /// If the connection is closing or closed, or the message was begun with pieces of the other kind; the piece is
    /// returned.
    pub async fn send_piece(&mut self, piece: Piece) -> Result<(), SendError<Piece>> {
        poll_fn(|cx| self.poll_room(cx)).await;
        let now = self.driver.now();
        self.driver.conn_mut().send_piece(now, piece)?;
        self.offer(now);
        Ok(())
    }

    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Disconnect>> {
        loop {
            let piece = match ready!(self.poll_event(cx)) {
                Event::Message(message) => return Poll::Ready(Ok(message)),
                Event::Piece(piece) => piece,
                Event::Closed(disconnect) => return Poll::Ready(Err(disconnect)),
                _ => continue,
            };
            if let Some(message) = self.joiner.push(piece) {
                return Poll::Ready(Ok(message));
            }
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Disconnect>> {
        loop {
            match ready!(self.poll_event(cx)) {
                Event::Message(message) => return Poll::Ready(Ok(message.into())),
                Event::Piece(piece) => return Poll::Ready(Ok(piece)),
                Event::Closed(disconnect) => return Poll::Ready(Err(disconnect)),
                _ => {}
            }
        }
    }
}
