//! Attaching: what is known about an id, whether the caller may have it, and where it continues.
//!
//! ```text
//!   known as        mode             answer
//!   ─────────────   ──────────────   ─────────────────────────────────────────────
//!   nothing         attach only      NotFound
//!                   any other        Partial from 0
//!   open            create only      Exists
//!                   restart          Partial from 0
//!                   any other        Partial from the last byte written
//!   complete        restart          Partial from 0
//!                   any other        gets its name now, then as committed
//!   expired         attach only      Expired
//!                   any other        as nothing
//!   committed       restart          Partial from 0
//!                   any other        Committed; as nothing, if the file has been changed or removed
//! ```
//!
//! Before any `Partial`, the name must be free, or belong to a file of the same length (`Present`). Anything that is
//! not a file is never replaced.

use crate::clock::Clock;
use crate::commit::{self, Settled};
use crate::copying::clear_copy;
use crate::error::{ErrorKind, StoreError};
use crate::journal::{Claim, Record, Spec, State};
use crate::live::{Lease, Ticket};
use crate::partial::Partial;
use crate::present::Present;
use crate::slots::Slots;
use crate::staging::Place;
use crate::store::DiskStore;
use crate::sys::{Folder, Kind};
use crate::turn::Turn;
use bowline_core::secret;
use bowline_core::transfer::{Digest, TransferId};
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::PathBuf;
use std::time::SystemTime;
use std::{fmt, io};

mod opening;

/// What a sender says when it attaches to a transfer.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attach {
    /// What it expects to find, and what to do about it.
    pub mode: Mode,
    /// The epoch that the sender was last given; 0 if it knows none.
    pub epoch_seen: u32,
    /// The instance id of the sending process; all zeros if unknown.
    pub owner: [u8; 16],
}

impl Attach {
    /// For a process with this instance id, which was given no epoch.
    pub fn new(mode: Mode, owner: [u8; 16]) -> Self {
        Self { mode, epoch_seen: 0, owner }
    }

    /// Whether the caller is the process that attached last.
    fn is_owner(&self, claim: Claim) -> bool {
        self.owner != [0; 16] && secret::same(&self.owner, &claim.owner)
    }

    /// Whether another sender has attached since the caller was given its epoch.
    pub(crate) fn is_overtaken(&self, claim: Claim) -> bool {
        self.epoch_seen != 0 && self.epoch_seen != claim.epoch && !self.is_owner(claim)
    }

    /// Who attached after the caller, if the present holder did.
    pub(crate) fn successor(&self, turn: Turn, lease: &Lease) -> Option<&'static str> {
        if lease.turn.holder > turn.holder {
            Some("a later attach of the same transfer was faster")
        } else if lease.turn.link > turn.link && self.is_owner(lease.claim) {
            Some("the same sender has it on a newer connection")
        } else {
            None
        }
    }
}

impl fmt::Debug for Attach {
    /// Leaves out the owner: anyone who knows it can take over its transfers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attach")
            .field("mode", &self.mode)
            .field("epoch_seen", &self.epoch_seen)
            .finish_non_exhaustive()
    }
}

/// What an [`Attach`] expects to find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Continue if there is something, otherwise begin.
    #[default]
    AttachOrCreate,
    /// Begin; an error if the id is known.
    CreateOnly,
    /// Continue; an error if the id is unknown.
    AttachOnly,
    /// Start over, whatever there is.
    Restart,
}

/// The result of an attach.
#[derive(Debug)]
#[non_exhaustive]
pub enum Attached {
    /// Bytes are wanted from `durable` on.
    Partial {
        /// Takes the bytes.
        partial: Partial,
        /// How many bytes are safe, and so where to continue.
        durable: u64,
        /// The digest of those bytes, for the sender to compare with its own.
        prefix: Digest,
        /// How often the transfer has been attached to, including this time.
        epoch: u32,
        /// When the partial expires if nothing more arrives; `None` if never.
        expires: Option<SystemTime>,
    },
    /// A file with this name and length already exists, from another transfer. If its digest is the sender's, there is
    /// nothing to send; if not, the name is taken.
    Present {
        /// The length of both.
        length: u64,
        /// The digest of the existing file.
        digest: Digest,
    },
    /// This very transfer is finished, and its file is unchanged.
    Committed {
        /// The length of the file.
        length: u64,
        /// Its digest.
        digest: Digest,
    },
}

/// The result of an attach that does not wait for long work.
pub(crate) enum Begun {
    Attached(Attached),
    /// The digest is still missing for [`Attached::Present`].
    Present(Present),
}

impl Begun {
    /// The whole attach, however long it takes.
    pub(crate) fn completed(self) -> Result<Attached, StoreError> {
        match self {
            Self::Attached(attached) => Ok(attached),
            Self::Present(present) => {
                let length = present.length();
                present.digest().map(|digest| Attached::Present { length, digest })
            }
        }
    }
}

