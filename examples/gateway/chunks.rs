//! The chunks of one series from several sources become one sequence of chunks.
//!
//! [`Planner`] decides what is decoded: chunks that are whole pass as bytes, what other replicas have in their span is
//! dropped, and only around holes samples are merged. This file decodes and encodes what it asks for. Works on whatever
//! chunks are there and says which source it needs more of, so the length of a series does not show in memory.

use std::collections::VecDeque;

use bytes::Bytes;
use promha_merge::labels::Labels;
use promha_merge::{Counts, Hints, OutOfOrder, PlanError, PlanStep, Planner, Run};
use promha_remote_proto::frame::{ChunkEncoding, ChunkView};
use promha_remote_proto::xor;

use super::column::Column;
use super::samples::{ChunkCutter, Samples, SamplesError, without_reset_hint};
use super::series::Chunk;

/// What [`ChunkMerge::poll`] asks for or gives.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The next chunks of this member: [`ChunkMerge::supply`] them, or [`ChunkMerge::exhaust`] it.
    Need(usize),
    /// The next chunk of the result.
    Emit(Chunk),
    /// Every member is exhausted and everything is out.
    Done,
}

/// A member's chunks are broken. Go on with the others: the member has been dropped.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    /// A chunk cannot be read.
    #[error("the chunk from {min_ms} to {max_ms}: {source}")]
    Samples {
        /// The member whose chunk it is.
        member: usize,
        /// First timestamp the chunk claims.
        min_ms: i64,
        /// Last timestamp the chunk claims.
        max_ms: i64,
        /// What is wrong with it.
        source: SamplesError,
    },
    /// Chunks are not in order, or do not hold what they claim.
    #[error("{}", plan_text(.0))]
    Plan(PlanError),
}

impl ChunkError {
    /// The member that is at fault.
    pub fn member(&self) -> usize {
        match self {
            Self::Samples { member, .. } => *member,
            Self::Plan(error) => error.source_index(),
        }
    }
}

/// Without the number of the source, which says nothing outside.
fn plan_text(error: &PlanError) -> String {
    match error {
        PlanError::OutOfOrder(OutOfOrder { previous, next, .. }) => {
            format!(
                "{next} comes after {previous}: the chunks and samples of a series must be in the order of time. Replicas behind one upstream need `sort: true`"
            )
        }
        other => other.to_string(),
    }
}

/// Whether a series is a counter by its name, as Prometheus' own conventions have it.
pub fn is_counter(labels: &Labels) -> bool {
    let name = labels.pairs().find(|(name, _)| *name == "__name__").map_or("", |(_, value)| value);
    ["_total", "_count", "_sum", "_bucket"].iter().any(|suffix| name.ends_with(suffix))
}

/// Merges the chunks of one series after the other, as a state machine.
#[derive(Debug)]
pub struct ChunkMerge {
    planner: Planner<ChunkBytes>,
    /// Where chunks are read for stale markers.
    scanned: Samples,
    /// What is decoded of each member; at least one for each.
    columns: Vec<Column>,
    cutter: ChunkCutter,
    ready: VecDeque<Chunk>,
    /// The interval that the last series turned out to have: a good guess for the next.
    interval_ms: Option<i64>,
}

/// What the planner holds of a chunk: two are equal if their bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ChunkBytes {
    encoding: ChunkEncoding,
    data: Bytes,
}

impl ChunkBytes {
    fn view(&self, min_ms: i64, max_ms: i64) -> ChunkView<'_> {
        ChunkView { min_ms, max_ms, encoding: self.encoding, data: &self.data }
    }
}

impl ChunkMerge {
    /// A merge without a series.
    pub fn new() -> Self {
        Self {
            planner: Planner::new(0, Hints::default()),
            scanned: Samples::default(),
            columns: Vec::new(),
            cutter: ChunkCutter::default(),
            ready: VecDeque::new(),
            interval_ms: None,
        }
    }

    /// Begins a series that `members` sources have. A `counter` never goes down but to start again.
    pub fn begin(&mut self, members: usize, counter: bool) {
        self.interval_ms = self.planner.interval_ms().or(self.interval_ms);
        self.planner.reset(members, Hints { interval_ms: self.interval_ms, counter });
        self.columns.resize_with(self.columns.len().max(members), Column::default);
        self.columns.iter_mut().for_each(Column::clear);
        self.ready.clear();
    }

