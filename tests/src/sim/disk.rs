//! A model of a disk, and of the receiver or sender that carries out effects on it.

use bowline_core::transfer::{Answer, Code, Digest, Event, Failure, Kind, Offer, SafeName, TransferId};
use bowline_core::{Instant, Session, Transfers, session};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Complete files, and parts of files that are being received. It outlives links and processes.
#[derive(Debug, Default)]
pub struct Disk {
    /// The complete files.
    pub files: BTreeMap<SafeName, Bytes>,
    /// The folders that were created explicitly; those on the path to a file need not be.
    pub folders: BTreeSet<SafeName>,
    /// How long each operation takes.
    pub delay: Duration,
    parts: BTreeMap<TransferId, Part>,
}

/// A part of a file: `data` is written, and its first `safe` bytes survive a crash.
#[derive(Debug, Default)]
struct Part {
    name: Option<SafeName>,
    data: Vec<u8>,
    safe: usize,
    epoch: u32,
    committed: bool,
}

impl Disk {
    /// The machine crashes: what is not safe is gone.
    pub fn crash(&mut self) {
        for part in self.parts.values_mut().filter(|part| !part.committed) {
            part.data.truncate(part.safe);
        }
    }

    /// Bytes of this transfer that would survive a crash.
    pub fn safe(&self, id: TransferId) -> u64 {
        self.parts.get(&id).map_or(0, |part| part.safe as u64)
    }

    /// How many bytes there are of files that are, or were, being received.
    pub fn received(&self) -> usize {
        self.parts.values().map(|part| part.data.len()).sum()
    }

    /// The file of this name.
    ///
    /// # Panics
    /// If there is none.
    pub fn file(&self, name: &str) -> &[u8] {
        let name = SafeName::parse(name).expect("a safe name");
        self.files.get(&name).unwrap_or_else(|| panic!("no file {name}"))
    }

    fn open(&mut self, id: TransferId, name: SafeName) -> Answer {
        let part = self.parts.entry(id).or_default();
        part.name = Some(name);
        if part.committed {
            return Answer::Complete { length: part.data.len() as u64, digest: Digest::of(&part.data) };
        }
        part.data.truncate(part.safe);
        part.epoch += 1;
        Answer::Take {
            from: part.safe as u64,
            prefix: Digest::of(&part.data),
            epoch: part.epoch,
            expires: None,
        }
    }

    /// The part, unless a later attachment has taken it over.
    fn part(&mut self, id: TransferId, epoch: Option<&u32>) -> Result<&mut Part, Failure> {
        match self.parts.get_mut(&id) {
            Some(part) if Some(&part.epoch) == epoch => Ok(part),
            _ => Err(Failure::local(Code::Fenced, "another attachment took over")),
        }
    }

    fn place(&mut self, id: TransferId) {
        if let Some(Part { name: Some(name), data, .. }) = self.parts.get(&id) {
            self.files.insert(name.clone(), Bytes::copy_from_slice(data));
        }
    }
}

/// Carries out the effects of one session on a disk, in order, and records what the session reported.
#[derive(Debug, Default)]
pub struct Worker {
    /// What the session reported besides effects, and when.
    pub told: Vec<(Instant, session::Event)>,
    waiting: VecDeque<(Instant, Event)>,
    sending: BTreeMap<TransferId, SafeName>,
    /// How much has been forgotten of what comes through a pipe.
    piping: BTreeMap<TransferId, u64>,
    attached: BTreeMap<TransferId, u32>,
}

impl Worker {
    /// This transfer sends the file of that name.
    pub fn send(&mut self, id: TransferId, name: SafeName) {
        self.sending.insert(id, name);
    }

    /// This transfer sends the same file as if it came through a pipe.
    pub fn pipe(&mut self, id: TransferId, name: SafeName) {
        self.piping.insert(id, 0);
        self.send(id, name);
    }

    /// Its process starts again: what was queued is forgotten, and what was reported is kept.
    pub(super) fn restart(&mut self) {
        let told = std::mem::take(&mut self.told);
        *self = Self { told, ..Self::default() };
    }

    /// Takes the session's events and carries out what is due. Returns whether there was anything.
    pub fn work(&mut self, now: Instant, session: &mut Session, disk: &mut Disk) -> bool {
        let mut any = false;
        loop {
            while let Some(event) = session.poll_event() {
                any = true;
                match event {
                    session::Event::Transfer(event) if is_effect(&event) => {
                        self.waiting.push_back((now + disk.delay, event));
                    }
                    other => self.told.push((now, other)),
                }
            }
            match self.waiting.pop_front() {
                Some((due, effect)) if due <= now => self.carry_out(now, effect, session, disk),
                Some(early) => {
                    self.waiting.push_front(early);
                    return any;
                }
                None => return any,
            }
            any = true;
        }
    }

