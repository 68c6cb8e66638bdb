//! A client of files and messages, without I/O: what happens to its links and its transfers.

mod config;
mod credentials;
mod files;
mod keeper;
mod link;
mod messages;
mod output;
mod paths;
mod reconnecting;
mod start;
mod stranger;
mod talk;
#[cfg(test)]
mod tests;
mod transfers;
mod turns;

pub use config::ClientConfig;
pub use credentials::{check_token, read_token, renewed};
pub use files::{Download, Feed, landing, offer_of};
pub use keeper::Keeper;
pub use link::{LinkEvent, LinkState};
pub use output::{Output, spoken};
pub use paths::Paths;
pub use reconnecting::{GaveUp, Reconnecting, ReconnectingConfig};
pub use start::StartError;
pub use stranger::once_reached;
pub use talk::{Mark, Talk};
