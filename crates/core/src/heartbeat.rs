//! heartbeat
/// Stub.
#[derive(Debug)]
pub struct Heartbeat {}
