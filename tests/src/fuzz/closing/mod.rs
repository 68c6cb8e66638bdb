//! The closing handshake with any input, and the diagnosis of any evidence.

mod seeds;

pub(super) use seeds::seeds;

use super::choice::{Blob, Many, Span, Tell, choice, choose};
use super::connection::choices::end;
use bowline_core::closing::{
    Closing, Config, Cut, Evidence, Exchange, History, Kind, Overdue, Ping, Transport, Who,
};
use bowline_core::{Close, Disconnect, End, Instant, Retry, Role};

choice! {
    struct Story {
        is_client: bool,
        waits: Option<Waits>,
        facts: Many<Fact>,
        evidence: Told,
        /// Earlier links of which only the end is known.
        past: Many<Past>,
    }
}

choice! {
    struct Waits {
        close: Span,
        end: Span,
        drain: Span,
        stall: Span,
    }
}

choice! {
    enum Fact {
        Pass(span: Span),
        At(nanos: u64),
        Sleep,
        Timeout,
        Received,
        Sent,
        Blocked,
        Flushed,
        Stalled(lasted: Span),
        Data,
        Ping,
        Pong,
        SetReading(reading: bool),
        SkipData,
        PeerCloses(payload: Blob),
        PeerClosesWith(code: u16, reason: Blob),
        /// The application has not yet seen what came before it.
        PeerClosesBehindData(code: u16, reason: Blob),
        Answer,
        Close(code: u16, reason: Blob),
        Fail(code: u16, reason: Blob),
        Dead,
        End(which: u8),
    }
}

choice! {
    struct Told {
        /// Between two frames, in a header, or in a payload.
        place: u8,
        opcode: u8,
        got: u32,
        missing: u32,
        incomplete_message: u32,
        queued: u64,
        messages: u64,
        /// None, not sent, or unanswered for this long.
        ping: u8,
        waited: Span,
        pings: u8,
        pongs: u8,
        answer_time: Option<Span>,
    }
}

choice! {
    struct Past {
        age: Span,
        silence: Span,
        which: u8,
        got: u16,
    }
}

/// Any input reaches the closing handshake in any order: there is one end, its sentence is one harmless line, and its
/// fields are consistent.
pub fn closing(data: &[u8]) {
    let story: Story = choose(data);
    let _tell = Tell(&story);
    let evidence = story.evidence.evidence(&story.past.0);
    let mut side = Side::new(&story);
    for fact in &story.facts.0 {
        side.hear(fact);
        side.told.extend(side.closing.poll_disconnect(&evidence));
    }
    side.hear(&Fact::End(0));
    side.told.extend(side.closing.poll_disconnect(&evidence));
    let [disconnect] = &side.told[..] else { panic!("{} ends", side.told.len()) };
    check_sentence(disconnect);
    check_fields(disconnect);
    assert_eq!(disconnect.sent(), side.written.first());
    assert_eq!(disconnect.received(), side.received.as_ref());
    assert_eq!(disconnect.cut(), evidence.cut);
    assert!(disconnect.age() <= side.latest.since_start());
}

struct Side {
    closing: Closing,
    now: Instant,
    latest: Instant,
    written: Vec<Close>,
    received: Option<Close>,
    told: Vec<Disconnect>,
}

impl Side {
    fn new(story: &Story) -> Self {
        let mut config = Config::default();
        if let Some(waits) = &story.waits {
            config.close_timeout = waits.close.0;
            config.end_timeout = waits.end.0;
            config.drain_timeout = waits.drain.0;
            config.stall_timeout = waits.stall.0;
        }
        let role = if story.is_client { Role::Client } else { Role::Server };
        Self {
            closing: Closing::new(config, role, Instant::ZERO),
            now: Instant::ZERO,
            latest: Instant::ZERO,
            written: Vec::new(),
            received: None,
            told: Vec::new(),
        }
    }

