//! Who may connect, according to the command line, the environment and a file with a line for each name.
//!
//! ```text
//! # name   token                 what it allows; without a word, everything
//! alice    blake3:25c7...        send fetch folder=alice quota=50GiB rate=2MiB until=2030-12-31
//! camera   Fh2kq8...             send folder=camera
//! public   -                     fetch no-list
//! ```

use crate::args::{Serve, Token, parse_token};
use crate::exit::Trouble;
use crate::private::warn_if_exposed;
use crate::units::{parse_moment, parse_rate, parse_size};
use bowline_core::transfer::{Digest, SafeName};
use bowline_store::Principal;
use bowline_tokio::{Access, Grant, Secret};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

/// The lines of such a file, for users who have nowhere to put one.
const LINES: &str = "BOWLINE_TOKENS";

/// Where the permissions come from.
#[derive(Debug)]
pub(super) struct Doors {
    token: Token,
    file: Option<PathBuf>,
    lines: Option<Lines>,
    may_send: bool,
    may_fetch: bool,
    may_list: bool,
}

/// The value of the variable, whether it is text or not.
struct Lines(OsString);

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines(..)")
    }
}

/// A name with its token and permissions. `secret` is `None` for clients without a token.
#[derive(Debug)]
struct Entry {
    secret: Option<Secret>,
    /// To find two equal tokens.
    digest: Option<Digest>,
    grant: Grant,
}

impl Doors {
    pub(super) fn of(args: &Serve) -> Self {
        let lines = std::env::var_os(LINES).map(Lines);
        let (token, file) = (args.token.clone(), args.tokens.clone());
        let (may_send, may_fetch, may_list) = (!args.read_only, !args.write_only, !args.no_list);
        Self { token, file, lines, may_send, may_fetch, may_list }
    }

    /// Whether anyone who reaches the server may connect, as far as is known without reading files.
    pub(super) fn are_open(&self) -> bool {
        let Self { token, file, lines, .. } = self;
        token.is_none() && file.is_none() && lines.is_none()
    }

    /// Whether there are files to read again.
    pub(super) fn has_files(&self) -> bool {
        self.file.is_some() || self.token.token_file.is_some()
    }

    /// Reads everything.
    pub(super) fn open(&self, quiet: bool) -> Result<Access, Trouble> {
        if self.are_open() {
            return Ok(Access::anybody(self.narrowed(Grant::default())));
        }
        let mut entries = Vec::new();
        if let Some(path) = &self.file {
            warn_if_exposed(path, quiet);
            let text =
                std::fs::read_to_string(path).map_err(|e| Trouble::unread(path, Some("--tokens"), &e))?;
            entries.extend(parse(&text).map_err(|why| Trouble::in_file(path, why))?);
        }
        if let Some(Lines(text)) = &self.lines {
            let text = text.to_str().ok_or_else(|| "it is not UTF-8".to_owned());
            let lines = text.and_then(parse).map_err(|why| Trouble::usage(format!("{LINES}: {why}")))?;
            entries.extend(lines);
        }
        // It belongs to no name in particular.
        if let Some(token) = self.token.read(quiet)? {
            let digest = Some(Digest::of(token.as_bytes()));
            let secret = digest.map(Secret::with_digest);
            entries.push(Entry { secret, digest, grant: Grant::default() });
        }
        self.access(entries).map_err(Trouble::usage)
    }

    fn access(&self, entries: Vec<Entry>) -> Result<Access, String> {
        let mut known = BTreeSet::new();
        let mut access = Access::nobody();
        let mut visitors = entries.iter().filter(|entry| entry.secret.is_none());
        if let Some(visitor) = visitors.next() {
            access = Access::anybody(self.narrowed(visitor.grant.clone()));
        }
        if visitors.next().is_some() {
            return Err("two lines are for clients without a token".into());
        }
        for Entry { secret, digest, grant } in entries {
            let (Some(secret), Some(digest)) = (secret, digest) else { continue };
            if !known.insert(*digest.as_bytes()) {
                return Err("two names have the same token".into());
            }
            access = access.with_token(secret, self.narrowed(grant));
        }
        Ok(access)
    }

    /// Nobody is permitted to do what the server does not do.
    fn narrowed(&self, mut grant: Grant) -> Grant {
        grant.may_send &= self.may_send;
        grant.may_fetch &= self.may_fetch;
        grant.may_list &= self.may_list;
        grant
    }
}

fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(n, line)| entry(line).map_err(|why| format!("line {n}: {why}"))).collect()
}

