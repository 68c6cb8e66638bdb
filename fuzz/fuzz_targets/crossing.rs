#![no_main]

#[global_allocator]
static HEAP: bowline_tests::heap::Counting = bowline_tests::heap::Counting;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bowline_tests::fuzz::crossing(data));
