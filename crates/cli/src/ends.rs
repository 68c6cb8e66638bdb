//! How the transfers of a command ended, and how that is reported.

use crate::exit::{Exit, Trouble};
use crate::news::Ended;
use crate::report::{FETCH, LIST, Report, SEND, Verb};
use bowline_core::CloseCode;
use bowline_core::closing::{Kind, Obstacle};
use bowline_core::transfer::{Code, Failure, Leftover};
use bowline_tokio::{Finished, LinkEvent, TransferError};
use tokio::sync::mpsc;

/// The index of the transfer that a fetch names: no other may turn out to be a folder.
const NAMED: usize = 0;

/// How many failed names are repeated at the end, because other output may have scrolled their messages away.
const LISTED: usize = 10;

/// How the files ended.
#[derive(Debug)]
pub(crate) struct Ends<'a> {
    server: &'a str,
    /// Whether the same command would resume.
    resumes: bool,
    /// What to check if the server refuses us.
    remedy: &'static str,
    /// Receives the end of each transfer.
    ended: mpsc::UnboundedSender<Ended>,
    /// The first failure of a file.
    first: Option<Trouble>,
    /// Whether another failure would have led to a different exit code.
    differ: bool,
    /// What has failed: the first names, and how many others there are.
    failed: Vec<String>,
    others: u64,
    /// What went wrong with the server, and therefore with all files.
    lost: Option<Trouble>,
}

impl<'a> Ends<'a> {
    /// `resumes`: the same command would resume.
    pub(crate) fn new(server: &'a str, resumes: bool, ended: mpsc::UnboundedSender<Ended>) -> Self {
        Self {
            server,
            resumes,
            remedy: "check the URL",
            ended,
            first: None,
            differ: false,
            failed: Vec::new(),
            others: 0,
            lost: None,
        }
    }

    /// Remembers what would help after this event.
    pub(crate) fn heed(&mut self, event: &LinkEvent) {
        if let LinkEvent::DialFailed { disconnect, .. } | LinkEvent::Down { disconnect } = event {
            self.remedy = remedy(disconnect.kind());
        }
    }

    pub(crate) fn note(
        &mut self,
        index: usize,
        result: Result<Finished, TransferError>,
        report: &mut Report,
    ) {
        let mut listing = None;
        match result {
            Ok(Finished { listing: Some(holds), .. }) if index == NAMED => {
                report.forget(index);
                listing = Some(holds);
            }
            Ok(Finished { listing: Some(_), .. }) => {
                let failure = Failure::local(Code::SourceChanged, "it has become a folder; fetch it again");
                self.note_failure(index, &failure.into(), report);
            }
            Ok(finished) => report.done(index, &finished),
            Err(error) => self.note_failure(index, &error, report),
        }
        // Nobody may be queueing any longer.
        let _ = self.ended.send(Ended { index, listing });
    }

    fn note_failure(&mut self, index: usize, error: &TransferError, report: &mut Report) {
        let name = report.name(index).to_owned();
        let (verb, has_arrived) = (report.verb(), report.has_arrived(index));
        let told = Told { name: &name, verb, has_arrived, resumes: self.resumes };
        let (trouble, concerns) = explain(error, &told, self.server, self.remedy);
        report.failed(index, &trouble);
        if concerns == Concerns::All {
            self.lost.get_or_insert(trouble);
            return;
        }
        if report.is_many() {
            report.complain(&trouble);
        }
        self.keep(name, trouble);
    }

    /// This many files or folders, whose transfers never began, are missing.
    pub(crate) fn miss(&mut self, name: &str, why: &str, things: u64, report: &mut Report) {
        let trouble = Trouble::failed(format!("{name}: {why}"));
        report.miss(name, &trouble, things);
        report.complain(&trouble);
        self.keep(name.to_owned(), trouble);
    }

    fn keep(&mut self, name: String, trouble: Trouble) {
        if self.failed.len() < LISTED {
            self.failed.push(name);
        } else {
            self.others += 1;
        }
        let exit = trouble.exit;
        self.differ |= self.first.get_or_insert(trouble).exit != exit;
    }

    /// The final result of the command.
    pub(crate) fn verdict(self, report: &Report) -> Result<(), Trouble> {
        match (self.lost, self.first) {
            (None, None) => Ok(()),
            (Some(only), _) | (None, Some(only)) if !report.is_many() => Err(only),
            (Some(lost), _) => Err(Trouble::new(lost.exit, format!("{lost} ({})", report.loss()))),
            (None, Some(first)) => {
                let exit = if self.differ { Exit::Failed } else { first.exit };
                let others =
                    if self.others > 0 { format!(" and {} more", self.others) } else { String::new() };
                let names = self.failed.join(", ");
                Err(Trouble::new(exit, format!("{}: {names}{others}; see above", report.failure())))
            }
        }
    }
}

