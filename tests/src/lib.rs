//! What proves Bowline as a whole: a simulated network, transcripts, the laws of the API, and transfers cut anywhere.
//!
//! Everything except the wiring tests runs in virtual time: no test sleeps, and none depends on the speed of a machine.

pub mod fuzz;
pub mod golden;
pub mod heap;
pub mod path;
pub mod sim;
pub mod transcript;

/// The programs in the README, and those in the pages, are compiled.
#[cfg(doctest)]
mod shown {
    #[doc = include_str!("../../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/embedding.md")]
    struct Embedding;
}
