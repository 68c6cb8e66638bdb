//! Files over links that come and go, with a store of your own.
//!
//! A [`Session`](crate::Session) lasts and says when to dial; each of its links is a [`Connection`](crate::Connection),
//! and [`pump`](crate::pump) moves what can be moved between the two. The files are the application's: each request for
//! them comes out as an event, and is answered by a call, at once or later.
//!
//! What a store has to keep, for each transfer and across links:
//!
//! - **What is safe, and its digest.** [`Answer::Take`](crate::transfer::Answer::Take) says where to resume. The sender
//!   compares the digest with that of its own file, so a part of another file is never continued.
//! - **What is whole**, for a while. A sender whose link broke before it learned that the file is whole offers it
//!   again, and is told [`Answer::Complete`](crate::transfer::Answer::Complete).
//! - **An epoch.** Each link that takes the transfer raises it, and owns the transfer from then on. What an older link
//!   still brings is answered with [`fail`](crate::Transfers::fail) and
//!   [`Code::Fenced`](crate::transfer::Code::Fenced): the end of that link may not have been noticed yet, long after
//!   its client has reconnected. PROTOCOL.md says under *Epoch* who may take a transfer from whom, which this program
//!   does not check.
//! - **Whose it is.** Whoever knows the [id](crate::transfer::TransferId) of a transfer can resume it. Where users must
//!   not trust each other, look up a part by the user and the id.
//!
//! `bowline_store` does all of this on a disk. Its `Worker` carries the events out on threads that you give it, so that
//! `carry_out` below becomes a single call.
//!
//! This program is `examples/cut_links.rs` of this crate. It has no sockets: a turn of the loop is 10 ms.
//!
//! ````
#![doc = include_str!("../../examples/cut_links.rs")]
//! ````
