//! Whole replicas of which a single one comes out, told from what is known of their columns: the common case, in
//! which everything else this policy does leads to nothing. Whatever is not certain here is left to the machine.

use std::cmp::Ordering;

use super::Stitch;
use super::pace::Pace;
use crate::samples::{Floats, Samples, prefer};

impl Stitch {
    /// The source that all that comes out is of, and all of it does.
    pub(super) fn sole_source<'c>(
        &self,
        sources: usize,
        columns: impl Fn(usize) -> Floats<'c>,
    ) -> Option<usize> {
        let (mut first, mut first_ms, mut begin_together) = (0, i64::MAX, true);
        for source in 0..sources {
            let column = columns(source);
            let (begin_ms, _) = column.span_ms()?;
            if !column.is_known() || !column.is_strict() {
                return None;
            }
            begin_together &= source == 0 || begin_ms == first_ms;
            if begin_ms < first_ms {
                (first, first_ms) = (source, begin_ms);
            }
        }
        match sources {
            0 => None,
            1 => Some(0),
            _ if begin_together => best_of_simultaneous(sources, columns),
            _ => self.stays_with(first, sources, &columns).then_some(first),
        }
    }

    /// Whether the replica that begins first is never left: none of its steps is a gap by the shortest pace that can
    /// be learned of anybody, and at the end nobody goes on for long enough.
    ///
    /// Of the others no sample is looked at.
    fn stays_with<'c>(&self, first: usize, sources: usize, columns: &impl Fn(usize) -> Floats<'c>) -> bool {
        let replica = columns(first);
        let Some((begin_ms, end_ms)) = replica.span_ms() else { return false };
        let own = replica.steps();
        let (mut shortest_ms, mut longest_ms, mut last_ms) = (own.shortest_ms(), own.longest_ms(), end_ms);
        for column in (0..sources).filter(|&source| source != first).map(columns) {
            let Some((other_begin_ms, other_end_ms)) = column.span_ms() else { return false };
            // Then its pace is learned at its second sample, from the steps behind that, and no fallback is used.
            if begin_ms == other_begin_ms || begin_ms.abs_diff(other_begin_ms) >= own.shortest_ms() {
                return false;
            }
            shortest_ms = shortest_ms.min(column.steps().shortest_ms());
            longest_ms = longest_ms.max(column.steps().longest_ms());
            last_ms = last_ms.max(other_end_ms);
        }
        let learned = Pace::shortest_of(shortest_ms, longest_ms);
        let pace = self.hints.pace().map_or(learned, |hint| hint.min(learned));
        replica.at_ms().len() > 2
            && own.longest_ms() < pace.gap_ms()
            && (last_ms <= end_ms || last_ms < end_ms.saturating_add_unsigned(pace.missed_ms()))
            && replica.first_stale(0..replica.at_ms().len()).is_none()
    }
}

/// Which of several replicas comes out if all have the same timestamps: they are followed together until they part,
/// and from there on the best one is, for it has no sample that lacks. So it is the best one in lexical order.
fn best_of_simultaneous<'c>(sources: usize, columns: impl Fn(usize) -> Floats<'c>) -> Option<usize> {
    let (mut best, mut are_copies) = (0, true);
    for source in 1..sources {
        let (column, best_column) = (columns(source), columns(best));
        if column.span_ms() != best_column.span_ms() || !column.has_times_of(&best_column) {
            return None;
        }
        column.prefetch_next_values();
        if let Some(index) = column.first_difference(&best_column) {
            are_copies = false;
            if prefer(&column, index, &best_column, index) == Ordering::Greater {
                best = source;
            }
        }
    }
    // A marker comes out of copies as it is. Otherwise it depends on the others whether it does.
    let column = columns(best);
    (are_copies || column.first_stale(0..column.at_ms().len()).is_none()).then_some(best)
}
