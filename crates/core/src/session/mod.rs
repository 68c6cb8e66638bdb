//! session
/// Stub.
#[derive(Debug)]
pub struct Session {}
