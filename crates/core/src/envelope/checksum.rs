//! CRC32C over the pieces of a frame.
//!
//! Its generator finds every error of one, two or three bits in a frame of any size allowed here.

/// Continues the checksum of the bytes so far with `data`. Begin with 0.
#[cfg(feature = "std")]
pub(super) fn append(crc: u32, data: &[u8]) -> u32 {
    crc32c::crc32c_append(crc, data)
}

#[cfg(not(feature = "std"))]
pub(super) use portable as append;

/// The same on any processor.
#[cfg(any(test, not(feature = "std")))]
pub(super) fn portable(crc: u32, data: &[u8]) -> u32 {
    const CRC32C: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    // The `crc` crate takes the state before the final inversion and reflection.
    let mut digest = CRC32C.digest_with_initial((!crc).reverse_bits());
    digest.update(data);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_implementations_give_the_known_value_whole_and_in_pieces() {
        for append in [super::append, super::portable] {
            assert_eq!(append(0, b"123456789"), 0xE306_9283);
            assert_eq!(append(append(0, b"1234"), b"56789"), 0xE306_9283);
        }
    }
}
