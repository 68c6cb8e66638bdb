//! Transfers over nothing but messages.
//!
//! [`Transfers`](crate::Transfers) needs no WebSocket of ours: anything that carries binary messages in order will do,
//! such as a browser's socket or a message bus. Here it is a pair of channels between two threads, and the files are in
//! memory. Every event that asks for something is answered by one call.
//!
//! Where a link may be followed by another, give [`Config::instance`](crate::transfer::Config::instance) random bytes:
//! they let the receiver recognise its sender. A [`Session`](crate::Session) does so by itself, and says when to dial.
//! If the link is not a connection of ours, its end is a [`Disconnect::link_lost`](crate::Disconnect::link_lost).
//!
//! ```
//! use bowline_core::transfer::{Answer, Code, Config, Digest, Event, Failure, Offer, SafeName, TransferId};
//! use bowline_core::{Instant, Role, Transfers};
//! use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
//! use std::time::Duration;
//!
//! /// Runs one end until its transfer is done. A sender begins with the file; a receiver ends with it.
//! fn run(mut transfers: Transfers, mut file: Vec<u8>, out: Sender<Vec<u8>>, inp: Receiver<Vec<u8>>) -> Vec<u8> {
//!     let start = std::time::Instant::now();
//!     let now = || Instant::ZERO + start.elapsed();
//!     transfers.handle_link_up(now(), None);
//!     loop {
//!         while let Some(event) = transfers.poll_event() {
//!             match event {
//!                 // The sender's side.
//!                 Event::Read { id, offset, len } => {
//!                     let from = offset as usize;
//!                     transfers.provide(now(), id, offset, file[from..from + len].to_vec().into());
//!                 }
//!                 Event::Hash { id, upto } => {
//!                     transfers.provide_digest(now(), id, upto, Digest::of(&file[..upto as usize]));
//!                 }
//!                 Event::Check { id } => transfers.confirm(now(), id),
//!
//!                 // The receiver's side. What is in memory is as durable as it will get.
//!                 Event::Offered(offered) => {
//!                     let answer = Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None };
//!                     transfers.answer(now(), offered.id, answer);
//!                 }
//!                 Event::Write { id, data, .. } => {
//!                     file.extend_from_slice(&data);
//!                     transfers.written(now(), id, file.len() as u64);
//!                 }
//!                 Event::Sync { id } => transfers.commit(now(), id, file.len() as u64),
//!                 Event::Finish { id, digest, .. } if Digest::of(&file) == digest => transfers.finish(now(), id),
//!                 Event::Finish { id, .. } => {
//!                     transfers.fail(now(), id, Failure::local(Code::DigestMismatch, "another digest"));
//!                 }
//!
//!                 Event::Done { .. } => {
//!                     // The last word has to leave, too.
//!                     while let Some(message) = transfers.poll_message(now(), usize::MAX) {
//!                         let _ = out.send(message.into_bytes().to_vec());
//!                     }
//!                     return file;
//!                 }
//!                 Event::Failed { failure, .. } => panic!("{failure:?}"),
//!                 _ => {}
//!             }
//!         }
//!         // A real channel says how much it takes; this one takes everything.
//!         while let Some(message) = transfers.poll_message(now(), usize::MAX) {
//!             let _ = out.send(message.into_bytes().to_vec());
//!         }
//!         let patience = transfers.poll_timeout().map_or(Duration::from_secs(1), |at| at - now());
//!         match inp.recv_timeout(patience) {
//!             Ok(message) => assert_eq!(transfers.handle_message(now(), message.into()), None),
//!             Err(RecvTimeoutError::Timeout) => {}
//!             Err(RecvTimeoutError::Disconnected) => transfers.handle_link_down(now()),
//!         }
//!         transfers.handle_timeout(now());
//!     }
//! }
//!
//! let (to_receiver, at_receiver) = channel();
//! let (to_sender, at_sender) = channel();
//! let receiver = std::thread::spawn(move || {
//!     let transfers = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
//!     run(transfers, Vec::new(), to_sender, at_receiver)
//! });
//!
//! let file: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
//! let mut transfers = Transfers::new(Role::Client, Config::default(), Instant::ZERO);
//! let offer = Offer::new(TransferId::from_bytes([1; 16]), SafeName::parse("a.bin")?, file.len() as u64);
//! transfers.offer(Instant::ZERO, offer)?;
//! let file = run(transfers, file, to_receiver, at_sender);
//! assert!(receiver.join().unwrap() == file);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
