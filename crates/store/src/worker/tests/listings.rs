//! How long a listing may be.

use super::*;
use bowline_core::transfer::Kind;

/// The longest that is taken.
const LONGEST: u64 = 64 << 20;

/// What a client says to a listing that claims to have so many bytes.
fn answer_to(length: Option<u64>) -> Result<(), String> {
    let mut world = World::new();
    let name = SafeName::parse("top").expect("safe");
    world.client.transfers.request(Instant::ZERO, ID, name.clone()).expect("new");
    world.link_up();
    while !world.server.transfers.is_requested(ID) {
        step(&mut world.client, &mut world.server, Instant::ZERO);
        world.server.transfers.poll_event();
    }
    let mut offer = Offer::of_unknown_length(ID, name);
    (offer.kind, offer.length) = (Kind::Listing, length);
    world.server.transfers.offer(Instant::ZERO, offer).expect("asked for");
    for _ in 0..100_000 {
        world.exchange();
        if world.server.told.iter().any(|event| matches!(event, Event::Accepted { .. })) {
            return Ok(());
        }
        for event in &world.client.told {
            if let Event::Failed { failure, .. } = event {
                return Err(failure.to_string());
            }
        }
    }
    panic!("no answer: {:?} {:?}", world.client.told, world.server.told);
}

#[test]
fn a_listing_that_is_too_long_to_be_kept_in_memory_is_refused() {
    assert_eq!(answer_to(Some(LONGEST)), Ok(()));
    let why = answer_to(Some(LONGEST + 1)).expect_err("too long");
    assert!(why.contains("67108865 bytes, 67108864 are allowed"), "{why}");
    let why = answer_to(None).expect_err("perhaps too long");
    assert!(why.contains("who knows how many bytes, 67108864 are allowed"), "{why}");
}
