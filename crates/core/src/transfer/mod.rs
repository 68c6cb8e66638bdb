//! transfer
/// Stub.
#[derive(Debug)]
pub struct Transfers {}
