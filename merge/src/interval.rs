//! The `interval` policy: VictoriaMetrics' deduplication, so that its results can be had and compared.

use crate::order::OutOfOrder;
use crate::resolve::{Resolve, Resolved, Run};
use crate::samples::{Samples, prefer};
use crate::window::Window;

/// Keeps the newest sample of every interval, as VictoriaMetrics does with `-dedup.minScrapeInterval`.
///
/// Time is divided into windows that begin right after a multiple of the interval (counted from 1970) and end
/// at the next one, that one included. Of all samples in a window, whichever replica has them, the last comes
/// out. At the same time the largest value wins, a number before a stale marker. An interval of 0 drops
/// nothing, not even samples with the same time.
///
/// Known weaknesses, kept because they are VictoriaMetrics': the output jumps between replicas, a stale marker
/// that is a little later than the other replica's live sample hides it, and an interval that is not the one
/// of the scrapes leaves out samples or leaves gaps. [`Stitch`](crate::Stitch) has none of them.
///
/// Source: `lib/storage/dedup.go` in VictoriaMetrics. Its cases in this crate's `testdata/merge_cases.json`
/// hold.
///
/// # Cost
/// `O(k log n)` for each window with samples, for `k` replicas with `n` samples in it. Nothing is allocated
/// when a machine is [`reset`](Resolve::reset) to no more sources than it had before.
///
/// ```
/// use promha_merge::{Interval, resolve};
///
/// let a: (&[i64], &[f64]) = (&[1_000, 11_000, 21_000], &[1.0, 2.0, 3.0]);
/// let b: (&[i64], &[f64]) = (&[9_000, 19_000, 31_000], &[1.8, 2.8, 3.8]);
/// let (mut at_ms, mut values) = (Vec::new(), Vec::new());
/// resolve(&mut Interval::new(10_000), &[a, b], &mut at_ms, &mut values)?;
/// assert_eq!(at_ms, [9_000, 19_000, 21_000, 31_000]);
/// assert_eq!(values, [1.8, 2.8, 3.0, 3.8]);
/// # Ok::<(), promha_merge::OutOfOrder<i64>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Interval {
    interval_ms: i64,
    windows: Vec<Window>,
    /// Right behind the last sample that came out.
    last: Option<(usize, usize)>,
}

impl Interval {
    /// A machine for this interval in milliseconds, without sources yet. A negative interval is 0.
    pub fn new(interval_ms: i64) -> Self {
        Self { interval_ms: interval_ms.max(0), ..Self::default() }
    }

    /// The last millisecond of the window that a time is in.
    fn window_end_ms(&self, at_ms: i64) -> i64 {
        match at_ms.checked_rem_euclid(self.interval_ms) {
            None | Some(0) => at_ms,
            Some(into_ms) => at_ms.saturating_add(self.interval_ms - into_ms),
        }
    }

    /// The next run, or the source that more samples are needed of first.
    fn advance<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) -> Result<Option<Run>, usize> {
        if let Some(source) = self.windows.iter().position(|w| !w.has_unread() && !w.is_exhausted()) {
            return Err(source);
        }
        let heads = self.windows.iter().enumerate().filter(|(_, window)| window.has_unread());
        let Some((head_ms, first)) = heads.map(|(s, window)| (columns(s).at_ms()[window.at], s)).min() else {
            return Ok(None);
        };
        if self.interval_ms == 0 {
            return Ok(Some(self.take(first, self.windows[first].at)));
        }
        let end_ms = self.window_end_ms(head_ms);
        let mut best: Option<(i64, usize, usize)> = None;
        for (source, window) in self.windows.iter().enumerate() {
            let column = columns(source);
            let times_ms = &column.at_ms()[..window.len];
            let end = window.at + times_ms[window.at..].partition_point(|&at_ms| at_ms <= end_ms);
            if end == window.len && !window.is_exhausted() {
                return Err(source);
            }
            let newest_ms = times_ms[window.at..end].last();
            let same = (window.at..end).rev().take_while(|&index| Some(&times_ms[index]) == newest_ms);
            for index in same {
                let is_better = best.is_none_or(|(best_ms, best_source, best_index)| {
                    let by_time = times_ms[index].cmp(&best_ms);
                    by_time.then_with(|| prefer(&column, index, &columns(best_source), best_index)).is_gt()
                });
                if is_better {
                    best = Some((times_ms[index], source, index));
                }
            }
        }
        let Some((_, source, index)) = best else { return Ok(None) };
        let run = self.take(source, index);
        for (source, window) in self.windows.iter_mut().enumerate() {
            let column = columns(source);
            let times_ms = &column.at_ms()[..window.len];
            window.at += times_ms[window.at..].partition_point(|&at_ms| at_ms <= end_ms);
        }
        Ok(Some(run))
    }

    fn take(&mut self, source: usize, index: usize) -> Run {
        let continues = self.last == Some((source, index));
        self.last = Some((source, index + 1));
        self.windows[source].at = index + 1;
        Run { source, range: index..index + 1, continues, lift: 0.0 }
    }
}

impl Resolve for Interval {
    fn reset(&mut self, sources: usize) {
        self.windows.clear();
        self.windows.resize(sources, Window::new());
        self.last = None;
    }

    fn supply(&mut self, source: usize) {
        if let Some(window) = self.windows.get_mut(source) {
            window.supply();
        }
    }

    fn exhaust(&mut self, source: usize) {
        if let Some(window) = self.windows.get_mut(source) {
            window.exhaust();
        }
    }

    fn poll<S: Samples>(&mut self, columns: impl Fn(usize) -> S) -> Result<Resolved, OutOfOrder<i64>> {
        let Self { windows, last, .. } = self;
        for (source, window) in windows.iter_mut().enumerate().filter(|(_, window)| window.is_supplied()) {
            let column = columns(source);
            let gone = window.open(source, column.at_ms(), column.at_ms().is_sorted())?;
            *last = last.map(|last| if last.0 == source { (source, last.1 - gone) } else { last });
        }
        Ok(match self.advance(&columns) {
            Ok(Some(run)) => Resolved::Run(run),
            Ok(None) => Resolved::Done,
            Err(source) => {
                let window = &mut self.windows[source];
                let keep_from = window.at;
                window.ask(keep_from);
                Resolved::Need { source, keep_from }
            }
        })
    }
}
