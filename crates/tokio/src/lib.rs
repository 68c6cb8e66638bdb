//! bowline-tokio
pub mod accept;
mod clock;
pub mod dial;
mod error;
mod exchange;
pub mod tcp;
pub use clock::{Clock, SleepWatch};
pub use error::{AcceptError, DialError, Stage};
