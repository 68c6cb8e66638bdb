//! bowline
fn main() {}
