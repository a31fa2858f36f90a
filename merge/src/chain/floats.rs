//! The chain of float columns that lie in memory: as runs, or copied.

use std::cmp::Ordering;

use crate::order::OutOfOrder;
use crate::resolve::{Resolve, Resolved, Run, resolve};
use crate::samples::{Floats, equal_prefix};
use crate::window::gallop;

use super::Chain;
use super::interleave::interleave;

/// Appends the union of the samples of several sources to `at_ms` and `values`: [`Chain::append`] for whoever has
/// no machine to use again.
///
/// # Errors
/// [`OutOfOrder`] if the timestamps of a source decrease. Nothing has been appended then.
///
/// # Panics
/// If a source has not as many values as timestamps.
///
/// ```
/// let (mut at_ms, mut values) = (Vec::new(), Vec::new());
/// let sources: [(&[i64], &[f64]); 2] = [(&[10, 20], &[1.0, 2.0]), (&[20, 30], &[7.0, 3.0])];
/// promha_merge::chain(&sources, &mut at_ms, &mut values)?;
/// assert_eq!((at_ms, values), (vec![10, 20, 30], vec![1.0, 2.0, 3.0]));
/// # Ok::<(), promha_merge::OutOfOrder<i64>>(())
/// ```
pub fn chain<'c>(
    sources: &[impl Into<Floats<'c>> + Copy],
    at_ms: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<(), OutOfOrder<i64>> {
    Chain::default().append(sources, at_ms, values)
}

/// What lies in memory as a whole.
impl Chain {
    /// Appends the union of the samples of several sources to `at_ms` and `values`. Begins afresh.
    ///
    /// A source is its timestamps in milliseconds and as many values, or [`Floats`]. Values are moved by their bits,
    /// stale markers included.
    ///
    /// One source is copied; of two, what they have in common is, and what only one of them has in its time, and where
    /// they interleave they are merged without a branch on which is earlier, blocks that alternate as a whole. Only for more than two, or if timestamps are
    /// repeated within a source, it takes the tree.
    ///
    /// # Errors
    /// [`OutOfOrder`] if the timestamps of a source decrease. Nothing has been appended then.
    ///
    /// # Panics
    /// If a source has not as many values as timestamps.
    pub fn append<'c>(
        &mut self,
        sources: &[impl Into<Floats<'c>> + Copy],
        at_ms: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) -> Result<(), OutOfOrder<i64>> {
        match *sources {
            [one] => {
                let one = one.into();
                if one.is_ascending() {
                    one.append_to(at_ms, values);
                    return Ok(());
                }
            }
            [a, b] => {
                let (a, b) = (a.into(), b.into());
                if a.is_strict() && b.is_strict() {
                    append_two(a, b, at_ms, values);
                    return Ok(());
                }
            }
            _ => {}
        }
        resolve(self, sources, at_ms, values)
    }

    /// Appends the union of the samples of several sources to `runs` as slices of these: samples that follow each other
    /// in the output and in a source are one run, and nothing is copied. Begins afresh.
    ///
    /// Sources are as in [`append`](Self::append). Where two sources follow each other in time, no sample is looked at
    /// but the first and last ones.
    ///
    /// # Errors
    /// [`OutOfOrder`] if the timestamps of a source decrease. Nothing has been appended then.
    ///
    /// # Panics
    /// If a source has not as many values as timestamps.
    ///
    /// ```
    /// use promha_merge::{Chain, Floats};
    ///
    /// let mut runs = Vec::new();
    /// let sources: [(&[i64], &[f64]); 2] = [(&[10, 20, 60], &[1.0, 2.0, 6.0]), (&[30, 40], &[3.0, 4.0])];
    /// Chain::default().runs(&sources, &mut runs)?;
    /// let times: Vec<&[i64]> = runs.iter().map(Floats::at_ms).collect();
    /// assert_eq!(times, [&[10, 20][..], &[30, 40], &[60]]);
    /// # Ok::<(), promha_merge::OutOfOrder<i64>>(())
    /// ```
    pub fn runs<'c>(
        &mut self,
        sources: &[impl Into<Floats<'c>> + Copy],
        runs: &mut Vec<Floats<'c>>,
    ) -> Result<(), OutOfOrder<i64>> {
        match *sources {
            [one] if one.into().is_ascending() => {
                push(runs, one.into());
                return Ok(());
            }
            [a, b] if a.into().is_strict() && b.into().is_strict() => {
                match in_turn(&a.into(), &b.into()) {
                    Some(Ordering::Less) => [a, b].into_iter().for_each(|run| push(runs, run.into())),
                    Some(_) => [b, a].into_iter().for_each(|run| push(runs, run.into())),
                    None => runs_of_two(a.into(), b.into(), runs),
                }
                return Ok(());
            }
            _ => {}
        }
        Resolve::reset(self, sources.len());
        (0..sources.len()).for_each(|source| Resolve::supply(self, source));
        loop {
            match Resolve::poll(self, |source| sources[source].into())? {
                Resolved::Need { source, .. } => Resolve::exhaust(self, source),
                Resolved::Run(Run { source, range, .. }) => {
                    let column: Floats<'c> = sources[source].into();
                    runs.push(column.slice(range));
                }
                Resolved::Done => return Ok(()),
            }
        }
    }
}

fn extend(at_ms: &mut Vec<i64>, values: &mut Vec<f64>, column: Floats<'_>) {
    at_ms.extend_from_slice(column.at_ms());
    values.extend_from_slice(column.values());
}

/// Nothing is no run.
fn push<'c>(runs: &mut Vec<Floats<'c>>, run: Floats<'c>) {
    if !run.at_ms().is_empty() {
        runs.push(run);
    }
}