fn entry(line: &str) -> Result<Entry, String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(token)) = (words.next(), words.next()) else {
        return Err("it has only one word; a name and a token are needed".into());
    };
    let digest = match (token, token.strip_prefix("blake3:")) {
        ("-", _) => None,
        (_, Some(hex)) => {
            let hash = blake3::Hash::from_hex(hex).map_err(|_| "a digest has 64 hexadecimal digits")?;
            Some(Digest::from_bytes(*hash.as_bytes()))
        }
        (token, None) => Some(Digest::of(parse_token(token)?.as_bytes())),
    };
    let mut grant = Grant::to(Principal::named(name).map_err(|e| e.to_string())?);
    let (mut sends, mut fetches) = (false, false);
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "send" if value.is_empty() => sends = true,
            "fetch" if value.is_empty() => fetches = true,
            "no-list" if value.is_empty() => grant.may_list = false,
            "folder" => {
                let folder = SafeName::parse(value).map_err(|why| format!("folder: {why}"))?;
                grant.folder = Some(folder);
            }
            "quota" => grant.quota = Some(parse_size(value).map_err(|why| format!("quota: {why}"))?),
            "rate" => grant.limit_rate = Some(parse_rate(value).map_err(|why| format!("rate: {why}"))?),
            "until" => grant.until = Some(parse_moment(value).map_err(|why| format!("until: {why}"))?),
            // It may be a second token, which must not be shown.
            _ => {
                return Err(
                    "after the token, only send, fetch, no-list, folder=, quota=, rate= and until= may follow"
                        .into(),
                );
            }
        }
    }
    if sends || fetches {
        (grant.may_send, grant.may_fetch) = (sends, fetches);
    }
    Ok(Entry { secret: digest.map(Secret::with_digest), digest, grant })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn why(text: &str) -> String {
        parse(text).expect_err("not so")
    }

    #[test]
    fn each_line_has_a_name_a_token_and_what_it_allows() {
        let text =
            "# who may come\n\nalice one\n  bob\ttwo send folder=in/bob quota=5k rate=2M until=1970-01-02 \n";
        let [alice, bob] = &parse(text).expect("good lines")[..] else { panic!("two") };
        assert_eq!(alice.grant, Grant::to(Principal::named("alice").expect("short")));
        assert_eq!(alice.digest, Some(Digest::of(b"one")));
        let grant = &bob.grant;
        assert_eq!((grant.principal.name(), grant.may_send, grant.may_fetch), ("bob", true, false));
        assert_eq!(grant.folder.as_ref().map(SafeName::as_str), Some("in/bob"));
        assert_eq!((grant.quota, grant.limit_rate), (Some(5000), Some(2_000_000)));
        assert_eq!(grant.until, Some(UNIX_EPOCH + Duration::from_secs(24 * 3600)));
    }

    #[test]
    fn a_token_may_be_given_by_its_digest_or_be_left_away() {
        let hex = Digest::of(b"one").to_string();
        let read = parse(&format!("alice blake3:{hex}\npublic - fetch")).expect("good lines");
        assert_eq!(read[0].digest, Some(Digest::of(b"one")));
        assert!(read[1].secret.is_none() && !read[1].grant.may_send && read[1].grant.may_list);
        assert_eq!(why("alice blake3:12"), "line 1: a digest has 64 hexadecimal digits");
    }

    #[test]
    fn a_line_may_forbid_a_token_to_list_files() {
        let read = parse("alice one no-list\nbob two fetch no-list").expect("good lines");
        let may = |Grant { may_send, may_fetch, may_list, .. }: &Grant| (*may_send, *may_fetch, *may_list);
        assert_eq!(may(&read[0].grant), (true, true, false));
        assert_eq!(may(&read[1].grant), (false, true, false));
    }

    #[test]
    fn an_invalid_line_is_reported_by_number_without_repeating_its_token() {
        assert_eq!(why("alice"), "line 1: it has only one word; a name and a token are needed");
        let behind = "line 2: after the token, only send, fetch, no-list, folder=, quota=, rate= and until= may follow";
        for word in ["two", "SEND", "send=yes", "no-list=yes", "ways=send"] {
            assert_eq!(why(&format!("#\nalice one {word}")), behind);
        }
        assert!(why("alice ö").starts_with("line 1: only printable ASCII"));
        assert_eq!(why("alice one folder=../x"), "line 1: folder: a part of the name is '.' or '..'");
        assert_eq!(why("alice one quota=much"), "line 1: quota: it must begin with a number");
        assert!(why("alice one until=soon").starts_with("line 1: until: "));
    }

    fn doors(may_send: bool, may_fetch: bool) -> Doors {
        let token = Token { token: None, token_file: None };
        Doors { token, file: None, lines: None, may_send, may_fetch, may_list: may_fetch }
    }

    #[test]
    fn two_names_cannot_have_the_same_token() {
        let access = |text: &str| doors(true, true).access(parse(text).expect("good lines")).map(drop);
        assert_eq!(access("alice one\nbob one"), Err("two names have the same token".into()));
        let hex = Digest::of(b"one").to_string();
        assert!(access(&format!("alice one\nbob blake3:{hex}")).is_err());
        assert_eq!(access("alice -\nbob -"), Err("two lines are for clients without a token".into()));
        assert_eq!(access("alice one\nalice two\npublic -"), Ok(()));
    }

    #[test]
    fn no_token_allows_what_the_server_does_not_do() {
        let all = Grant::default();
        assert_eq!(doors(true, true).narrowed(all.clone()), all);
        let read_only = doors(false, true).narrowed(all.clone());
        assert!(!read_only.may_send && read_only.may_fetch);
        let fetches = read_only;
        let nothing = doors(true, false).narrowed(fetches);
        assert!(!nothing.may_send && !nothing.may_fetch && !nothing.may_list);
    }
}
