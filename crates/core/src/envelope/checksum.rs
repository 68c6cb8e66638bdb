//! CRC32C over the pieces of a frame.
//!
//! Its generator finds every error of one, two or three bits in a frame of any size allowed here.

/// Takes the checksum of what came before, and goes on with `data`. Begin with 0.
#[cfg(feature = "std")]
pub(super) fn append(crc: u32, data: &[u8]) -> u32 {
    crc32c::crc32c_append(crc, data)
}

/// Takes the checksum of what came before, and goes on with `data`. Begin with 0.
#[cfg(not(feature = "std"))]
pub(super) fn append(crc: u32, data: &[u8]) -> u32 {
    const CRC32C: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    // The `crc` crate takes the state before the final inversion and reflection.
    let mut digest = CRC32C.digest_with_initial((!crc).reverse_bits());
    digest.update(data);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_implementations_agree_with_the_known_value_in_pieces() {
        assert_eq!(super::append(0, b"123456789"), 0xE306_9283);
        assert_eq!(super::append(super::append(0, b"1234"), b"56789"), 0xE306_9283);
    }
}
