//! The merge of arenas as a loop over series: one step a label set, whoever holds it.

use std::iter::zip;

use crate::arena::Arena;
use crate::label_arena::LabelSet;
use crate::labels::Labels;
use crate::machine::Step;
use crate::merge_labels::MergeLabels;
use crate::order::OutOfOrder;
use crate::samples::Floats;

/// Merges the series of several sources that lie in memory, each sorted by
/// [`labels::compare`](crate::labels::compare), into one sequence that has every label set once.
///
/// Label sets are equal when all their bytes are, never by a hash alone. For sources that come piece by piece, and
/// for samples that are no floats, there is the machine below it, [`MergeLabels`].
///
/// ```
/// use promha_merge::{Arena, Chain, merge_arenas};
///
/// let mut arenas = [Arena::default(), Arena::default()];
/// arenas[0].push(&[("job", "a")], &[10, 20], &[1.0, 2.0]);
/// arenas[1].push(&[("job", "a")], &[20, 30], &[2.0, 3.0]);
/// arenas[1].push(&[("job", "b")], &[10], &[7.0]);
///
/// let (mut merge, mut chain) = (merge_arenas(&arenas), Chain::default());
/// let (mut at_ms, mut values) = (Vec::new(), Vec::new());
/// let series = merge.next_series()?.unwrap();
/// assert!(series.labels.pairs().eq([("job", "a")]));
/// assert_eq!(series.sources, [0, 1]);
/// chain.append(series.columns, &mut at_ms, &mut values)?;
/// assert_eq!((at_ms, values), (vec![10, 20, 30], vec![1.0, 2.0, 3.0]));
///
/// assert_eq!(merge.next_series()?.unwrap().sources, [1]);
/// assert!(merge.next_series()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn merge_arenas(arenas: &[Arena]) -> MergeArenas<'_> {
    let mut machine = MergeLabels::new(arenas.len());
    (0..arenas.len()).for_each(|source| machine.supply(source));
    MergeArenas { arenas, machine, columns: Vec::with_capacity(arenas.len()) }
}

/// The merge that [`merge_arenas`] returns.
#[derive(Debug)]
pub struct MergeArenas<'a> {
    arenas: &'a [Arena],
    machine: MergeLabels,
    /// Of all groups of one source that are known, or of the one group that is.
    columns: Vec<Floats<'a>>,
}

/// One label set of the merge, and what all sources that have it have of it.
#[derive(Debug, Clone, Copy)]
pub struct Series<'m, 'a> {
    /// The labels.
    pub labels: LabelSet<'a>,
    /// Each source that has the label set, ascending.
    pub sources: &'m [usize],
    /// The samples of each of them.
    pub columns: &'m [Floats<'a>],
}

impl<'a> MergeArenas<'a> {
    /// The series with the smallest labels that are left, or `None` at the end.
    ///
    /// # Errors
    /// [`OutOfOrder`] naming both label sets, if a source has a series whose labels are not greater than those
    /// before it. The source ends with that, the series of the others can still be had: stop or go on.
    // What it gives would go through memory if this were a call.
    #[inline(always)]
    pub fn next_series(&mut self) -> Result<Option<Series<'_, 'a>>, OutOfOrder<Labels>> {
        let Some(at) = self.machine.next_alone() else { return self.next_group() };
        let (sources, indexes) = self.machine.alone();
        let labels = self.arenas[sources[at]].labels().set(indexes[at]);
        Ok(Some(Series { labels, sources: &sources[at..=at], columns: &self.columns[at..=at] }))
    }

    /// The same where it is not known what comes next.
    #[inline(never)]
    fn next_group(&mut self) -> Result<Option<Series<'_, 'a>>, OutOfOrder<Labels>> {
        if !self.advance()? {
            return Ok(None);
        }
        let Self { arenas, machine, columns } = self;
        let sources = machine.group();
        let labels = arenas[sources[0]].labels().set(machine.index(sources[0]));
        Ok(Some(Series { labels, sources, columns: &columns[..sources.len()] }))
    }

    /// False at the end.
    fn advance(&mut self) -> Result<bool, OutOfOrder<Labels>> {
        let Self { arenas, machine, columns } = self;
        let arenas: &'a [Arena] = arenas;
        loop {
            match machine.poll(|source| arenas[source].labels())? {
                Step::Need(source) => machine.exhaust(source),
                Step::Done => return Ok(false),
                Step::Tied(_) => break,
            }
        }
        let column = |source: usize, index, shared| {
            let arena = &arenas[source];
            arena.prefetch_after(index, shared);
            arena.column(index)
        };
        columns.clear();
        let (alone, indexes) = machine.alone();
        if alone.is_empty() {
            let (group, shared) = (machine.group(), machine.group().len() > 1);
            columns.extend(group.iter().map(|&source| column(source, machine.index(source), shared)));
        } else {
            columns.extend(zip(alone, indexes).map(|(&source, &index)| column(source, index, false)));
        }
        Ok(true)
    }
}