    /// When the next effect is carried out.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.front().map(|(due, _)| *due)
    }

    /// What the transfers of the session reported.
    pub fn transfer_events(&self) -> impl Iterator<Item = (Instant, &Event)> {
        self.told.iter().filter_map(|(at, event)| match event {
            session::Event::Transfer(event) => Some((*at, event)),
            _ => None,
        })
    }

    fn carry_out(&mut self, now: Instant, effect: Event, session: &mut Session, disk: &mut Disk) {
        let transfers = session.transfers_mut();
        let epoch = |id| self.attached.get(id);
        match effect {
            Event::Read { id, offset, len } if self.piping.contains_key(&id) => {
                let file = self.sending.get(&id).and_then(|name| disk.files.get(name));
                let file = file.filter(|file| (self.piping[&id]..=file.len() as u64).contains(&offset));
                match file.map(|file| file.slice(offset as usize..file.len().min(offset as usize + len))) {
                    Some(rest) if rest.is_empty() => transfers.end(now, id, offset),
                    Some(piece) => transfers.provide(now, id, offset, piece),
                    None => transfers.fail(now, id, Failure::local(Code::SourceChanged, "forgotten")),
                }
            }
            Event::Release { id, upto } => {
                let forgotten = self.piping.entry(id).or_default();
                *forgotten = upto.max(*forgotten);
            }
            Event::Read { id, offset, len } => {
                let file = self.sending.get(&id).and_then(|name| disk.files.get(name));
                let range = offset as usize..offset as usize + len;
                match file.filter(|file| range.end <= file.len()) {
                    Some(file) => transfers.provide(now, id, offset, file.slice(range)),
                    None => transfers.fail(now, id, Failure::local(Code::SourceChanged, "shorter")),
                }
            }
            Event::Hash { id, upto } => {
                let file = self.sending.get(&id).and_then(|name| disk.files.get(name));
                match file.filter(|file| upto <= file.len() as u64) {
                    Some(file) => {
                        transfers.provide_digest(now, id, upto, Digest::of(&file[..upto as usize]));
                    }
                    None => transfers.fail(now, id, Failure::local(Code::SourceChanged, "shorter")),
                }
            }
            Event::Check { id } => transfers.confirm(now, id),
            Event::Requested { id, name, .. } => {
                self.give(now, transfers, disk, Kind::File, (id, Some(name)));
            }
            // Its contents do not matter here: it is one of the files, served as a listing.
            Event::ListingRequested { id, name } => {
                let name = name.or_else(|| disk.files.keys().next().cloned());
                self.give(now, transfers, disk, Kind::Listing, (id, name));
            }
            Event::Offered(offered) if offered.kind == Kind::Folder => {
                let existed = !disk.folders.insert(offered.name);
                transfers.answer(now, offered.id, Answer::Folder { existed });
            }
            Event::Offered(offered) => {
                let answer = disk.open(offered.id, offered.name);
                if let Answer::Take { epoch, .. } = answer {
                    self.attached.insert(offered.id, epoch);
                }
                transfers.answer(now, offered.id, answer);
            }
            Event::Write { id, offset, data } => match disk.part(id, epoch(&id)) {
                Ok(part) => {
                    assert_eq!(part.data.len() as u64, offset, "writes come in order");
                    part.data.extend_from_slice(&data);
                    transfers.written(now, id, part.data.len() as u64);
                }
                Err(failure) => transfers.fail(now, id, failure),
            },
            Event::Sync { id } => match disk.part(id, epoch(&id)) {
                Ok(part) => {
                    part.safe = part.data.len();
                    transfers.commit(now, id, part.safe as u64);
                }
                Err(failure) => transfers.fail(now, id, failure),
            },
            Event::Finish { id, length, digest } => match disk.part(id, epoch(&id)) {
                Ok(part) => {
                    assert_eq!(part.data.len() as u64, length, "everything is written");
                    if Digest::of(&part.data) == digest {
                        part.safe = part.data.len();
                        part.committed = true;
                        disk.place(id);
                        transfers.finish(now, id);
                    } else {
                        *part = Part { epoch: part.epoch, ..Part::default() };
                        transfers.fail(now, id, Failure::local(Code::DigestMismatch, ""));
                    }
                }
                Err(failure) => transfers.fail(now, id, failure),
            },
            Event::Detach { id } => {
                if let Ok(part) = disk.part(id, epoch(&id)) {
                    part.safe = part.data.len();
                }
            }
            Event::Discard { id } => drop(disk.parts.remove(&id)),
            other => unreachable!("not an effect: {other:?}"),
        }
    }

    /// Offers a file that the peer has requested, in answer to that request.
    fn give(
        &mut self,
        now: Instant,
        transfers: &mut Transfers,
        disk: &Disk,
        kind: Kind,
        (id, name): (TransferId, Option<SafeName>),
    ) {
        let found = name.and_then(|name| Some((disk.files.get(&name)?.len() as u64, name)));
        let Some((length, name)) = found else {
            return transfers.fail(now, id, Failure::local(Code::NotFound, "no such file"));
        };
        let mut offer = Offer::new(id, name.clone(), length);
        offer.kind = kind;
        self.sending.insert(id, name);
        // Known already: the peer's second request for it has the same effect as the first.
        let _ = transfers.offer(now, offer);
    }
}

fn is_effect(event: &Event) -> bool {
    !matches!(
        event,
        Event::Accepted { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Retrying { .. }
            | Event::Done { .. }
            | Event::Failed { .. }
            | Event::GoingAway { .. }
            | Event::Broken { .. }
    )
}
