#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bowline_tests::fuzz::connection(data));
