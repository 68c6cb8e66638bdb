//! Comparing secrets.

/// Whether both are the same; takes the same time wherever they differ. Whoever could tell how many bytes were right
/// would guess the rest one by one.
///
/// ```
/// use bowline_core::secret;
///
/// assert!(secret::same(b"open", b"open"));
/// assert!(!secret::same(b"open", b"oven"));
/// assert!(!secret::same(b"open", b"opens"), "a length is no secret");
/// ```
pub fn same(ours: &[u8], theirs: &[u8]) -> bool {
    let differ = ours.iter().zip(theirs).fold(0, |differ, (a, b)| differ | (a ^ b));
    ours.len() == theirs.len() && core::hint::black_box(differ) == 0
}