    /// Hands over the next chunks of a member, in time order.
    ///
    /// # Errors
    /// [`ChunkError`] if they are not; the member has been dropped then.
    pub fn supply(
        &mut self,
        member: usize,
        chunks: impl IntoIterator<Item = Chunk>,
    ) -> Result<(), ChunkError> {
        for chunk in chunks {
            let Chunk { min_ms, max_ms, encoding, data } = chunk;
            // All encodings begin with the number of samples.
            let samples = match xor::sample_count(&data) {
                Ok(samples) => usize::from(samples),
                Err(error) => {
                    self.abandon(member);
                    return Err(ChunkError::Samples { member, min_ms, max_ms, source: error.into() });
                }
            };
            let bytes = ChunkBytes { encoding, data };
            let chunk = promha_merge::Chunk { min_ms, max_ms, samples, all_live: None, bytes };
            self.planner.supply(member, chunk).map_err(ChunkError::Plan)?;
        }
        Ok(())
    }

    /// The member has no more chunks of this series.
    pub fn exhaust(&mut self, member: usize) {
        self.planner.exhaust(member);
    }

    /// The member has failed: what it gave and is not merged yet is dropped.
    pub fn abandon(&mut self, member: usize) {
        self.planner.abandon(member);
    }

    /// What became of the chunks so far, of all series.
    pub fn counts(&self) -> Counts {
        self.planner.counts()
    }

    /// Goes on until something is needed or comes out.
    ///
    /// # Errors
    /// [`ChunkError`] when a member's chunk is broken; the member has been dropped then.
    pub fn poll(&mut self) -> Result<Step, ChunkError> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Step::Emit(chunk));
            }
            let columns = &self.columns;
            match self.planner.poll(|source| &columns[source]).map_err(ChunkError::Plan)? {
                PlanStep::Need(member) => return Ok(Step::Need(member)),
                PlanStep::Decode { source: member, keep_from, chunk } => {
                    self.columns[member].drop_before(keep_from);
                    let (min_ms, max_ms) = (chunk.min_ms, chunk.max_ms);
                    if let Err(source) = self.columns[member].append(chunk.bytes.view(min_ms, max_ms)) {
                        self.planner.abandon(member);
                        return Err(ChunkError::Samples { member, min_ms, max_ms, source });
                    }
                    self.planner.decoded(member);
                }
                PlanStep::Look { source: member, chunk } => {
                    // A failed scrape leaves a stale marker in the place of its sample, so that the chunk seems to be
                    // whole. Nothing but reading it tells.
                    let stale = self.scanned.has_stale_marker(chunk.bytes.view(chunk.min_ms, chunk.max_ms));
                    self.planner.looked(member, stale.is_ok_and(|has| !has));
                }
                PlanStep::Pass { chunk, continues, .. } => {
                    let ChunkBytes { encoding, data } = chunk.bytes.clone();
                    let data = if continues { data } else { without_reset_hint(encoding, data) };
                    self.cutter.cut(&mut self.ready);
                    self.ready.push_back(Chunk {
                        min_ms: chunk.min_ms,
                        max_ms: chunk.max_ms,
                        encoding,
                        data,
                    });
                }
                PlanStep::Run(Run { source, range, continues, .. }) => {
                    self.columns[source].push_to(&mut self.cutter, range, continues, &mut self.ready);
                }
                PlanStep::Done if self.cutter.is_empty() => return Ok(Step::Done),
                PlanStep::Done => self.cutter.cut(&mut self.ready),
            }
        }
    }
}

