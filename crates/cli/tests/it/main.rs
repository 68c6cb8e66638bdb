//! The real binary, in processes of its own.

mod common;
mod demo;
mod files;
mod refusals;
mod resume;
mod trees;
mod usage;
