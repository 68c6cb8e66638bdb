//! The inputs with which fuzzing starts, made from their meanings.

use super::{
    closing, connection, crossing, decode, differential, exchange, handshake, journal, listing, pair,
    session, transfers, wire,
};

/// An input of a corpus.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The corpus that it belongs to.
    pub target: &'static str,
    /// What it is about, which is the name of its file.
    pub name: &'static str,
    /// The input.
    pub bytes: Vec<u8>,
}

/// All inputs that are made here. A corpus may hold others, which a fuzzer has found, or an older version has made.
pub fn seeds() -> Vec<Seed> {
    let made = [
        ("decode", decode::seeds()),
        ("connection", connection::seeds()),
        ("pair", pair::seeds()),
        ("crossing", crossing::seeds()),
        ("closing", closing::seeds()),
        ("differential", differential::seeds()),
        ("handshake", handshake::seeds()),
        ("wire", wire::seeds()),
        ("listing", listing::seeds()),
        ("session", session::seeds()),
        ("journal", journal::seeds()),
        ("exchange", exchange::seeds()),
        ("transfers", transfers::seeds()),
    ];
    let seeds = made
        .into_iter()
        .flat_map(|(target, seeds)| seeds.into_iter().map(move |(name, bytes)| Seed { target, name, bytes }));
    seeds.collect()
}
