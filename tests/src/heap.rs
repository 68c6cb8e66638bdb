//! How much memory a piece of work takes, counted by the allocator, for each thread by itself.
//!
//! A binary that wants to know says so:
//!
//! ```
//! #[global_allocator]
//! static HEAP: bowline_tests::heap::Counting = bowline_tests::heap::Counting;
//!
//! let (boxed, used) = bowline_tests::heap::measure(|| vec![0_u8; 1000]);
//! assert_eq!((used.kept, used.peak), (1000, 1000));
//! drop(boxed);
//! ```
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, and a count beside it.
#[derive(Debug)]
pub struct Counting;

/// What a piece of work took, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// More than before it, or less.
    pub kept: isize,
    /// The most that it had at any time, beyond what there was before it.
    pub peak: usize,
}

thread_local! {
    /// Bytes that this thread has and had not given back, and the most there have been.
    static COUNT: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// Does the work and says what it took: nothing where the binary has another allocator.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Used) {
    let (before, _) = COUNT.get();
    COUNT.set((before, before));
    let done = work();
    let (after, most) = COUNT.get();
    (done, Used { kept: after - before, peak: (most - before).unsigned_abs() })
}

/// Whether anything is counted.
pub fn is_counting() -> bool {
    measure(|| drop(std::hint::black_box(Box::new([0_u8; 64])))).1.peak >= 64
}

fn size(layout: Layout) -> isize {
    isize::try_from(layout.size()).unwrap_or(isize::MAX)
}

fn count(bytes: isize) {
    // A thread that ends has no count any more.
    let _ = COUNT.try_with(|count| {
        let (now, most) = count.get();
        count.set((now + bytes, most.max(now + bytes)));
    });
}

// SAFETY: every call is passed on to the system's allocator as it came; the count is beside it and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-size(layout));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}
