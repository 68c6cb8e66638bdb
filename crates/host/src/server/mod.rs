//! A server of files, without I/O: who may come, what is served over a link, and what is told of it.

mod config;
mod house;
mod seats;
mod served;
#[cfg(test)]
mod tests;

pub use config::{FileEvent, ServerConfig, ServerEvent};
pub use house::House;
pub use served::{Output, Served, is_goodbye};
