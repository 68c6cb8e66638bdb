//! Two `Transfers` joined by lists of messages, in virtual time.

mod cancels;
mod exchange;
mod faults;
mod feeding;
mod folders;
mod hostile;
mod pauses;
mod ranges;
mod schedules;
mod timers;
mod unknown;
mod words;
mod world;
