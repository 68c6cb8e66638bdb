//! Files over messages: offer, cut, acknowledge, resume.

mod code;
mod digest;
mod flow;
mod id;
mod name;
mod validator;
pub mod wire;

pub use code::{Code, Retry};
pub use digest::{Checkpoint, CheckpointError, Digest, GROUP, Hasher};
pub use id::TransferId;
pub use name::{NameError, SafeName};
pub use validator::{Validator, ValidatorError};

/// Stub.
#[derive(Debug)]
pub struct Transfers {}
