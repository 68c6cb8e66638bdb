//! Durable partial files on a local disk.
//!
//! A [`DiskStore`] receives files into a folder and sends files out of it. A file under way survives a process crash
//! and a power cut: its bytes and a journal stay in a staging folder until it is whole, and then it gets its name in
//! one step. What [`Flush::run`] reports as safe is never requested from the sender again.
//!
//! ```
//! use bowline_core::transfer::{Digest, SafeName, TransferId};
//! use bowline_store::{Attach, Attached, Config, DiskStore, Mode, Spec};
//! use std::time::SystemTime;
//!
//! # let dir = tempfile::tempdir()?;
//! let store = DiskStore::open(dir.path(), Config::default())?;
//! let id = TransferId::from_bytes([7; 16]);
//! let spec = Spec::new(SafeName::parse("notes/today.txt")?, Some(10));
//! let attach = Attach::new(Mode::AttachOrCreate, [1; 16]);
//!
//! let attached = store.attach(id, &spec, attach, SystemTime::now())?;
//! let Attached::Partial { mut partial, .. } = attached else { panic!("the folder was empty") };
//! partial.write(0, b"hello")?;
//! assert_eq!(partial.flush().run()?, 5);           // safe, whatever happens ...
//! drop(partial);                                   // ... and it does.
//!
//! let attached = store.attach(id, &spec, attach, SystemTime::now())?;
//! let Attached::Partial { mut partial, durable, prefix, epoch, .. } = attached else { panic!("it was begun") };
//! assert_eq!((durable, prefix, epoch), (5, Digest::of(b"hello"), 2));
//! partial.write(5, b"world")?;
//! let location = partial.commit(10, Digest::of(b"helloworld"))?;
//! assert_eq!(std::fs::read(location.path)?, b"helloworld");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What survives what
//!
//! | crash or power cut | what the next attach finds |
//! |---|---|
//! | before the first flush | nothing: it begins at 0, and a sweep removes the remains |
//! | after bytes were written, before they were flushed | the last safe byte; anything beyond is cut off |
//! | while the journal is written | the older of its two slots |
//! | after the last byte, before the commit | all of them; the sender only repeats that it has finished |
//! | after the digest was compared, before the file has its name | the file gets its name: `Committed` |
//! | the same, while an [empty file](#on-other-systems) holds the name | `Exists`, until that file is removed: then `Committed` |
//! | after the file got its name | its inode or its digest proves that: `Committed` |
//!
//! # Who may write
//!
//! There is one holder at a time: the one that attached last. The previous one is *fenced*: its next call fails, and
//! what it had written is kept. Within a process this is immediate; another process is kept out by a lock on the
//! journal. Where locks do not work, or a network partition has taken one away, a holder that finds the journal written
//! by another is fenced as well, at its next checkpoint, commit or discard. A sender does not fence itself: a call from
//! a link older than the one that brought it the transfer is late, and refused. [`LinkOrder`] says which link is older.
//!
//! # Who owns it
//!
//! A partial belongs to the [`Principal`] for whom it was begun ([`DiskStore::for_principal`]): to others its id is
//! unknown. [`Quota`] limits what each may keep; [`Config::expire_after`] and [`Config::max_age`] limit for how long.
//!
//! # Folders
//!
//! A file creates the folders on the way to it. [`DiskStore::make_folder`] makes a single folder, and sets its time and
//! mode. [`DiskStore::walk`] visits everything in a folder, in a fixed order, and [`DiskStore::listing`] turns that
//! into a listing for a peer that asks.
//!
//! # On other systems
//!
//! On Unix, every step is relative to an open folder, follows no symbolic link, and takes a free name without a race.
//! On other systems only the standard library is available: links are checked before each step, folders are not synced,
//! and free space is not known beforehand.
//!
//! Some file systems, such as certain FUSE ones, support neither a rename that requires a free name nor hard links.
//! They leave one way to take a name exclusively: an empty file claims it, and the next call puts the complete file in
//! its place. A process that is killed between these two calls leaves the empty file. Nobody can then tell whose it is,
//! so it is replaced only with [`Config::overwrite`]; the bytes wait in staging until they expire.

mod attach;
mod clock;
mod commit;
mod config;
mod copying;
mod digests;
mod discard;
mod error;
mod expiry;
mod fault;
mod folder;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod hashing;
mod journal;
mod ledger;
mod listing;
mod live;
mod partial;
mod pipe;
mod present;
mod principal;
mod root;
mod slots;
mod source;
mod space;
mod staging;
mod store;
mod strides;
mod sweep;
mod sys;
mod taken;
#[cfg(test)]
mod tests;
mod turn;
mod walk;
pub mod worker;

pub use attach::{Attach, Attached, Mode};
pub use config::{Config, Durability, Quota};
pub use error::{ErrorKind, StoreError};
pub use folder::FolderSpec;
pub use journal::Spec;
pub use partial::{Flush, Location, Partial};
pub use pipe::Pipe;
pub use principal::{Principal, PrincipalError};
pub use source::Source;
pub use store::DiskStore;
pub use sweep::Swept;
pub use turn::LinkOrder;
pub use walk::{Found, LeftOut, Walk};
pub use worker::Worker;
