//! The application's own pings, and who waits for their answers.

use std::collections::VecDeque;
use std::time::Duration;

use bowline_core::connection::PingError;
use bowline_core::{Connection, Instant};

/// The round-trip time of a ping, or why there is none.
type Answer = Result<Duration, PingError>;

/// The unanswered pings of one connection, and who waits for each.
#[derive(Debug)]
pub struct Pings<W> {
    /// With the numbers of their pings, in ascending order.
    waiting: VecDeque<(u64, W)>,
    tell: fn(W, Answer),
}

impl<W> Pings<W> {
    /// Starts empty. `tell` passes a waiter the round-trip time, or the reason why there is none.
    pub fn new(tell: fn(W, Answer)) -> Self {
        Self { waiting: VecDeque::new(), tell }
    }

    /// Sends a ping, and remembers who waits for its answer. Waiters whose pings were given up are told.
    pub fn ask(&mut self, now: Instant, connection: &mut Connection, payload: &[u8], waiter: W) {
        match connection.ping(now, payload) {
            Ok(ping) => {
                self.waiting.push_back((ping, waiter));
                self.tell_while(|ping| !connection.is_awaited(ping), Err(PingError::Unanswered));
            }
            Err(error) => (self.tell)(waiter, Err(error)),
        }
    }

    /// Forgets the waiters for which this returns false, since they no longer wait.
    pub fn retain(&mut self, is_waiting: impl Fn(&W) -> bool) {
        self.waiting.retain(|(_, waiter)| is_waiting(waiter));
    }

    /// The peer has answered a ping. Pings are answered in order, so earlier ones that are still waiting were given up.
    pub fn handle_answered(&mut self, ping: u64, rtt: Duration) {
        self.tell_while(|number| number < ping, Err(PingError::Unanswered));
        self.tell_while(|number| number == ping, Ok(rtt));
    }

    /// The connection is gone, and with it every answer.
    pub fn clear(&mut self) {
        self.tell_while(|_| true, Err(PingError::Closing));
    }

    /// Answers waiters, the oldest first, as long as this returns true for their pings, and removes them.
    fn tell_while(&mut self, is_over: impl Fn(u64) -> bool, answer: Answer) {
        while self.waiting.front().is_some_and(|(ping, _)| is_over(*ping)) {
            if let Some((_, waiter)) = self.waiting.pop_front() {
                (self.tell)(waiter, answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::connection::Config;
    use std::sync::mpsc::{Sender, channel};

    const RTT: Duration = Duration::from_millis(7);

    /// A number, and a channel for it and the answer.
    type Waiter = (u32, Sender<(u32, Answer)>);

    fn pings() -> Pings<Waiter> {
        Pings::new(|(number, told), answer| told.send((number, answer)).unwrap())
    }

    fn client() -> Connection {
        Connection::client(Config::default(), [7; 32], Instant::ZERO)
    }

    #[test]
    fn an_answer_reaches_its_caller_and_ends_the_wait_of_earlier_ones() {
        let (mut connection, mut pings, (tell, told)) = (client(), pings(), channel());
        for number in 1..=3_u32 {
            pings.ask(Instant::ZERO, &mut connection, &number.to_be_bytes(), (number, tell.clone()));
        }
        let second = pings.waiting[1].0;
        pings.handle_answered(second, RTT);
        pings.handle_answered(second, RTT);
        pings.ask(Instant::ZERO, &mut connection, &[0; 126], (4, tell));
        pings.clear();
        let expected = [
            (1, Err(PingError::Unanswered)),
            (2, Ok(RTT)),
            (4, Err(PingError::TooLong(126))),
            (3, Err(PingError::Closing)),
        ];
        assert_eq!(told.try_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_answer_that_has_come_is_not_lost_to_a_later_question() {
        let (mut near, mut pings, (tell, told)) = (client(), pings(), channel());
        let mut far = Connection::server(Config::default(), [8; 32], Instant::ZERO);
        pings.ask(Instant::ZERO, &mut near, b"first", (1, tell.clone()));
        far.handle_input(Instant::ZERO, near.output());
        near.handle_written(Instant::ZERO, near.output().len());
        near.handle_input(Instant::ZERO, far.output());
        pings.ask(Instant::ZERO, &mut near, b"second", (2, tell));
        let (ping, rtt) = near.poll_answered().unwrap();
        pings.handle_answered(ping, rtt);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [(1, Ok(Duration::ZERO))]);
    }

    #[test]
    fn few_answers_are_awaited_from_a_peer_that_gives_none() {
        let (mut connection, mut pings, (tell, told)) = (client(), pings(), channel());
        for number in 0..1000_u32 {
            pings.ask(Instant::ZERO, &mut connection, &number.to_be_bytes(), (number, tell.clone()));
            let left = connection.output().len();
            connection.handle_written(Instant::ZERO, left);
        }
        // As many wait as the connection was tracking when the last ping was sent.
        let given_up = (0..991).map(|number| (number, Err(PingError::Unanswered)));
        assert!(told.try_iter().eq(given_up));
        assert_eq!(pings.waiting.len(), 9);
    }
}
