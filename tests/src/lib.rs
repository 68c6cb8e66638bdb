//! What proves Bowline as a whole: a simulated network, transcripts, the laws of the API, and transfers cut anywhere.
//!
//! Everything but the wiring tests runs in virtual time: no test sleeps, and none depends on the speed of a machine.

pub mod fuzz;
pub mod golden;
pub mod heap;
pub mod path;
pub mod sim;
pub mod transcript;

/// The program that the README shows is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
