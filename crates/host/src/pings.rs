//! Pings of the application's own, and who waits for their answers.

use bowline_core::connection::PingError;
use bowline_core::{Connection, Instant};

/// The pings of one connection that are not answered yet, by their numbers, and who waits for each.
#[derive(Debug)]
pub struct Pings<W>(Vec<(u64, W)>);

impl<W> Pings<W> {
    /// Sends a ping, and remembers who waits for its answer.
    ///
    /// # Errors
    /// What the connection says; whoever was to wait comes back.
    pub fn ask(
        &mut self,
        now: Instant,
        connection: &mut Connection,
        payload: &[u8],
        waiter: W,
    ) -> Result<(), (W, PingError)> {
        match connection.ping(now, payload) {
            Ok(ping) => {
                self.0.push((ping, waiter));
                self.0.retain(|(number, _)| connection.is_awaited(*number));
                Ok(())
            }
            Err(error) => Err((waiter, error)),
        }
    }

    /// Forgets those of whom this says that nobody waits any more.
    pub fn retain(&mut self, is_waiting: impl Fn(&W) -> bool) {
        self.0.retain(|(_, waiter)| is_waiting(waiter));
    }

    /// The peer has answered a ping: who has waited for that. Pings are answered in order, so one before it that is still
    /// waited for was given up.
    pub fn handle_answered(&mut self, ping: u64) -> Option<W> {
        self.0.retain(|(number, _)| *number >= ping);
        let index = self.0.iter().position(|(number, _)| *number == ping)?;
        Some(self.0.remove(index).1)
    }

    /// The connection is gone, and with it every answer.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<W> Default for Pings<W> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::connection::Config;

    #[test]
    fn an_answer_goes_to_whoever_asked_and_ends_the_wait_of_those_before() {
        let mut connection = Connection::client(Config::default(), [7; 32], Instant::ZERO);
        let mut pings = Pings::default();
        for who in ["first", "second", "third"] {
            pings.ask(Instant::ZERO, &mut connection, who.as_bytes(), who).unwrap();
        }
        let second = pings.0[1].0;
        assert_eq!(pings.handle_answered(second), Some("second"));
        assert_eq!(pings.handle_answered(second), None);
        assert_eq!(pings.0.len(), 1, "the first was given up, the third waits");
        let (waiter, _) = pings.ask(Instant::ZERO, &mut connection, &[0; 126], "long").unwrap_err();
        assert_eq!(waiter, "long");
    }

    #[test]
    fn an_answer_that_has_come_is_not_forgotten_for_a_question_that_comes_first() {
        let mut near = Connection::client(Config::default(), [7; 32], Instant::ZERO);
        let mut far = Connection::server(Config::default(), [8; 32], Instant::ZERO);
        let mut pings = Pings::default();
        pings.ask(Instant::ZERO, &mut near, b"first", "first").unwrap();
        far.handle_input(Instant::ZERO, near.output());
        near.handle_written(Instant::ZERO, near.output().len());
        near.handle_input(Instant::ZERO, far.output());
        pings.ask(Instant::ZERO, &mut near, b"second", "second").unwrap();
        let (ping, _) = near.poll_answered().unwrap();
        assert_eq!(pings.handle_answered(ping), Some("first"));
    }

    #[test]
    fn of_a_peer_that_answers_none_few_answers_are_waited_for() {
        let mut connection = Connection::client(Config::default(), [7; 32], Instant::ZERO);
        let mut pings = Pings::default();
        for n in 0..1000_u32 {
            pings.ask(Instant::ZERO, &mut connection, &n.to_be_bytes(), n).unwrap();
            let left = connection.output().len();
            connection.handle_written(Instant::ZERO, left);
        }
        let waiting = pings.0.iter().map(|(_, waiter)| *waiter);
        assert!(waiting.eq(991..1000), "as many as the connection knew when the last one was asked for");
    }
}
