//! Logarithms that are the same on every machine.

/// What remains of the 64 bits for the fraction: the whole part is at most 63, and one step of a fraction below 2^-57.
pub(crate) const FRACTION_BITS: u32 = 58;

/// `-log2((hash + 1) / 2^64)` in units of 2^-58: the more, the smaller the hash. 0 for the largest one.
///
/// Integers alone are used, since `ln` of a platform's library differs in its last bits from that of another, and with it the
/// owner of a key now and then. It never increases with the hash. It is off by less than 2^-40 of itself plus 2^-56, near 1
/// too, where the hashes are that win among many nodes.
///
/// How: the number is brought to between 1/2 and 1, where the next of 256 points above it has its logarithm in a table; the
/// rest is a power series in the distance, of less than 1/256.
#[inline]
pub(crate) fn neg_log2(hash: u64) -> u64 {
    let Some(number) = hash.checked_add(1) else { return 0 };
    let zeros = number.leading_zeros();
    let number = number << zeros;
    let above = ((number >> 55) + 1) as usize;
    let distance = ((above as u128) << 55).wrapping_sub(u128::from(number)) as u64;
    let r = (u128::from(distance) * u128::from(RECIPROCAL[above - POINTS - 1])) >> 55;
    let r2 = (r * r) >> 64;
    let r3 = (r2 * r) >> 64;
    let r4 = (r2 * r2) >> 64;
    let r5 = (r3 * r2) >> 64;
    let series = r + r2 / 2 + r3 / 3 + r4 / 4 + r5 / 5;
    let tail = (series * LOG2_E) >> (63 + 64 - FRACTION_BITS);
    (u64::from(zeros) << FRACTION_BITS) + AT_POINT[above - POINTS - 1] + tail as u64
}

const POINTS: usize = 256;
/// log2(e) in units of 2^-63.
const LOG2_E: u128 = 0xb8aa_3b29_5c17_f0bc;
/// 2^64 / a, for a from 257 to 512.
const RECIPROCAL: [u64; POINTS] = reciprocals();
/// -log2(a / 512), for the same.
const AT_POINT: [u64; POINTS] = logarithms();

const fn reciprocals() -> [u64; POINTS] {
    let mut table = [0; POINTS];
    let mut i = 0;
    while i < POINTS {
        table[i] = ((1_u128 << 64) / (POINTS + 1 + i) as u128) as u64;
        i += 1;
    }
    table
}

const fn logarithms() -> [u64; POINTS] {
    let mut table = [0; POINTS];
    let mut i = 0;
    while i + 1 < POINTS {
        // Squaring doubles the logarithm; whenever the number passes 2, there is one more bit.
        let mut x = ((POINTS + 1 + i) as u128) << (63 - 8);
        let mut log2 = 0;
        let mut bit = 0;
        while bit < FRACTION_BITS {
            x = (x * x) >> 63;
            log2 <<= 1;
            if x >> 64 != 0 {
                log2 |= 1;
                x >>= 1;
            }
            bit += 1;
        }
        table[i] = (1 << FRACTION_BITS) - log2;
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twin(hash: u64) -> f64 {
        let number = hash as f64 + 1.0;
        // Near 1 the rounding of the number is larger than what is left of its logarithm.
        if hash >> 60 == 15 {
            -(-((!hash) as f64) / 2f64.powi(64)).ln_1p() / 2f64.ln()
        } else {
            64.0 - number.log2()
        }
    }

    fn ours(hash: u64) -> f64 {
        neg_log2(hash) as f64 / 2f64.powi(FRACTION_BITS as i32)
    }

    #[test]
    fn agrees_with_floating_point() {
        let mut hash = 1_u64;
        for i in 0..2_000_000 {
            hash = hash.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            for hash in [hash, hash >> (i % 64), !(hash >> (i % 64))] {
                let (ours, twin) = (ours(hash), twin(hash));
                assert!((ours - twin).abs() <= twin * 1e-12 + 1e-16, "{hash:x}: {ours} {twin}");
            }
        }
    }

    #[test]
    fn never_increases() {
        assert_eq!(neg_log2(u64::MAX), 0);
        assert!(neg_log2(0) > neg_log2(1) && ours(0) > 63.999_999);
        for zeros in 0..60 {
            for point in 256_u64..512 {
                let at: u64 = (point << 55) >> zeros;
                let hashes =
                    (0..8).map(|i| at.wrapping_add(i).wrapping_sub(5)).filter(|hash| hash.abs_diff(at) < 8);
                let costs: Vec<u64> = hashes.map(neg_log2).collect();
                assert!(costs.is_sorted_by(|a, b| a >= b), "{zeros} {point} {costs:?}");
            }
        }
        let costs = (0..4_000_000_u64).map(|i| neg_log2(i * (u64::MAX / 4_000_000)));
        assert!(costs.is_sorted_by(|a, b| a >= b));
    }
}
