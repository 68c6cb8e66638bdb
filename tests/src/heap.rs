//! How much memory a piece of work takes, counted by the allocator separately for each thread.
//!
//! A binary that wants to know contains:
//!
//! ```
//! #[global_allocator]
//! static HEAP: bowline_tests::heap::Counting = bowline_tests::heap::Counting;
//!
//! let (boxed, used) = bowline_tests::heap::measure(|| vec![0_u8; 1000]);
//! assert_eq!((used.kept, used.peak, used.calls), (1000, 1000, 1));
//! drop(boxed);
//! ```
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with counters.
#[derive(Debug)]
pub struct Counting;

/// What a piece of work took: bytes, and calls of the allocator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// How much more, or less, it has than before.
    pub kept: isize,
    /// The most that it had at any time, compared with before.
    pub peak: usize,
    /// How often it requested memory, including more of what it had.
    pub calls: usize,
}

thread_local! {
    /// Bytes that this thread holds, and the most that it has held.
    static COUNT: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// Does the work and returns what it took: nothing if the binary has another allocator.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Used) {
    let (before, _) = COUNT.get();
    let calls = CALLS.get();
    COUNT.set((before, before));
    let done = work();
    let (after, most) = COUNT.get();
    (done, Used { kept: after - before, peak: (most - before).unsigned_abs(), calls: CALLS.get() - calls })
}

/// Whether anything is counted.
pub fn is_counting() -> bool {
    measure(|| drop(std::hint::black_box(Box::new([0_u8; 64])))).1.peak >= 64
}

fn size(layout: Layout) -> isize {
    isize::try_from(layout.size()).unwrap_or(isize::MAX)
}

fn count(bytes: isize) {
    // A thread that is ending no longer has counters.
    let _ = COUNT.try_with(|count| {
        let (now, most) = count.get();
        count.set((now + bytes, most.max(now + bytes)));
    });
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-size(layout));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}
