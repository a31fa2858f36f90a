//! Two columns whose times are mixed: the samples of both, one at a time.

use crate::samples::Floats;

/// So many samples of each are looked at together.
const BLOCK: usize = 8;

/// Appends the samples of two sources whose timestamps strictly increase. Where they are the same, the first source
/// counts.
///
/// Replicas that are scraped at the same interval alternate strictly, whatever their jitter: a sample of the one, a
/// sample of the other. So whole blocks are proved to alternate, and are copied without a decision for each sample.
pub(super) fn interleave(mut a: Floats<'_>, mut b: Floats<'_>, at_ms: &mut Vec<i64>, values: &mut Vec<f64>) {
    while let (Some(a_ms), Some(b_ms)) = (a.at_ms().first(), b.at_ms().first()) {
        let taken = match a_ms < b_ms {
            true => alternate(a, b, at_ms, values),
            false => alternate(b, a, at_ms, values),
        };
        let (a_rest, b_rest) = (a.slice(taken..), b.slice(taken..));
        let (a_stepped, b_stepped) = step(a_rest, b_rest, at_ms, values);
        (a, b) = (a_rest.slice(a_stepped..), b_rest.slice(b_stepped..));
    }
    for rest in [a, b] {
        at_ms.extend_from_slice(rest.at_ms());
        values.extend_from_slice(rest.values());
    }
}

/// As long as they alternate, beginning with the first one. Says how many samples of each that were.
fn alternate(first: Floats<'_>, second: Floats<'_>, at_ms: &mut Vec<i64>, values: &mut Vec<f64>) -> usize {
    let (first_ms, first_values) = (first.at_ms(), &first.values()[..first.at_ms().len()]);
    let (second_ms, second_values) = (second.at_ms(), &second.values()[..second.at_ms().len()]);
    let mut taken = 0;
    // The block of the first one and the sample behind it.
    while taken + BLOCK < first_ms.len() && taken + BLOCK <= second_ms.len() {
        let block = taken..taken + BLOCK;
        let (ones_ms, laters_ms) = (&first_ms[block.clone()], &first_ms[taken + 1..][..BLOCK]);
        let others_ms = &second_ms[block.clone()];
        let pairs = ones_ms.iter().zip(others_ms).zip(laters_ms);
        if !pairs.fold(true, |all, ((one, other), later)| all & (one < other) & (other < later)) {
            break;
        }
        at_ms.extend_from_slice(zip(ones_ms, others_ms).as_flattened());
        values.extend_from_slice(zip(&first_values[block.clone()], &second_values[block]).as_flattened());
        taken += BLOCK;
    }
    taken
}

fn zip<T: Copy + Default>(ones: &[T], others: &[T]) -> [[T; 2]; BLOCK] {
    let mut zipped = [[T::default(); 2]; BLOCK];
    for ((pair, &one), &other) in zipped.iter_mut().zip(ones).zip(others) {
        *pair = [one, other];
    }
    zipped
}

/// A few samples in whatever order. Which of the two is next shows no pattern that a processor could learn, so it is
/// computed and not branched on. Says how many samples of each are done with.
fn step(a: Floats<'_>, b: Floats<'_>, at_ms: &mut Vec<i64>, values: &mut Vec<f64>) -> (usize, usize) {
    const STEPS: usize = 2 * BLOCK;
    let (mut block_ms, mut block_values) = ([0; STEPS], [0.0; STEPS]);
    let (a_ms, a_values) = (a.at_ms(), &a.values()[..a.at_ms().len()]);
    let (b_ms, b_values) = (b.at_ms(), &b.values()[..b.at_ms().len()]);
    let (mut i, mut j, mut filled) = (0, 0, 0);
    while filled < STEPS && i < a_ms.len() && j < b_ms.len() {
        let (one_ms, other_ms) = (a_ms[i], b_ms[j]);
        let is_one = one_ms <= other_ms;
        block_ms[filled] = if is_one { one_ms } else { other_ms };
        block_values[filled] = if is_one { a_values[i] } else { b_values[j] };
        i += usize::from(is_one);
        j += usize::from(other_ms <= one_ms);
        filled += 1;
    }
    at_ms.extend_from_slice(&block_ms[..filled]);
    values.extend_from_slice(&block_values[..filled]);
    (i, j)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// One by one, always the earlier one.
    fn plain(a: &[(i64, f64)], b: &[(i64, f64)]) -> Vec<(i64, f64)> {
        let mut all: Vec<_> = a.iter().chain(b).copied().collect();
        // Stable: of equal timestamps that of the first source comes first.
        all.sort_by_key(|sample| sample.0);
        all.dedup_by_key(|sample| sample.0);
        all
    }

    /// Two columns that alternate for long stretches, with a sample missing, repeated in both or doubled now and then.
    fn columns() -> impl Strategy<Value = [Vec<(i64, f64)>; 2]> {
        vec((0..12u8, 0..3i64), 0..90).prop_map(|scrapes| {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            for (number, (kind, jitter_ms)) in scrapes.into_iter().enumerate() {
                let start_ms = number as i64 * 10;
                let at = |offset_ms: i64, source: i64| {
                    let at_ms = start_ms + offset_ms + jitter_ms;
                    (at_ms, (at_ms * 2 + source) as f64)
                };
                match kind {
                    0 => a.push(at(0, 0)),
                    1 => b.push(at(4, 1)),
                    2 => (a.push(at(2, 0)), b.push(at(2, 1))).0,
                    3 => b.extend([at(0, 1), at(1, 1)]),
                    _ => (a.push(at(0, 0)), b.push(at(4, 1))).0,
                }
            }
            [a, b]
        })
    }

    proptest! {
        #[test]
        fn as_one_by_one([a, b] in columns(), swapped in any::<bool>()) {
            let (a, b) = if swapped { (b, a) } else { (a, b) };
            let split = |samples: &[(i64, f64)]| samples.iter().copied().unzip::<i64, f64, Vec<_>, Vec<_>>();
            let (split_a, split_b) = (split(&a), split(&b));
            let (mut at_ms, mut values) = (Vec::new(), Vec::new());
            let [a_floats, b_floats] = [&split_a, &split_b].map(|(times, values)| Floats::new(times, values));
            interleave(a_floats, b_floats, &mut at_ms, &mut values);
            let output: Vec<_> = at_ms.into_iter().zip(values).collect();
            prop_assert_eq!(output, plain(&a, &b));
        }
    }
}
