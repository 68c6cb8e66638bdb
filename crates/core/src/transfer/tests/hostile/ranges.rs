//! Ranges that no honest peer requests.

use super::*;

fn request(handle: u32, from: u64, to: u64) -> Frame {
    Frame::Request(
        handle,
        wire::Request { id: id(9), what: What::Named(name("file")), from, to, if_digest: None, again: false },
    )
}

#[test]
fn an_empty_range_is_refused_with_both_numbers_without_harm_to_others() {
    let mut victim = Victim::with_transfer(1000);
    let mut handle = 1;
    for (from, to) in [(0, 0), (5, 5), (9, 5), (u64::MAX, u64::MAX), (u64::MAX, 0), (1, 0)] {
        handle += 2;
        let text = std::format!("the range from byte {from} up to byte {to} is empty");
        let said = victim.hear(request(handle, from, to));
        assert_eq!(cancelled_because(&said), Some((Code::OutOfRange, text.as_str())));
        assert!(!victim.0.is_requested(id(9)));
    }
    let asked = |event| matches!(event, Event::Requested { .. });
    assert!(!core::iter::from_fn(|| victim.0.poll_event()).any(asked), "nobody looks for the file");
    assert_eq!(cancelled(&victim.data(0, 100)), None, "the others go on");
}

#[test]
fn a_range_up_to_the_greatest_number_is_open() {
    for (from, to) in [(0, 1), (0, u64::MAX - 1), (u64::MAX - 1, u64::MAX), (7, u64::MAX), (0, u64::MAX)] {
        let mut victim = Victim::new();
        assert_eq!(victim.hear(request(1, from, to)), []);
        let Some(Event::Requested { range, .. }) = victim.0.poll_event() else { panic!("it is asked for") };
        assert_eq!((range.from(), range.to()), (from, to));
        assert_eq!(range.is_whole(), (from, to) == (0, u64::MAX));
    }
}

#[test]
fn a_request_that_depends_on_a_digest_is_refused() {
    let if_digest = Some(Digest::of(b"x"));
    let request = wire::Request {
        id: id(9),
        what: What::Named(name("file")),
        from: 0,
        to: u64::MAX,
        if_digest,
        again: false,
    };
    let said = Victim::new().hear(Frame::Request(1, request));
    assert_eq!(cancelled(&said), Some(Code::Unsupported));
}
