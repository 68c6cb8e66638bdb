//! Connects the session of a link with the message sessions.

use super::{Ended, LinkId, Sessions};
use crate::{Instant, Session};

impl Sessions {
    /// Moves what can be moved between a server's [`Session`](crate::Session), which lives as long as its link, and the
    /// message session on this link. Returns whether anything moved.
    ///
    /// Call it after each [`pump`](crate::pump) of the link, and pump again if anything moved. In this way messages are
    /// numbered late, and the sessions need not be at hand while files are worked on: where many threads serve links, a
    /// lock around this call is held briefly. If a host never calls it, the link ends once 4 MiB have arrived, because
    /// they wait in memory and nothing else limits them.
    ///
    /// ```
    /// use bowline_core::closing::{CloseCode, Disconnect, Who};
    /// use bowline_core::messages::{LinkId, Sessions, SessionsConfig};
    /// use bowline_core::session::{self, Event};
    /// use bowline_core::{Connection, Instant, Session, connection, pump};
    /// # use bowline_core::{Close, End, Message};
    ///
    /// /// The link of a connected client.
    /// struct Link {
    ///     id: LinkId,
    ///     connection: Connection,
    ///     session: Session,
    /// }
    ///
    /// impl Link {
    ///     fn open(now: Instant, id: LinkId, sessions: &mut Sessions) -> Self {
    ///         let connection = Connection::server(connection::Config::default(), [2; 32], now);
    ///         let mut config = session::Config::default();
    ///         config.messages = Some(SessionsConfig::default().session); // otherwise it announces no messages
    ///         let mut session = Session::server(config, now);
    ///         sessions.handle_link_up(now, id, b"whoever the token names");
    ///         session.handle_link_up(now, None);
    ///         Self { id, connection, session }
    ///     }
    ///
    ///     /// Call it after input and the time were reported to both machines. Returns how the link ended.
    ///     fn turn(&mut self, now: Instant, sessions: &mut Sessions) -> Option<Disconnect> {
    ///         loop {
    ///             pump(now, &mut self.connection, &mut self.session);
    ///             if !sessions.serve(now, self.id, &mut self.session) {
    ///                 break;
    ///             }
    ///         }
    ///         while let Some(event) = self.session.poll_event() {
    ///             if let Event::LinkDown(ended) = event {
    ///                 let is_normal = ended.received().is_some_and(|close| close.code() == CloseCode::NORMAL);
    ///                 sessions.handle_link_down(now, self.id, is_normal && ended.who() == Who::Peer);
    ///                 return Some(ended);
    ///             }
    ///         }
    ///         None
    ///     }
    /// }
    /// # fn settle(now: Instant, client: &mut (Connection, Session), link: &mut Link, sessions: &mut Sessions) -> Option<Disconnect> {
    /// #     loop {
    /// #         pump(now, &mut client.0, &mut client.1);
    /// #         let ended = link.turn(now, sessions);
    /// #         let (there, back) = (client.0.output().to_vec(), link.connection.output().to_vec());
    /// #         if ended.is_some() || there.is_empty() && back.is_empty() {
    /// #             return ended;
    /// #         }
    /// #         link.connection.handle_input(now, &there);
    /// #         client.0.handle_written(now, there.len());
    /// #         client.0.handle_input(now, &back);
    /// #         link.connection.handle_written(now, back.len());
    /// #     }
    /// # }
    /// # let now = Instant::ZERO;
    /// # let mut sessions = Sessions::new(SessionsConfig::default(), [3; 32], now);
    /// # let mut config = session::Config::default();
    /// # config.messages = Some(Default::default());
    /// # let client = Session::client(config, [1; 32], now);
    /// # let dial = || Connection::client(connection::Config::default(), [1; 32], now);
    /// # let mut client = (dial(), client);
    /// #
    /// # client.1.handle_link_up(now, None);
    /// # client.1.messages_mut().unwrap().send(now, Message::text("hello")).unwrap();
    /// # let mut link = Link::open(now, LinkId(1), &mut sessions);
    /// # assert!(settle(now, &mut client, &mut link, &mut sessions).is_none());
    /// # let (name, received) = sessions.poll_received(now).unwrap();
    /// # assert_eq!(received.message, Message::text("hello"));
    /// # // We close, and the client answers: the session is kept.
    /// # link.connection.close(now, Close::normal()).unwrap();
    /// # settle(now, &mut client, &mut link, &mut sessions);
    /// # link.connection.handle_end(now, End::Eof);
    /// # let ended = link.turn(now, &mut sessions).unwrap();
    /// # assert_eq!((ended.to_string().as_str(), sessions.len()), ("sent 1000 (OK); then received 1000 (OK)", 1));
    /// # client.0.handle_end(now, End::Eof);
    /// # pump(now, &mut client.0, &mut client.1);
    /// #
    /// # client.0 = dial();
    /// # client.1.handle_link_up(now, None);
    /// # let mut link = Link::open(now, LinkId(2), &mut sessions);
    /// # sessions.send(now, name, Message::text("welcome back")).unwrap();
    /// # assert!(settle(now, &mut client, &mut link, &mut sessions).is_none());
    /// # assert_eq!(client.1.messages_mut().unwrap().poll_received(now).unwrap().message, Message::text("welcome back"));
    /// # // The client closes: the session is over.
    /// # client.0.close(now, Close::normal()).unwrap();
    /// # settle(now, &mut client, &mut link, &mut sessions);
    /// # link.connection.handle_end(now, End::Eof);
    /// # link.turn(now, &mut sessions).unwrap();
    /// # assert!(sessions.is_empty());
    /// ```
    pub fn serve(&mut self, now: Instant, link: LinkId, session: &mut Session) -> bool {
        self.advance(now);
        let mut moved = false;
        while let Some(frame) = session.take_frame() {
            self.handle_frame(now, link, frame);
            moved = true;
        }
        match self.poll_end(link) {
            Some(Ended::Superseded) => session.supersede(),
            Some(Ended::Broken { code, text }) => session.break_link(code, text),
            None => {
                while session.has_frame_room() {
                    let Some(frame) = self.poll_frame(now, link) else { return moved };
                    session.put_frame(frame);
                    moved = true;
                }
                return moved;
            }
        }
        true
    }
}
