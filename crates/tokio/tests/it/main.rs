//! The wiring of streams and clocks to the core.
#![allow(missing_docs)]

mod common;
mod driver;
