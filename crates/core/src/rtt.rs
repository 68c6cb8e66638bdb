//! rtt
/// Stub.
#[derive(Debug)]
pub struct Rtt {}