/// What is known about an id.
enum Known {
    /// A holder in this process is attached.
    Held(Lease),
    /// A journal says how far it had come.
    Open(Place, Slots, Box<Record>),
    /// Nothing that could be continued; the next epoch is above this one.
    Nothing(Remains, u32),
}

/// What can be reused from a transfer that is not continued: the place of its files, and perhaps a journal.
type Remains = Option<(Place, Option<Slots>)>;

impl DiskStore {
    /// Creates a transfer, or takes it over from its holder, and says where to continue.
    ///
    /// A second attach of the same sender fences the first: what the first had written is kept, and its next call
    /// fails. A sender that was fenced does not get the transfer back. It is recognised by an `epoch_seen` that is not
    /// the latest, unless it is the `owner` that attached last, or says that it knows no epoch.
    ///
    /// Blocks on the disk, and on another attach or commit of the same id in this process; never on an idle holder.
    ///
    /// # Errors
    /// - `Fenced`: another sender attached since `epoch_seen`, or is faster.
    /// - `Busy`: another process has the transfer.
    /// - `SourceChanged`: length, time, validator or name differ from those with which the transfer began.
    /// - `Exists`: the name is taken by another file, or the id is known and the mode is `CreateOnly`.
    /// - `NoFolder`: something that is not a folder is on the way to the name, or in the place of staging.
    /// - `InTheWay`: something that is neither a file nor a link to one has the name. It is never replaced.
    /// - `NotFound`, `Expired`, `Corrupt`: the mode is `AttachOnly` and there is nothing to continue, or no longer.
    /// - `OverQuota`: the file alone is too large. `Quota`: the principal already keeps too much. `QuotaBusy`: the same,
    ///   but only until its open transfers end.
    /// - `BadName`, `NoSpace`, `TooManyOpen`, `Denied`, `Io`.
    pub fn attach(
        &self,
        id: TransferId,
        spec: &Spec,
        attach: Attach,
        now: SystemTime,
    ) -> Result<Attached, StoreError> {
        self.attach_in_turn(Turn::alone(), id, spec, attach, now)?.completed()
    }

    /// The same for a sender that came in this turn. It takes nothing from those that came later, however long it has
    /// waited for the disk, nor from itself on a newer link. An existing file with the name is not hashed yet.
    pub(crate) fn attach_in_turn(
        &self,
        turn: Turn,
        id: TransferId,
        spec: &Spec,
        attach: Attach,
        now: SystemTime,
    ) -> Result<Begun, StoreError> {
        let spec = &Spec { name: self.whole(&spec.name)?, ..spec.clone() };
        self.root().check(&spec.name)?;
        let ticket = self.registry().enter(self.principal().key(id));
        let gate = ticket.live().gate();
        let at = self.root().path(&spec.name);
        let clock = Clock::started(now);
        let attaching =
            Attaching { store: self, ticket: &ticket, turn, spec, attach, at, parent: None, clock };
        let attached = attaching.run();
        drop(gate);
        attached
    }
}

/// One attach in progress; the gate is held.
struct Attaching<'a> {
    store: &'a DiskStore,
    ticket: &'a Ticket,
    turn: Turn,
    spec: &'a Spec,
    attach: Attach,
    at: PathBuf,
    /// The folder for the file, if it existed when last checked.
    parent: Option<Folder>,
    clock: Clock,
}

