//! connection
/// Stub.
#[derive(Debug)]
pub struct Connection {}