    fn hear(&mut self, fact: &Fact) {
        let (now, closing) = (self.now, &mut self.closing);
        let was_over = closing.is_over();
        let mut answer = None;
        match fact {
            Fact::Pass(span) => self.now += span.0,
            Fact::At(nanos) => self.now = Instant::from_nanos(*nanos),
            Fact::Sleep => self.now = closing.poll_timeout().unwrap_or(now).max(now),
            Fact::Timeout => {
                self.latest = self.latest.max(now);
                if let Some(Overdue::Answer(payload)) = closing.handle_timeout(now) {
                    answer = Some(payload);
                }
                let next = closing.poll_timeout();
                assert!(next.is_none_or(|next| next > self.latest || next == Instant::MAX), "{next:?}");
            }
            Fact::Received => closing.handle_received(now),
            Fact::Sent => closing.handle_sent(now, 1),
            Fact::Blocked => closing.handle_blocked(now),
            Fact::Flushed => closing.handle_close_flushed(now, None),
            Fact::Stalled(lasted) => closing.handle_stalled(now, lasted.0),
            Fact::Data => {
                let wanted = closing.wants_data();
                assert_eq!(closing.handle_data(now), wanted);
            }
            Fact::Ping => drop(closing.handle_ping(now)),
            Fact::Pong => drop(closing.handle_pong(now)),
            Fact::SetReading(reading) => closing.set_reading(now, *reading),
            Fact::SkipData => closing.skip_data(now),
            Fact::PeerCloses(payload) => answer = self.peer_closes(&payload.0),
            Fact::PeerClosesWith(code, reason) => {
                answer = self.peer_closes(&[&code.to_be_bytes(), &reason.0[..]].concat());
            }
            Fact::PeerClosesBehindData(code, reason) => {
                let payload = [&code.to_be_bytes(), &reason.0[..]].concat();
                let is_heard = closing.wants_frames();
                closing.hold_close(now, &payload);
                if is_heard {
                    self.received.get_or_insert(Close::decode(&payload).0);
                }
            }
            Fact::Answer => {
                let is_held = closing.is_held();
                answer = closing.answer(now);
                assert_eq!(answer.is_some(), is_held, "what waits for an answer gets it");
            }
            Fact::Close(code, reason) => {
                let reason = String::from_utf8_lossy(&reason.0);
                // An invalid Close is passed to nobody, so the machine has not seen this time.
                let Ok(close) = Close::new(*code, reason) else { return };
                answer = closing.close(now, close).ok();
            }
            Fact::Fail(code, reason) => {
                answer = closing.fail(now, (*code).into(), &String::from_utf8_lossy(&reason.0));
            }
            Fact::Dead => answer = closing.dead(now),
            Fact::End(which) => closing.handle_end(now, end(*which)),
        }
        if !matches!(fact, Fact::Pass(_) | Fact::At(_) | Fact::Sleep) {
            self.latest = self.latest.max(now);
        }
        if let Some(payload) = answer {
            assert!(!was_over && payload.len() <= 125, "not to be sent");
            let (close, flaw) = Close::decode(&payload);
            assert_eq!(flaw, None, "{close:?}");
            self.written.push(close);
            assert_eq!(self.written.len(), 1, "one Close is enough");
        }
        assert!(!was_over || self.closing.is_over(), "what is over stays over");
        assert_eq!(self.closing.transport() == Transport::Drop, self.closing.is_over());
        assert!(!self.closing.is_over() || self.closing.poll_timeout().is_none());
    }

    fn peer_closes(&mut self, payload: &[u8]) -> Option<bytes::Bytes> {
        let is_first = self.closing.is_open() && !self.closing.is_held();
        let is_heard = self.closing.wants_frames();
        let answer = self.closing.handle_close(self.now, payload);
        assert_eq!(answer.is_some(), is_first, "a Close is answered, once");
        if is_heard {
            self.received.get_or_insert(Close::decode(payload).0);
        }
        answer
    }
}

impl Told {
    fn evidence(&self, past: &[Past]) -> Evidence {
        let mut evidence = Evidence::default();
        let got = u64::from(self.got);
        evidence.cut = match self.place % 3 {
            0 => Cut::Boundary,
            1 => Cut::Header,
            _ => Cut::Payload { opcode: self.opcode, got, of: got + u64::from(self.missing) + 1 },
        };
        evidence.incomplete_message = self.incomplete_message.into();
        evidence.queued = self.queued;
        evidence.messages = self.messages;
        evidence.ping = match self.ping % 3 {
            0 => Ping::None,
            1 => Ping::Unsent,
            _ => Ping::Unanswered(self.waited.0),
        };
        evidence.pings = self.pings.into();
        evidence.pongs = self.pongs.min(self.pings).into();
        evidence.answer_time = self.answer_time.map(|span| span.0);
        for past in past {
            past.remember(&mut evidence.history);
        }
        evidence
    }
}

