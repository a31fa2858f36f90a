//! Integers in as few bits as they need: a prefix of ones says which of nine sizes follows.

use crate::bits::{BitReader, BitWriter};

/// How many bits follow after so many ones in the prefix.
const SIZES_BITS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];

/// How many ones the prefix has, by the number of bits that a value needs: the first size that has as many.
const ONES: [u8; 65] = {
    let mut table = [0; 65];
    let mut needed = 0;
    while needed < table.len() {
        let mut ones = 0;
        while SIZES_BITS[ones] < needed as u32 {
            ones += 1;
        }
        table[needed] = ones as u8;
        needed += 1;
    }
    table
};

impl BitReader<'_> {
    /// The next unsigned integer.
    #[inline]
    pub(super) fn varbit(&mut self) -> u64 {
        self.varbit_raw().0
    }

    /// The next signed integer.
    #[inline]
    pub(super) fn signed_varbit(&mut self) -> i64 {
        let (raw, bits) = self.varbit_raw();
        // The range is not the one of two's complement: the one value both could mean is the positive one.
        let wrap = u64::from(bits < 64 && bits > 0 && raw > 1 << (bits.max(1) - 1));
        raw.wrapping_sub(wrap << (bits & 63)) as i64
    }

    /// The bits of the next integer, the last one lowest, and how many they are.
    #[inline(always)]
    fn varbit_raw(&mut self) -> (u64, u32) {
        let word = self.peek();
        let ones = word.leading_ones();
        if ones == 0 {
            self.skip(1);
            return (0, 0);
        }
        if ones < 5 {
            // Three bits for each one. In this order because the next integer waits for the position.
            self.skip(4 * ones + 1);
            let bits = 3 * ones;
            return ((word << (ones + 1)) >> (64 - bits), bits);
        }
        if ones < 7 {
            let bits = SIZES_BITS[ones as usize];
            self.skip(ones + 1 + bits);
            return ((word << (ones + 1)) >> (64 - bits), bits);
        }
        self.skip(8);
        let bits = SIZES_BITS[ones.min(8) as usize];
        (self.read(bits), bits)
    }
}

impl BitWriter {
    /// Appends an unsigned integer.
    #[inline]
    pub(super) fn put_varbit(&mut self, value: u64) {
        self.put_varbit_raw(value, 64 - value.leading_zeros());
    }

    /// Appends a signed integer.
    #[inline]
    pub(super) fn put_signed_varbit(&mut self, value: i64) {
        // What fits into n bits is -(2^(n-1) - 1) to 2^(n-1).
        let farthest = if value > 0 { value - 1 } else { value.saturating_neg() };
        let bits = if value == 0 { 0 } else { 65 - farthest.leading_zeros() };
        self.put_varbit_raw(value as u64, bits);
    }

    /// Appends the lower bits of `value`, of which `needed` count.
    #[inline(always)]
    fn put_varbit_raw(&mut self, value: u64, needed: u32) {
        let ones = u32::from(ONES[needed as usize]);
        if ones == 0 {
            self.put(0, 1);
            return;
        }
        let bits = SIZES_BITS[ones as usize];
        // A zero ends the ones, but for the longest prefix, which does without it.
        let prefix = ((2 << ones) - 2) | u64::from(ones == 8);
        if ones < 7 {
            self.put_parts(prefix << bits | value & ((1 << bits) - 1), ones + 1 + bits, bits);
        } else {
            self.put(prefix, 8);
            self.put(value, bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_the_prefixes_and_sizes_of_the_table() {
        // As in the comments of `varbit.go`: the largest and the smallest value of each size.
        for (low, high, unsigned, bits) in [
            (0, 0, 0, 1),
            (-3, 4, 7, 5),
            (-31, 32, 63, 9),
            (-255, 256, 511, 13),
            (-2_047, 2_048, 4_095, 17),
            (-131_071, 131_072, 262_143, 24),
            (-16_777_215, 16_777_216, 33_554_431, 32),
            (-36_028_797_018_963_967, 36_028_797_018_963_968, 72_057_594_037_927_935, 64),
            (i64::MIN, i64::MAX, u64::MAX, 72),
        ] {
            for value in [low, high] {
                assert_eq!(signed_bits(value), bits, "{value}");
            }
            assert_eq!(unsigned_bits(unsigned), bits, "{unsigned}");
            if bits < 72 {
                let more = [5, 9, 13, 17, 24, 32, 64, 72].into_iter().find(|&more| more > bits).unwrap();
                assert_eq!(
                    (signed_bits(low - 1), signed_bits(high + 1)),
                    (more, more),
                    "around {low}..={high}"
                );
                assert_eq!(unsigned_bits(unsigned + 1), more, "after {unsigned}");
            }
        }
    }

    #[test]
    fn prefixes_are_ones_and_a_zero() {
        for (value, bits) in
            [(0, "0"), (1, "10 001"), (-1, "10 111"), (4, "10 100"), (-3, "10 101"), (5, "110 000101")]
        {
            let mut writer = BitWriter::default();
            writer.put_signed_varbit(value);
            writer.put(1, 1);
            let mut bytes = Vec::new();
            writer.finish(&mut bytes);
            let text: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
            assert!(text.starts_with(&format!("{bits}1").replace(' ', "")), "{value}: {text}");
        }
        let mut writer = BitWriter::default();
        [1 << 18, 1 << 25, 1 << 60].iter().for_each(|&value| writer.put_varbit(value));
        let mut bytes = Vec::new();
        writer.finish(&mut bytes);
        assert_eq!((bytes[0], bytes[4], bytes[12]), (0b1111_1100, 0b1111_1110, 0b1111_1111));
    }

    /// How many bits the value takes, and that it comes back.
    fn signed_bits(value: i64) -> usize {
        round_trip(
            |writer| writer.put_signed_varbit(value),
            |reader| assert_eq!(reader.signed_varbit(), value),
        )
    }

    fn unsigned_bits(value: u64) -> usize {
        round_trip(|writer| writer.put_varbit(value), |reader| assert_eq!(reader.varbit(), value))
    }

    fn round_trip(write: impl Fn(&mut BitWriter), read: impl Fn(&mut BitReader<'_>)) -> usize {
        let mut lengths = Vec::new();
        for lead in 0..64 {
            let mut writer = BitWriter::default();
            (0..lead).for_each(|_| writer.put(1, 1));
            write(&mut writer);
            writer.put(0b10, 2);
            let mut bytes = Vec::new();
            writer.finish(&mut bytes);
            let mut reader = BitReader::new(&bytes, 0);
            (0..lead).for_each(|_| assert_eq!(reader.read(1), 1));
            let before = reader.left_bits();
            read(&mut reader);
            lengths.push(before - reader.left_bits());
            assert_eq!(reader.read(2), 0b10);
        }
        assert!(lengths.iter().all(|length| *length == lengths[0]));
        lengths[0]
    }
}
