//! The lines with a time.

use super::words::{Words, duration, role, size, text};
use crate::sim::{Did, Pair};
use bowline_core::{Close, CloseCode, End, Instant, Message, Role};
use bytes::Bytes;
use std::time::Duration;

/// What somebody does at that time.
#[derive(Clone, Debug)]
pub(super) enum Command {
    /// Nothing more is reported.
    End,
    Host(Role, Act),
    /// Nothing gets through any longer from these.
    Swallow(Vec<Role>),
    /// Both ends find the end.
    Cut(End),
    /// Only this one does.
    Break(Role, End),
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    Send(Message),
    /// There is always another message of this size.
    Stream(usize),
    Close(Close),
    Fail(CloseCode, String),
    Abort,
    /// Whether the application takes its events.
    Listen(bool),
    /// The process does not run for this long.
    Sleep(Duration),
    /// Bytes that none of our machines writes.
    Write(Bytes),
    Leave,
}

impl Command {
    pub(super) fn parse(words: &mut Words<'_>) -> Result<Self, String> {
        Ok(match words.next()? {
            "end" => Self::End,
            "client" => Self::Host(Role::Client, Act::parse(words)?),
            "server" => Self::Host(Role::Server, Act::parse(words)?),
            "link" => match words.next()? {
                "swallows" => Self::Swallow(match words.next()? {
                    "up" => vec![Role::Client],
                    "down" => vec![Role::Server],
                    "everything" => vec![Role::Client, Role::Server],
                    other => return Err(format!("no direction is {other}")),
                }),
                "is-cut" => Self::Cut(end(words.next()?)?),
                "breaks-for" => Self::Break(role(words.next()?)?, end(words.next()?)?),
                other => return Err(format!("no link can do that: {other}")),
            },
            other => return Err(format!("nobody is {other}")),
        })
    }

    pub(super) fn carry_out(self, pair: &mut Pair, foreign: &mut Vec<(Instant, Did)>) -> Result<(), String> {
        let now = pair.now();
        match self {
            Self::End => {}
            Self::Swallow(from) => from.into_iter().for_each(|role| pair.link.swallow(role, now)),
            Self::Cut(end) => pair.link.cut(now, end),
            Self::Break(role, end) => pair.link.lose(now, role, end),
            Self::Host(role, Act::Write(bytes)) => {
                let taken = pair.link.outgoing(role).write(now, &bytes);
                if taken != Ok(bytes.len()) {
                    return Err("the transport does not take that".into());
                }
                foreign.push((now, Did::Wrote(bytes)));
            }
            Self::Host(role, Act::Leave) => {
                pair.link.leave(now, role);
                foreign.push((now, Did::Left));
            }
            Self::Host(role, act) => {
                let host = pair.host(role);
                match act {
                    Act::Send(message) => {
                        host.connection.send(now, message).map_err(|error| error.to_string())?;
                    }
                    Act::Stream(size) => host.bulk = (size > 0).then_some(size),
                    Act::Close(close) => {
                        host.connection.close(now, close).map_err(|error| error.to_string())?;
                    }
                    Act::Fail(code, reason) => host.connection.fail(now, code, &reason),
                    Act::Abort => host.connection.abort(now),
                    Act::Listen(listens) => host.listens = listens,
                    Act::Sleep(duration) => host.sleep(now + duration),
                    Act::Write(_) | Act::Leave => unreachable!("above"),
                }
            }
        }
        Ok(())
    }
}

impl Act {
    fn parse(words: &mut Words<'_>) -> Result<Self, String> {
        Ok(match words.next()? {
            "sends" => {
                let what = words.next()?;
                Self::Send(match text(what) {
                    Some(text) => Message::text(text),
                    None => Message::binary(vec![0; size(what)?]),
                })
            }
            "streams" => Self::Stream(size(words.next()?)?),
            "closes" => {
                let (code, reason) = code(words)?;
                Self::Close(Close::new(code, reason).map_err(|error| error.to_string())?)
            }
            "fails" => {
                let (code, reason) = code(words)?;
                Self::Fail(code, reason)
            }
            "aborts" => Self::Abort,
            "listens" => Self::Listen(true),
            "ignores" => Self::Listen(false),
            "sleeps" => Self::Sleep(duration(words.next()?)?),
            "writes" => Self::Write(bytes(words)?),
            "leaves" => Self::Leave,
            other => return Err(format!("nobody can do that: {other}")),
        })
    }
}

fn end(word: &str) -> Result<End, String> {
    match word {
        "eof" => Ok(End::Eof),
        "reset" => Ok(End::Reset),
        _ => Err(format!("no transport ends by {word}")),
    }
}

fn code(words: &mut Words<'_>) -> Result<(CloseCode, String), String> {
    let code = words.next()?.parse::<u16>().map_err(|error| error.to_string())?;
    let reason = if words.is_empty() { "" } else { words.next()? };
    Ok((code.into(), text(reason).unwrap_or(reason).into()))
}

/// Bytes in hexadecimal, and texts in quotes.
fn bytes(words: &mut Words<'_>) -> Result<Bytes, String> {
    let mut bytes = Vec::new();
    while !words.is_empty() {
        let word = words.next()?;
        match text(word) {
            Some(text) => bytes.extend_from_slice(text.as_bytes()),
            None => {
                for at in (0..word.len()).step_by(2) {
                    let pair = word.get(at..at + 2).ok_or_else(|| format!("{word} is not hexadecimal"))?;
                    bytes.push(
                        u8::from_str_radix(pair, 16).map_err(|_| format!("{word} is not hexadecimal"))?,
                    );
                }
            }
        }
    }
    Ok(bytes.into())
}
