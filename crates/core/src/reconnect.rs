//! reconnect
/// Stub.
#[derive(Debug)]
pub struct Reconnect {}
