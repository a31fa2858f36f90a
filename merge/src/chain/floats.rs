//! The chain of float columns that lie in memory, copied.

use crate::order::OutOfOrder;
use crate::resolve::resolve;

use super::Chain;

/// Appends the union of the samples of several sources to `at_ms` and `values`: a [`Chain`] for what lies in
/// memory.
///
/// A source is its timestamps in milliseconds and as many values. Values are moved by their bits, stale
/// markers included.
///
/// One source is copied, two are merged in one pass without a branch on which is earlier; only more than two
/// take a [`Chain`] (and the memory for it).
///
/// # Errors
/// [`OutOfOrder`] if the timestamps of a source decrease. Nothing has been appended then.
///
/// # Panics
/// If a source has not as many values as timestamps.
///
/// ```
/// let (mut at_ms, mut values) = (Vec::new(), Vec::new());
/// promha_merge::chain(&[(&[10, 20], &[1.0, 2.0]), (&[20, 30], &[7.0, 3.0])], &mut at_ms, &mut values)?;
/// assert_eq!((at_ms, values), (vec![10, 20, 30], vec![1.0, 2.0, 3.0]));
/// # Ok::<(), promha_merge::OutOfOrder<i64>>(())
/// ```
pub fn chain(
    sources: &[(&[i64], &[f64])],
    at_ms: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<(), OutOfOrder<i64>> {
    resolve(&mut Chain::default(), sources, at_ms, values)
}