impl Default for ChunkMerge {
    fn default() -> Self {
        Self::new()
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(samples: impl IntoIterator<Item = (i64, f64)>) -> Vec<Chunk> {
        let (mut cutter, mut chunks) = (ChunkCutter::default(), Vec::new());
        for (t_ms, value) in samples {
            cutter.push_float(t_ms, value, &mut chunks);
        }
        cutter.cut(&mut chunks);
        chunks
    }

    /// Every 15 s from `from` to `to` (counted in scrapes), shifted by `shift_ms`.
    fn scraped(from: i64, to: i64, shift_ms: i64) -> Vec<(i64, f64)> {
        (from..to).map(|scrape| (scrape * 15_000 + shift_ms, scrape as f64)).collect()
    }

    fn begun(members: usize) -> ChunkMerge {
        let mut merge = ChunkMerge::new();
        merge.begin(members, false);
        merge
    }

    /// Merges members that hand over their chunks one at a time.
    fn merge(members: &[Vec<Chunk>]) -> (Vec<Chunk>, Counts) {
        let mut merge = begun(members.len());
        let mut left: Vec<_> = members.iter().map(|chunks| chunks.iter().cloned()).collect();
        let mut merged = Vec::new();
        loop {
            match merge.poll().unwrap() {
                Step::Need(member) => match left[member].next() {
                    Some(chunk) => merge.supply(member, [chunk]).unwrap(),
                    None => merge.exhaust(member),
                },
                Step::Emit(chunk) => merged.push(chunk),
                Step::Done => return (merged, merge.counts()),
            }
        }
    }

    fn samples(chunks: &[Chunk]) -> Vec<(i64, f64)> {
        let (mut samples, mut all) = (Samples::default(), Vec::new());
        for chunk in chunks {
            samples.decode(chunk.view()).unwrap();
            let times_ms = samples.timestamps_ms();
            assert_eq!((chunk.min_ms, chunk.max_ms), (times_ms[0], times_ms[times_ms.len() - 1]));
            all.extend(samples.floats());
        }
        all
    }

    #[test]
    fn a_single_member_passes_as_bytes() {
        let member = chunks(scraped(0, 400, 0));
        let (merged, counts) = merge(std::slice::from_ref(&member));
        assert_eq!(merged, member);
        assert_eq!((counts.passed, counts.collapsed, counts.dropped), (4, 0, 0));
    }

    #[test]
    fn identical_members_come_once() {
        let member = chunks(scraped(0, 400, 0));
        let (merged, counts) = merge(&[member.clone(), member.clone(), member.clone()]);
        assert_eq!(merged, member);
        assert_eq!((counts.passed, counts.collapsed), (4, 8), "{counts:?}");
    }

    #[test]
    fn members_that_do_not_overlap_come_in_turn() {
        let (early, late) = (chunks(scraped(0, 240, 0)), chunks(scraped(240, 480, 0)));
        let merged = merge(&[late, early]).0;
        assert_eq!(samples(&merged), scraped(0, 480, 0));
    }

    #[test]
    fn of_jittered_members_one_passes_whatever_their_order() {
        let (a, b) = (chunks(scraped(0, 1_200, 0)), chunks(scraped(0, 1_200, 200)));
        for members in [[a.clone(), b.clone()], [b, a.clone()]] {
            let (merged, counts) = merge(&members);
            assert_eq!(merged, a);
            assert!(counts.passed == 10 && counts.dropped >= 7 && counts.decoded <= 4, "{counts:?}");
        }
    }

    #[test]
    fn a_hole_is_filled_from_another_member() {
        let whole = chunks(scraped(0, 1_200, 200));
        let holed = [chunks(scraped(0, 200, 0)), chunks(scraped(800, 1_200, 0))].concat();
        for members in [[whole.clone(), holed.clone()], [holed, whole]] {
            let filled = [scraped(0, 200, 0), scraped(200, 1_200, 200)].concat();
            assert_eq!(samples(&merge(&members).0), filled);
        }
    }

    #[test]
    fn broken_chunks_name_their_member_and_the_others_go_on() {
        let good = chunks(scraped(0, 240, 0));
        let mut broken = chunks(scraped(0, 240, 100));
        broken[0].data = broken[0].data.slice(..10);
        let mut merge = begun(2);
        merge.supply(0, broken.clone()).unwrap();
        merge.supply(1, good.clone()).unwrap();
        merge.exhaust(1);
        let error = merge.poll().unwrap_err();
        assert_eq!(error.member(), 0, "{error}");
        merge.abandon(0);
        let mut merged = Vec::new();
        while let Step::Emit(chunk) = merge.poll().unwrap() {
            merged.push(chunk);
        }
        assert_eq!(samples(&merged), scraped(0, 240, 0));

        broken.reverse();
        let error = begun(1).supply(0, broken).unwrap_err();
        assert!(matches!(error, ChunkError::Plan(PlanError::OutOfOrder(_))), "{error}");
    }

    /// A chunk whose samples are not where it says would break the order of what passes around it.
    #[test]
    fn a_chunk_must_hold_what_it_claims() {
        let mut lying = chunks(scraped(0, 100, 0));
        lying[0].max_ms -= 15_000;
        let mut merge = begun(2);
        merge.supply(0, lying).unwrap();
        merge.supply(1, chunks(scraped(50, 150, 100))).unwrap();
        assert_eq!(merge.poll().unwrap_err().member(), 0);
    }
}
