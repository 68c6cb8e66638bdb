//! SOCKS 5: a few bytes, two or three times. The proxy resolves the server's name.

use std::net::IpAddr;

use super::{Error, Proxy, Step};

const VERSION: u8 = 5;
/// RFC 1928 §3: no authentication; RFC 1929: user and password.
const OPEN: u8 = 0;
const LOGIN: u8 = 2;

/// Waits for a proxy's next answer.
pub(super) struct Socks {
    stage: Stage,
    input: Vec<u8>,
    login: Option<Vec<u8>>,
    request: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Stage {
    Greeted,
    LoggingIn,
    Asked,
}

impl Socks {
    /// Also returns what to send first.
    pub(super) fn new(proxy: &Proxy, host: &str, port: u16) -> Result<(Self, Vec<u8>), Error> {
        let mut request = vec![VERSION, 1, 0];
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => {
                request.push(1);
                request.extend(address.octets());
            }
            Ok(IpAddr::V6(address)) => {
                request.push(4);
                request.extend(address.octets());
            }
            Err(_) => {
                let length = u8::try_from(host.len()).map_err(|_| Error::LongName { length: host.len() })?;
                request.extend([3, length]);
                request.extend(host.as_bytes());
            }
        }
        request.extend(port.to_be_bytes());
        let login = proxy.login().map(|(user, password)| {
            // Their lengths were checked when the URL was parsed.
            let (user_len, password_len) = (user.len() as u8, password.len() as u8);
            [&[1, user_len], user, &[password_len], password].concat()
        });
        let greeting = if login.is_some() { vec![VERSION, 2, OPEN, LOGIN] } else { vec![VERSION, 1, OPEN] };
        Ok((Self { stage: Stage::Greeted, input: Vec::new(), login, request }, greeting))
    }

    pub(super) fn handle_input(&mut self, bytes: &[u8]) -> Step {
        self.input.extend_from_slice(bytes);
        let (step, used) = match (self.stage, &self.input[..]) {
            (_, []) => return Step::Wait,
            (Stage::Greeted | Stage::Asked, [first, ..]) if *first != VERSION => {
                return Step::Failed(Error::NotSocks { first: *first });
            }
            (Stage::Greeted, [_, OPEN, ..]) | (Stage::LoggingIn, [_, 0, ..]) => (self.ask(), 2),
            (Stage::Greeted, [_, LOGIN, ..]) if self.login.is_some() => {
                self.stage = Stage::LoggingIn;
                (Step::Say(self.login.take().unwrap_or_default()), 2)
            }
            (Stage::Greeted, [_, _, ..]) => {
                return Step::Failed(Error::NoLogin { had_credentials: self.login.is_some() });
            }
            (Stage::LoggingIn, [_, _, ..]) => return Step::Failed(Error::WrongLogin),
            (Stage::Asked, [_, code, ..]) if *code != 0 => {
                return Step::Failed(Error::Unreachable { code: *code });
            }
            (Stage::Asked, input) => match reply_len(input) {
                Ok(Some(length)) if input.len() >= length => (Step::Open, length),
                Ok(_) => return Step::Wait,
                Err(error) => return Step::Failed(error),
            },
            _ => return Step::Wait,
        };
        match self.input.len() - used {
            0 => self.input.clear(),
            bytes => return Step::Failed(Error::Surplus { bytes }),
        }
        step
    }

    fn ask(&mut self) -> Step {
        self.stage = Stage::Asked;
        Step::Say(std::mem::take(&mut self.request))
    }
}

/// The length of a reply, once known: the address in it does not matter.
fn reply_len(input: &[u8]) -> Result<Option<usize>, Error> {
    match input {
        [_, _, _, 1, ..] => Ok(Some(10)),
        [_, _, _, 4, ..] => Ok(Some(22)),
        [_, _, _, 3, length, ..] => Ok(Some(7 + usize::from(*length))),
        [_, _, _, 3] | [_, _, _] | [_, _] | [_] | [] => Ok(None),
        [_, _, _, kind, ..] => Err(Error::Malformed { reason: format!("an address of type {kind}") }),
    }
}
