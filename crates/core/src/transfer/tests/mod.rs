//! Two `Transfers` joined by lists of messages, in virtual time.

mod exchange;
mod faults;
mod folders;
mod hostile;
mod schedules;
mod words;
mod world;
