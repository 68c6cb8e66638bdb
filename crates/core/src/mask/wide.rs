//! The loops of masking, compiled for processors that have AVX2: vectors of twice the width.
//!
//! This is the only file with unsafe code in this crate. Nothing in it is unsafe but to call what the processor may not
//! have, and it is asked first; the loops themselves are those of everybody.

#![allow(unsafe_code)]

// Here and nowhere else: the question to the processor is not to be had without it.
extern crate std;

use super::{Word, append_words, apply_words, copy_words};
use bytes::BytesMut;
use std::arch::is_x86_feature_detected;

pub(super) fn apply(bytes: &mut [u8], key: Word) {
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, and nothing else is asked of the caller.
        unsafe { apply_avx2(bytes, key) }
    } else {
        apply_words(bytes, key);
    }
}

pub(super) fn copy(to: &mut [u8], from: &[u8], key: Word) {
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, and nothing else is asked of the caller.
        unsafe { copy_avx2(to, from, key) }
    } else {
        copy_words(to, from, key);
    }
}

pub(super) fn append(to: &mut BytesMut, from: &[u8], key: Word) {
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, and nothing else is asked of the caller.
        unsafe { append_avx2(to, from, key) }
    } else {
        append_words(to, from, key);
    }
}

/// # Safety
/// The processor must have AVX2.
#[target_feature(enable = "avx2")]
unsafe fn apply_avx2(bytes: &mut [u8], key: Word) {
    apply_words(bytes, key);
}

/// # Safety
/// The processor must have AVX2.
#[target_feature(enable = "avx2")]
unsafe fn copy_avx2(to: &mut [u8], from: &[u8], key: Word) {
    copy_words(to, from, key);
}

/// # Safety
/// The processor must have AVX2.
#[target_feature(enable = "avx2")]
unsafe fn append_avx2(to: &mut BytesMut, from: &[u8], key: Word) {
    append_words(to, from, key);
}
