//! Two `Transfers` joined by lists of messages, in virtual time.

mod exchange;
mod hostile;
mod schedules;
mod world;
