//! The lines before the first command.

use super::words::{Words, duration, role, size};
use crate::sim::{Path, Then};
use bowline_core::connection::Config;
use bowline_core::heartbeat::Mode;
use bowline_core::{Instant, Role};
use std::time::Duration;

/// What the hosts and the path are like.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) seed: u64,
    pub(super) up: Path,
    pub(super) down: Path,
    pub(super) idle: Option<(Duration, Then)>,
    /// How long a dial takes until the link is open.
    pub(super) handshake: Duration,
    pub(super) client: Config,
    pub(super) server: Config,
    /// The server is not one of our machines: it reads nothing, and writes what it is told to.
    pub(super) mute: bool,
    /// Whose story is printed at the end.
    pub(super) explain: Vec<Role>,
}

impl Default for Settings {
    /// Machines without jitter, so that times are round.
    fn default() -> Self {
        let mut config = Config::default();
        config.heartbeat.jitter_percent = 0;
        Self {
            seed: 1,
            up: Path::default(),
            down: Path::default(),
            idle: None,
            handshake: Duration::from_millis(30),
            client: config.clone(),
            server: config,
            mute: false,
            explain: Vec::new(),
        }
    }
}

impl Settings {
    /// Applies one line.
    pub(super) fn apply(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        match words.next()? {
            "seed" => self.seed = size(words.next()?)? as u64,
            "explain" => {
                while !words.is_empty() {
                    self.explain.push(role(words.next()?)?);
                }
            }
            "server" if words.peek() == "mute" => {
                words.next()?;
                self.mute = true;
            }
            subject => {
                while !words.is_empty() {
                    let word = words.next()?;
                    let (key, value) = word.split_once('=').ok_or_else(|| format!("{word} has no value"))?;
                    match subject {
                        "link" => self.link(key, value)?,
                        "up" => path(&mut self.up, key, value)?,
                        "down" => path(&mut self.down, key, value)?,
                        "client" => host(&mut self.client, key, value)?,
                        "server" => host(&mut self.server, key, value)?,
                        "both" => {
                            host(&mut self.client, key, value)?;
                            host(&mut self.server, key, value)?;
                        }
                        _ => return Err(format!("no setting of {subject}")),
                    }
                }
            }
        }
        Ok(())
    }

    fn link(&mut self, key: &str, value: &str) -> Result<(), String> {
        if key == "handshake" {
            self.handshake = duration(value)?;
            return Ok(());
        }
        if key != "idle" {
            path(&mut self.up, key, value)?;
            return path(&mut self.down, key, value);
        }
        let (after, then) = value.split_once(':').ok_or("idle has a time and what happens then")?;
        let then = match then {
            "finish" => Then::Finish,
            "reset" => Then::Reset,
            "swallow" => Then::Swallow,
            "reset-later" => Then::ResetLater,
            _ => return Err(format!("no middlebox does {then}")),
        };
        self.idle = Some((duration(after)?, then));
        Ok(())
    }
}

fn path(path: &mut Path, key: &str, value: &str) -> Result<(), String> {
    match key {
        "latency" => path.latency = duration(value)?,
        "rate" => path.bandwidth = Some(size(value.strip_suffix("/s").unwrap_or(value))? as u64),
        "segment" => path.segment = size(value)?,
        "send_buffer" => path.send_buffer = size(value)?,
        "receive_buffer" => path.receive_buffer = size(value)?,
        "stall" => {
            let (from, until) = value.split_once("..").ok_or("a stall is from..until")?;
            path.stalls.push((Instant::from(duration(from)?), Instant::from(duration(until)?)));
        }
        _ => return Err(format!("no path has {key}")),
    }
    Ok(())
}

fn host(config: &mut Config, key: &str, value: &str) -> Result<(), String> {
    match (key, value) {
        ("heartbeat", "off") => config.heartbeat.mode = Mode::Off,
        ("heartbeat", "keepalive") => config.heartbeat.mode = Mode::KeepaliveOnly,
        ("interval", _) => config.heartbeat.interval = duration(value)?,
        ("timeout", _) => config.heartbeat.timeout = duration(value)?,
        ("fragment", "whole") => config.fragment = Some(usize::MAX),
        ("fragment", _) => config.fragment = Some(size(value)?),
        ("send_queue", _) => config.send_buffer = size(value)?,
        ("receive_queue", _) => config.receive_buffer = size(value)?,
        _ => return Err(format!("no host has {key}={value}")),
    }
    Ok(())
}