/// What a failure concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concerns {
    One,
    All,
}

/// What is known of a file that failed.
#[derive(Clone, Copy, Debug)]
struct Told<'a> {
    name: &'a str,
    verb: Verb,
    /// Whether any of it has arrived.
    has_arrived: bool,
    /// Whether the same command would resume. It would not for a list, nor for what came through stdin.
    resumes: bool,
}

/// Says what happened, and what to do about it.
fn explain(error: &TransferError, told: &Told<'_>, server: &str, remedy: &str) -> (Trouble, Concerns) {
    let name = told.name;
    match error {
        // It names the file and the remedy itself.
        TransferError::File(error) => (Trouble::failed(error), Concerns::One),
        TransferError::Failed(failure) => {
            let exit = if failure.code == Code::Fenced { Exit::Overtaken } else { Exit::Failed };
            (Trouble::new(exit, format!("{name}: {}", advice(failure, told))), Concerns::One)
        }
        TransferError::Unreachable(why) => {
            let hope = if told.resumes { "the same command resumes" } else { "run the same command again" };
            (Trouble::new(Exit::Unreachable, format!("{why}; {hope} when {server} is back")), Concerns::All)
        }
        TransferError::Refused(why) => {
            let is_kept = told.has_arrived && told.resumes;
            let kept = if is_kept { "; what has arrived is kept, and the same command resumes" } else { "" };
            (Trouble::failed(format!("{why}; {remedy}{kept}")), Concerns::All)
        }
        other => (Trouble::failed(format!("{name}: {other}; run the same command again")), Concerns::One),
    }
}

/// What to check when a link ended or failed like this, and another dial would not help.
fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::ConnectFailed(Obstacle::Tls) => {
            "check the URL and its certificate, or say with --ca or --pin whom to trust"
        }
        Kind::ConnectFailed(Obstacle::Proxy) => "check the proxy, or use --proxy none",
        Kind::HandshakeRejected(401 | 403) | Kind::Rejected(CloseCode::POLICY | CloseCode::UNAUTHORIZED) => {
            "check the token"
        }
        Kind::HandshakeRejected(_) | Kind::ConnectFailed(_) => "check the URL",
        _ => "check that both ends run the same version",
    }
}

