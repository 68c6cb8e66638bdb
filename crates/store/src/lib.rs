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
//! | after bytes were written, before they were flushed | the last safe byte; what is beyond is cut off |
//! | while the journal is written | the older of its two slots |
//! | after the last byte, before the commit | all of them; the sender only says again that it has finished |
//! | after the digest was compared, before the file has its name | the file gets its name: `Committed` |
//! | the same, while an [empty file](#on-other-systems) holds the name | `Exists`, until that file is removed: then `Committed` |
//! | after the file got its name | its inode or its digest proves that: `Committed` |
//!
//! # Who may write
//!
//! One holder at a time: whoever attached last. The previous one is *fenced*: its next call fails, and what it had
//! written is kept. Within a process that takes no time; another process is kept out by a lock on the journal. Where
//! locks do nothing, or a partition has taken one away, a holder that finds the journal written by another is fenced as
//! well, at the next checkpoint, commit or discard. A sender does not fence itself: what it said on an older link than
//! the one that brought it the transfer is belated, and refused. [`LinkOrder`] tells which link is older.
//!
//! # Whose it is
//!
//! A partial belongs to the [`Principal`] for whom it was begun ([`DiskStore::for_principal`]): for others its id is
//! unknown. [`Quota`] bounds what each may keep; [`Config::expire_after`] and [`Config::max_age`] bound for how long.
//!
//! # Folders
//!
//! A file brings the folders on the way to it. [`DiskStore::make_folder`] makes a single folder, and gives it a time
//! and a mode. [`DiskStore::walk`] goes through everything in a folder, in a fixed order, and [`DiskStore::listing`]
//! writes that down for somebody who asks.
//!
//! # On other systems
//!
//! On Unix, every step is relative to an open folder, follows no symbolic link, and takes a free name without a race.
//! Elsewhere the means of the standard library have to do: links are looked for before each step, folders are not
//! synchronised, and free space is not known beforehand.
//!
//! Some file systems, such as certain FUSE ones, can neither rename only to a free name nor make hard links. They leave
//! one way to take a name that nobody else has: an empty file claims it, and the next call puts the whole file in its
//! place. A process that is killed between these two calls leaves the empty file. Nobody can then tell whose it is, so
//! it is replaced only with [`Config::overwrite`]; the bytes wait in staging until they expire.

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