impl Past {
    fn remember(&self, history: &mut History) {
        let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
        closing.handle_received(Instant::ZERO + self.age.0);
        closing.handle_end(Instant::ZERO + self.age.0 + self.silence.0, end(self.which));
        let mut evidence = Evidence::default();
        evidence.incomplete_message = self.got.into();
        evidence.history = *history;
        if let Some(disconnect) = closing.poll_disconnect(&evidence) {
            history.record(&disconnect);
        }
    }
}

/// The sentence is one line for a log, whatever the peer wrote into it.
pub(super) fn check_sentence(disconnect: &Disconnect) {
    let sentence = disconnect.to_string();
    assert!(!sentence.is_empty() && sentence.len() < 5000, "{} bytes", sentence.len());
    let harmful = sentence.chars().find(|c| obeyed_by_a_terminal(*c));
    assert_eq!(harmful, None, "{}", sentence.escape_debug());
    assert!(sentence.trim() == sentence || sentence.ends_with(' '), "{sentence:?}");
    let explanation = disconnect.explain().to_string();
    let harmful = explanation.chars().find(|c| obeyed_by_a_terminal(*c) && *c != '\n');
    assert_eq!(harmful, None, "{}", explanation.escape_debug());
    let debug = format!("{disconnect:?}");
    assert_eq!(debug.chars().find(|c| obeyed_by_a_terminal(*c)), None, "{debug:?}");
}

/// What ends a line, moves the cursor, hides text, or changes the writing direction.
pub(super) fn obeyed_by_a_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The fields do not contradict each other.
fn check_fields(disconnect: &Disconnect) {
    let (kind, who, retry) = (disconnect.kind(), disconnect.who(), disconnect.retry());
    assert!(disconnect.idle() <= disconnect.age() && disconnect.longest_silence() <= disconnect.age());
    assert!(disconnect.flaw().is_none() || disconnect.received().is_some(), "a flaw of no Close");
    let limits_of_the_path = matches!(kind, Kind::IdleDrop { .. } | Kind::LifetimeLimit { .. });
    assert_eq!(disconnect.suspect().is_some(), limits_of_the_path, "{disconnect:?}");
    match kind {
        Kind::Clean => assert!(disconnect.received().is_some() || disconnect.sent().is_some()),
        Kind::CleanUnacknowledged | Kind::CloseTimeout => {
            assert!(disconnect.received().is_none() && disconnect.sent().is_some());
        }
        Kind::ProtocolViolation => assert!(disconnect.flaw().is_some()),
        Kind::WeFailed(code) => assert!(code.is_sendable() && who == Who::Us),
        Kind::Rejected(code) | Kind::App(code) => {
            assert_eq!(disconnect.received().map(Close::code), Some(code));
        }
        Kind::IdleDrop { idle, .. } => assert!(idle <= disconnect.age()),
        Kind::LifetimeLimit { age } => assert_eq!(age, disconnect.age()),
        Kind::DroppedAtOnce { times } => assert!(times >= 3 && *disconnect.exchange() == Exchange::Neither),
        Kind::Reset => assert!(matches!(disconnect.end(), Some(End::Reset | End::WriteReset))),
        Kind::TimedOut => assert!(matches!(disconnect.end(), Some(End::TimedOut | End::WriteTimedOut))),
        Kind::LocalAbort => {
            assert!(matches!(disconnect.end(), Some(End::LocalAbort | End::Miscounted)) && who == Who::Us);
        }
        Kind::Truncated { got, of } => assert!(of.is_none_or(|of| got < of), "{got} of {of:?}"),
        Kind::LocalSuspend => assert!(who == Who::Us && retry == Retry::Now),
        _ => {}
    }
    // An end that received a Close was told why, so the cause lies with one of the two ends.
    if disconnect.received().is_some() {
        assert!(matches!(who, Who::Us | Who::Peer), "{disconnect:?}");
    }
}