/// What to do, in the terms of this command.
fn advice(failure: &Failure, told: &Told<'_>) -> String {
    let verb = told.verb;
    let is_lost = failure.leftover == Some(Leftover::Discard);
    let kept = if told.has_arrived && !is_lost {
        "; what has arrived is kept, and the same command resumes once the name is free"
    } else {
        ""
    };
    match (failure.code, failure.by_peer) {
        (Code::Exists, true) if is_lost => {
            "the server has another file of that name; choose another --name, or serve with --overwrite"
                .into()
        }
        (Code::Exists, true) => {
            format!("the server has another file of that name; rename yours, or serve with --overwrite{kept}")
        }
        (Code::Exists, false) => {
            format!("another file stands in its place; choose a place with -o, or replace it with --overwrite{kept}")
        }
        (Code::Fenced, _) => format!(
            "another command that {} this file has taken over and continues it: nothing is lost, and there is nothing to do; \
             if that one ends early, run this command again, and it resumes",
            verb.does
        ),
        // In a fetch, the names are those of the server.
        (Code::Rejected, false) if verb == FETCH => format!("here: {failure}"),
        (Code::NotFound, true) if verb == LIST => "the server has no file or folder of that name".into(),
        (Code::NotFound, true) => "the server has no such file".into(),
        (Code::Unsupported, true) if verb == LIST => {
            "this server's version cannot list what it holds; fetch a file or a folder by its name".into()
        }
        (Code::SourceChanged, true) if verb == FETCH => {
            "the file has changed on the server; fetch it again".into()
        }
        (Code::SourceChanged, false) if verb == SEND && !is_lost => {
            "the file changed while it was sent, and nothing of it has arrived; send it again when it no longer changes; \
             a growing log can be sent by: bowline send - URL --name NAME < FILE"
                .into()
        }
        (Code::DigestMismatch | Code::LengthMismatch, false) if verb == FETCH => {
            "what has arrived of the file is damaged, or gone; fetch it again".into()
        }
        (Code::Cancelled, true) if is_lost => "cancelled by the server, which keeps nothing of it".into(),
        (Code::Cancelled, true) => "cancelled by the server; the same command resumes it".into(),
        _ => failure.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(verb: Verb, has_arrived: bool) -> Told<'static> {
        Told { name: "a", verb, has_arrived, resumes: true }
    }

    fn said_of(error: &TransferError, verb: Verb, has_arrived: bool) -> String {
        explain(error, &told(verb, has_arrived), "ws://h/", "").0.to_string()
    }

    #[test]
    fn a_name_taken_on_the_way_is_reported_with_what_is_kept() {
        let taken = |by_peer, leftover| {
            let mut failure = Failure::local(Code::Exists, "");
            (failure.by_peer, failure.leftover) = (by_peer, leftover);
            TransferError::Failed(failure)
        };
        let base = "a: the server has another file of that name; rename yours, or serve with --overwrite";
        assert_eq!(said_of(&taken(true, None), SEND, false), base);
        assert_eq!(
            said_of(&taken(true, None), SEND, true),
            format!("{base}; what has arrived is kept, and the same command resumes once the name is free")
        );
        let pipe = said_of(&taken(true, Some(Leftover::Discard)), SEND, true);
        assert!(pipe.ends_with("; choose another --name, or serve with --overwrite"), "{pipe}");
        let here = said_of(&taken(false, None), FETCH, true);
        assert!(
            here.ends_with("; what has arrived is kept, and the same command resumes once the name is free")
        );
    }

    #[test]
    fn a_sender_that_was_overtaken_is_told_that_another_has_taken_over() {
        let error = TransferError::Failed(Failure::local(Code::Fenced, "no"));
        let (trouble, _) = explain(&error, &told(SEND, true), "ws://h/", "");
        assert_eq!(trouble.exit, Exit::Overtaken);
        assert!(trouble.to_string().starts_with("a: another command that sends this file has taken over"));
    }

    #[test]
    fn advice_is_in_the_words_of_the_command() {
        let failure = |code, by_peer| {
            let mut failure = Failure::local(code, "no");
            failure.by_peer = by_peer;
            TransferError::Failed(failure)
        };
        let said = |code, by_peer, verb| said_of(&failure(code, by_peer), verb, false);
        let text = |code, by_peer| said(code, by_peer, SEND);
        assert!(text(Code::Exists, true).contains("serve with --overwrite"));
        assert!(text(Code::Exists, false).contains("-o"));
        assert_eq!(text(Code::NotFound, true), "a: the server has no such file");
        assert_eq!(text(Code::NoSpace, true), "a: the other side says: no");
        for (code, by_peer) in [(Code::SourceChanged, true), (Code::DigestMismatch, false)] {
            assert!(said(code, by_peer, FETCH).ends_with("; fetch it again"), "{code:?}");
            assert!(text(code, by_peer).ends_with("no"), "{code:?}");
        }
    }

    #[test]
    fn a_server_too_old_for_listings_is_reported_as_such() {
        let mut failure =
            Failure::local(Code::Unsupported, "frame type 0x11, handle 1: unknown field 0x002a");
        failure.by_peer = true;
        let said = said_of(&failure.into(), LIST, false);
        assert!(said.starts_with("a: this server's version cannot list what it holds"), "{said}");
    }

    #[test]
    fn a_refusal_says_what_to_check() {
        let text = |kind| {
            let refused = TransferError::Refused("no".into());
            explain(&refused, &told(SEND, false), "ws://h/", remedy(kind)).0.to_string()
        };
        for (kind, words) in [
            (Kind::HandshakeRejected(401), "no; check the token"),
            (Kind::Rejected(CloseCode::POLICY), "no; check the token"),
            (Kind::HandshakeRejected(404), "no; check the URL"),
            (Kind::ConnectFailed(Obstacle::NotWebSocket), "no; check the URL"),
            (
                Kind::ConnectFailed(Obstacle::Tls),
                "no; check the URL and its certificate, or say with --ca or --pin whom to trust",
            ),
            (Kind::ConnectFailed(Obstacle::Proxy), "no; check the proxy, or use --proxy none"),
            (Kind::ProtocolViolation, "no; check that both ends run the same version"),
        ] {
            assert_eq!(text(kind), words);
        }
    }

    #[test]
    fn a_refusal_after_a_part_has_arrived_says_that_it_is_kept() {
        let refused = TransferError::Refused("no".into());
        let said = |told| explain(&refused, &told, "ws://h/", "check the token").0.to_string();
        let kept = "no; check the token; what has arrived is kept, and the same command resumes";
        assert_eq!(said(told(FETCH, true)), kept);
        assert_eq!(said(told(FETCH, false)), "no; check the token");
        assert_eq!(said(Told { resumes: false, ..told(SEND, true) }), "no; check the token", "of a pipe");
    }
}
