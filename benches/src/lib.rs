//! Benchmarks of Bowline: `benches/README.md` says which there are.

pub mod paths;
