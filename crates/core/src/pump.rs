//! pump
/// Stub.
pub fn pump() {}