impl Attaching<'_> {
    fn run(mut self) -> Result<Begun, StoreError> {
        let known = match self.look()? {
            Continue(known) => known,
            Break(committed) => return Ok(Begun::Attached(committed)),
        };
        match &known {
            Known::Held(lease) => {
                self.keep_to_order(lease)?;
                self.admit(lease.claim, &lease.spec)?;
            }
            Known::Open(.., record) => self.admit(record.claim, &record.spec)?,
            Known::Nothing(..) if self.attach.mode == Mode::AttachOnly => {
                return Err(self.error(ErrorKind::NotFound));
            }
            Known::Nothing(..) => {}
        }
        if let Some(present) = self.look_for_name()? {
            return Ok(Begun::Present(present));
        }
        let restart = self.attach.mode == Mode::Restart;
        let attached = match known {
            Known::Held(lease) if restart => self.start_over(&lease),
            Known::Held(lease) => self.take_over(lease),
            Known::Open(place, slots, record) if restart => {
                self.begin(Some((place, Some(slots))), record.claim.epoch)
            }
            Known::Open(place, slots, record) => self.resume(place, slots, *record),
            Known::Nothing(remains, epoch) => self.begin(remains, epoch),
        };
        attached.map(Begun::Attached)
    }

    /// What is known about the id. A transfer that is finished, or needs only to be settled, is answered at once.
    fn look(&self) -> Result<ControlFlow<Attached, Known>, StoreError> {
        let live = self.ticket.live();
        if let Some(lease) = live.held() {
            return Ok(Continue(Known::Held(lease)));
        }
        // A failed transfer is reopened; its lock would keep us out until it is closed.
        live.close();
        let nothing = |remains, epoch| Continue(Known::Nothing(remains, epoch));
        let unknown = |remains| Ok(nothing(remains, self.attach.epoch_seen));
        let place = match self.store.root().place(self.ticket.id()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return unknown(None),
            place => place.map_err(|e| self.io(e))?,
        };
        let Some((mut slots, record)) = place.open_slots().map_err(|e| self.io(e))? else {
            return unknown(Some((place, None)));
        };
        let Some(record) = record.filter(|record| record.id == self.ticket.id()) else {
            return unknown(Some((place, Some(slots))));
        };
        let is_complete = matches!(record.state, State::Complete { .. });
        if !is_complete && record.is_expired(self.store.config(), self.clock.millis()) {
            // Whether a sweep has already passed must not matter.
            if self.attach.mode == Mode::AttachOnly {
                return Err(self.error(ErrorKind::Expired));
            }
            return Ok(nothing(Some((place, Some(slots))), record.claim.epoch));
        }
        if record.state == State::Open {
            return Ok(Continue(Known::Open(place, slots, Box::new(record))));
        }
        if is_complete {
            clear_copy(self.store, &record);
        }
        let epoch = record.claim.epoch;
        if self.attach.mode == Mode::Restart {
            return Ok(nothing(Some((place, Some(slots))), epoch));
        }
        if *self.spec != record.spec {
            return Err(self.error(ErrorKind::SourceChanged));
        }
        Ok(match commit::settle(self.store, &place, &mut slots, record, &self.clock)? {
            Settled::There { length, digest } => Break(Attached::Committed { length, digest }),
            Settled::Gone => nothing(Some((place, Some(slots))), epoch),
        })
    }

    /// Checks that the caller did not come before the present holder.
    fn keep_to_order(&self, lease: &Lease) -> Result<(), StoreError> {
        match self.attach.successor(self.turn, lease) {
            Some(why) => Err(StoreError::because(ErrorKind::Fenced, &self.at, why)),
            None => Ok(()),
        }
    }

    /// Checks whether the caller may have an open transfer.
    fn admit(&self, claim: Claim, spec: &Spec) -> Result<(), StoreError> {
        let Attach { mode, epoch_seen, .. } = self.attach;
        if self.attach.is_overtaken(claim) {
            let why = format!("epoch {epoch_seen} was seen, but it is {} now", claim.epoch);
            return Err(StoreError::because(ErrorKind::Fenced, &self.at, why));
        }
        match mode {
            Mode::CreateOnly => {
                Err(StoreError::because(ErrorKind::Exists, &self.at, "the transfer has already begun"))
            }
            Mode::AttachOrCreate | Mode::AttachOnly if self.spec != spec => {
                Err(self.error(ErrorKind::SourceChanged))
            }
            _ => Ok(()),
        }
    }

    /// What is in the way of the name; `Present` if a file of the same length has it.
    fn look_for_name(&mut self) -> Result<Option<Present>, StoreError> {
        self.parent = self.store.root().find_parent(&self.spec.name)?;
        let Some(parent) = &self.parent else { return Ok(None) };
        let there = parent.stat(self.spec.name.file_name()).map_err(StoreError::at(&self.at))?;
        let Some(meta) = there else { return Ok(None) };
        commit::check_replaceable(&self.at, &meta)?;
        if self.store.config().overwrite {
            return Ok(None);
        }
        if meta.kind != Kind::File || self.spec.length != Some(meta.id.len) {
            return Err(self.error(ErrorKind::Exists));
        }
        Ok(Some(Present::new(self.store, &self.spec.name, meta)))
    }

    fn claim(&self, epoch: u32) -> Claim {
        // Never 0, which means "none seen".
        Claim { epoch: epoch.checked_add(1).unwrap_or(1), owner: self.attach.owner }
    }

    fn error(&self, kind: ErrorKind) -> StoreError {
        StoreError::new(kind, &self.at)
    }

    /// An error in staging.
    fn io(&self, cause: io::Error) -> StoreError {
        let root = self.store.root();
        if cause.kind() == io::ErrorKind::NotADirectory {
            return StoreError::because(
                ErrorKind::NoFolder,
                &self.at,
                format!("{} is not a folder", root.staging),
            );
        }
        StoreError::io(&self.at, cause).within(root.staging_or_root())
    }
}