/// Two sources whose timestamps strictly increase. Where they are the same, the first one counts.
fn append_two(a: Floats<'_>, b: Floats<'_>, at_ms: &mut Vec<i64>, values: &mut Vec<f64>) {
    if let Some(order) = in_turn(&a, &b) {
        let (first, second) = if order == Ordering::Less { (a, b) } else { (b, a) };
        first.append_to(at_ms, values);
        return second.append_to(at_ms, values);
    }
    a.prefetch_next();
    let (same, a_rest, b_rest) = split_same(a, b);
    if !b_rest.at_ms().is_empty() {
        b.prefetch_next();
    }
    let (a, b) = (a_rest, b_rest);
    extend(at_ms, values, same);
    let (lead, a, b) = split_lead(a, b);
    extend(at_ms, values, lead);
    interleave(a, b, at_ms, values);
}

/// The same as runs.
fn runs_of_two<'c>(a: Floats<'c>, b: Floats<'c>, runs: &mut Vec<Floats<'c>>) {
    let (a_ms, b_ms) = (a.at_ms(), b.at_ms());
    let mut same = a.same_times(&b);
    for column in [a, b] {
        if same < column.at_ms().len() {
            column.prefetch_next_times();
        }
    }
    // The next `same` samples of both have the same timestamps: the first one's come out.
    let (mut a_at, mut b_at) = (0, 0);
    loop {
        b_at += same;
        let b_first_ms = b_ms.get(b_at).copied();
        let a_end = gallop(a_ms, a_at + same, |time_ms| b_first_ms.is_none_or(|first_ms| time_ms < first_ms));
        push(runs, a.slice(a_at..a_end));
        a_at = a_end;
        let a_first_ms = a_ms.get(a_at).copied();
        let b_end = gallop(b_ms, b_at, |time_ms| a_first_ms.is_none_or(|first_ms| time_ms < first_ms));
        push(runs, b.slice(b_at..b_end));
        b_at = b_end;
        if a_first_ms.is_none() {
            return;
        }
        same = equal_prefix(&a_ms[a_at..], &b_ms[b_at..]);
    }
}

/// Which one is earlier as a whole, if one is.
#[inline]
fn in_turn(a: &Floats<'_>, b: &Floats<'_>) -> Option<Ordering> {
    let (Some((a_first_ms, a_last_ms)), Some((b_first_ms, b_last_ms))) = (a.span_ms(), b.span_ms()) else {
        return Some(Ordering::Less);
    };
    match (a_last_ms < b_first_ms, b_last_ms < a_first_ms) {
        (true, _) => Some(Ordering::Less),
        (_, true) => Some(Ordering::Greater),
        _ => None,
    }
}

/// What of the first one has the same timestamps in the other, from the start on, and the rest of both.
fn split_same<'c>(a: Floats<'c>, b: Floats<'c>) -> (Floats<'c>, Floats<'c>, Floats<'c>) {
    let same = a.same_times(&b);
    (a.slice(..same), a.slice(same..), b.slice(same..))
}

/// What the one that begins first has before the other begins, and the rest of both.
fn split_lead<'c>(a: Floats<'c>, b: Floats<'c>) -> (Floats<'c>, Floats<'c>, Floats<'c>) {
    let first_ms = |column: Floats<'_>| column.at_ms().first().copied();
    match (first_ms(a), first_ms(b)) {
        (Some(a_ms), Some(b_ms)) if a_ms < b_ms => {
            let end = gallop(a.at_ms(), 1, |time_ms| time_ms < b_ms);
            (a.slice(..end), a.slice(end..), b)
        }
        (Some(a_ms), Some(_)) => {
            let end = gallop(b.at_ms(), 0, |time_ms| time_ms < a_ms);
            (b.slice(..end), a, b.slice(end..))
        }
        (Some(_), None) => (a, Floats::default(), b),
        (None, _) => (b, a, Floats::default()),
    }
}
