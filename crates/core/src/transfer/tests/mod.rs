//! Two `Transfers` joined by lists of messages, in virtual time.

mod ahead;
mod asking;
mod cancels;
mod damage;
mod disks;
mod exchange;
mod faults;
mod feeding;
mod folders;
mod hostile;
mod listings;
mod pauses;
mod places;
mod ranges;
mod receiving;
mod schedules;
mod script;
mod sending;
mod settings;
mod timers;
mod unknown;
mod words;
mod world;
