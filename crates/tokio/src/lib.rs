//! bowline-tokio
