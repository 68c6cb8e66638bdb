//! bowline-handshake
