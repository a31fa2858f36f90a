//! Classes of cost, four to a doubling, so that a cost that changes a little stays where it is in the order of placement.

/// `2^(i/4)` with 63 bits after the point, rounded down, for i = 1, 2, 3.
const QUARTERS: [u64; 3] = [0x9837_f051_8db8_a96f, 0xb504_f333_f9de_6484, 0xd744_fcca_d69d_6af4];

/// The class of a cost: higher for what costs more, zero for what costs nothing.
pub(crate) fn of_cost(cost: u64) -> u16 {
    let Some(log2) = cost.checked_ilog2() else { return 0 };
    let mantissa = cost << (63 - log2);
    let quarter = QUARTERS.iter().filter(|&&start| mantissa > start).count();
    (1 + 4 * log2 as usize + quarter) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_a_quarter_of_a_doubling() {
        for cost in (0..64).map(|shift| 1_u64 << shift).chain(1..100_000) {
            let class = 1 + (4.0 * (cost as f64).log2()).floor() as u16;
            assert_eq!(of_cost(cost), class, "{cost}");
        }
        assert_eq!((of_cost(0), of_cost(u64::MAX)), (0, 256));
    }
}
