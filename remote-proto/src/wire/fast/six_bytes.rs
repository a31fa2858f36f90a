//! Timestamps whose varints have six bytes: those from 1971 to 2109.

/// Whether the varint of a timestamp has six bytes.
#[inline]
pub(super) fn has_six_bytes(t_ms: i64) -> bool {
    (1 << 35..1 << 42).contains(&t_ms)
}

/// Seven bits of each of six bytes, the first ones lowest, if the upper bits of all but the last say so.
#[inline]
pub(super) fn six_byte_varint(bytes: [u8; 6]) -> Option<i64> {
    let [a, b, c, d, e, f] = bytes;
    let word = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    (word & CONTINUED == SIX_BYTES).then(|| join_sevens(word))
}

/// The bits of six bytes that say whether another one follows, and how they are if there are just these.
pub(super) const CONTINUED: u64 = 0x8080_8080_8080;
pub(super) const SIX_BYTES: u64 = 0x0080_8080_8080;

/// The number whose bits stand in six bytes by seven.
#[inline]
pub(super) fn join_sevens(word: u64) -> i64 {
    // Twice, and then all of them: neighbours move together.
    let word = (word & 0x007f_007f_007f) | (word & 0x7f00_7f00_7f00) >> 1;
    ((word & 0x0000_0000_3fff) | (word & 0x0000_3fff_0000) >> 2 | (word & 0x3fff_0000_0000) >> 4) as i64
}

/// The other way round: six bytes of a number of 36 to 42 bits.
#[inline]
pub(super) fn split_sevens(value: i64) -> u64 {
    let word = value as u64;
    let word = (word & 0x3fff) | (word & 0xfff_c000) << 2 | (word & 0x3ff_f000_0000) << 4;
    (word & 0x007f_007f_007f) | (word & 0x3f80_3f80_3f80) << 1 | SIX_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::put_uvarint;

    fn six_bytes(value: i64) -> [u8; 6] {
        let [a, b, c, d, e, f, 0, 0] = split_sevens(value).to_le_bytes() else {
            panic!("{value} has more than six bytes");
        };
        [a, b, c, d, e, f]
    }

    #[test]
    fn six_bytes_are_the_varint() {
        for value in [1_i64 << 35, (1 << 42) - 1, 1_700_000_000_000, 0x2aa_aaaa_aaaa, 0x155_5555_5555] {
            let mut expected = Vec::new();
            put_uvarint(value as u64, &mut expected);
            assert_eq!(six_bytes(value)[..], expected, "{value}");
            assert_eq!(six_byte_varint(six_bytes(value)), Some(value));
        }
        let bytes = six_bytes(1_700_000_000_000);
        for bad in 0..6 {
            let mut bytes = bytes;
            bytes[bad] ^= 0x80;
            assert_eq!(six_byte_varint(bytes), None, "byte {bad}");
        }
    }
}
