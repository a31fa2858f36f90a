//! The chunks of one series from several sources become one sequence of chunks.
//!
//! A series of one source passes as bytes. Several are merged by [`Stitch`]: it follows one replica, and fills its holes from
//! the others. Works on whatever chunks are there and says which source it needs more of, so the length of a series
//! does not show in memory.

use std::collections::VecDeque;

use promha_merge::labels::Labels;
use promha_merge::{Hints, OutOfOrder, Resolve, Resolved, Run, Stitch};

use super::column::Column;
use super::samples::{ChunkCutter, SamplesError};
use super::series::Chunk;

/// What became of the chunks that came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkCounts {
    /// Handed on as bytes.
    pub passed: u64,
    /// Decoded, because another source has samples in the same span.
    pub decoded: u64,
}

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

/// A member's chunks are broken. [`ChunkMerge::abandon`] the member to go on with the others.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    /// A chunk cannot be decoded.
    #[error("the chunk from {min_ms} to {max_ms}: {source}")]
    Decode {
        /// The member whose chunk it is.
        member: usize,
        /// First timestamp the chunk claims.
        min_ms: i64,
        /// Last timestamp the chunk claims.
        max_ms: i64,
        /// What is wrong with it.
        source: SamplesError,
    },
    /// A sample or chunk does not come after the one before.
    #[error(
        "{next_ms} comes after {last_ms}: chunks and samples of a series must be in time order. Replicas behind one upstream need `sort: true`"
    )]
    OutOfOrder {
        /// The member that is not in order.
        member: usize,
        /// The time that came first.
        last_ms: i64,
        /// The time that came then.
        next_ms: i64,
    },
}

impl ChunkError {
    /// The member that is at fault.
    pub fn member(&self) -> usize {
        match self {
            Self::Decode { member, .. } | Self::OutOfOrder { member, .. } => *member,
        }
    }
}

/// Whether a series is a counter by its name, as Prometheus' own conventions have it.
pub fn is_counter(labels: &Labels) -> bool {
    let name = labels.pairs().find(|(name, _)| *name == "__name__").map_or("", |(_, value)| value);
    ["_total", "_count", "_sum", "_bucket"].iter().any(|suffix| name.ends_with(suffix))
}

/// Merges the chunks of one series, as a state machine.
#[derive(Debug)]
pub struct ChunkMerge {
    members: Vec<Member>,
    policy: Stitch,
    cutter: ChunkCutter,
    ready: VecDeque<Chunk>,
    counts: ChunkCounts,
}

impl ChunkMerge {
    /// A merge of one series that `members` sources have. A `counter` never goes down but to start again.
    pub fn new(members: usize, counter: bool) -> Self {
        let mut policy = Stitch::new(Hints { interval_ms: None, counter });
        policy.reset(members);
        Self {
            members: (0..members).map(|_| Member::default()).collect(),
            policy,
            cutter: ChunkCutter::default(),
            ready: VecDeque::new(),
            counts: ChunkCounts::default(),
        }
    }

    /// Hands over the next chunks of a member.
    ///
    /// # Errors
    /// [`ChunkError::OutOfOrder`] if they are not in time order or do not follow the member's earlier ones.
    pub fn supply(
        &mut self,
        member: usize,
        chunks: impl IntoIterator<Item = Chunk>,
    ) -> Result<(), ChunkError> {
        let state = &mut self.members[member];
        for chunk in chunks {
            if chunk.min_ms <= state.last_ms || chunk.max_ms < chunk.min_ms {
                let next_ms = if chunk.max_ms < chunk.min_ms { chunk.max_ms } else { chunk.min_ms };
                let last_ms = state.last_ms.max(chunk.min_ms);
                return Err(ChunkError::OutOfOrder { member, last_ms, next_ms });
            }
            state.last_ms = chunk.max_ms;
            state.queue.push_back(chunk);
        }
        Ok(())
    }

    /// The member has no more chunks of this series.
    pub fn exhaust(&mut self, member: usize) {
        self.members[member].exhausted = true;
    }

    /// The member has failed: what it gave and is not merged yet is dropped.
    pub fn abandon(&mut self, member: usize) {
        self.members[member].queue.clear();
        self.policy.abandon(member);
        self.exhaust(member);
    }

    /// What became of the chunks so far.
    pub fn counts(&self) -> ChunkCounts {
        self.counts
    }

    /// Goes on until something is needed or comes out.
    ///
    /// # Errors
    /// [`ChunkError`] when a member's chunk cannot be read.
    pub fn poll(&mut self) -> Result<Step, ChunkError> {
        if let [only] = self.members.as_mut_slice() {
            return Ok(match only.queue.pop_front() {
                Some(chunk) => {
                    self.counts.passed += 1;
                    Step::Emit(chunk)
                }
                None if only.exhausted => Step::Done,
                None => Step::Need(0),
            });
        }
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Step::Emit(chunk));
            }
            let members = &self.members;
            let resolved = self.policy.poll(|source| &members[source].column).map_err(|error| {
                let OutOfOrder { source: member, previous: last_ms, next: next_ms } = error;
                ChunkError::OutOfOrder { member, last_ms, next_ms }
            })?;
            match resolved {
                Resolved::Need { source, keep_from } => {
                    let member = &mut self.members[source];
                    if let Some(chunk) = member.queue.pop_front() {
                        member.column.drop_before(keep_from);
                        self.counts.decoded += 1;
                        member.open(source, &chunk)?;
                        self.policy.supply(source);
                    } else if member.exhausted {
                        self.policy.exhaust(source);
                    } else {
                        return Ok(Step::Need(source));
                    }
                }
                Resolved::Run(Run { source, range, continues, .. }) => {
                    self.members[source].column.push_to(&mut self.cutter, range, continues, &mut self.ready);
                }
                Resolved::Done if self.cutter.is_empty() => return Ok(Step::Done),
                Resolved::Done => self.cutter.cut(&mut self.ready),
            }
        }
    }
}

/// What one source has of the series.
#[derive(Debug)]
struct Member {
    queue: VecDeque<Chunk>,
    column: Column,
    /// End of the last chunk that was supplied.
    last_ms: i64,
    exhausted: bool,
}

impl Default for Member {
    fn default() -> Self {
        Self { queue: VecDeque::new(), column: Column::default(), last_ms: i64::MIN, exhausted: false }
    }
}

impl Member {
    /// Decodes the next chunk. What passes around it relies on its samples being in order and where it says they are.
    fn open(&mut self, member: usize, chunk: &Chunk) -> Result<(), ChunkError> {
        let known = self.column.at_ms().len();
        let (min_ms, max_ms) = (chunk.min_ms, chunk.max_ms);
        let decoded = self.column.append(chunk);
        decoded.map_err(|source| ChunkError::Decode { member, min_ms, max_ms, source })?;
        let added = &self.column.at_ms()[known..];
        let disorder = (added.windows(2).find(|pair| pair[1] <= pair[0]).map(|pair| (pair[0], pair[1])))
            .or_else(|| {
                added.first().filter(|&&first_ms| first_ms < min_ms).map(|&first_ms| (min_ms, first_ms))
            })
            .or_else(|| added.last().filter(|&&last_ms| last_ms > max_ms).map(|&last_ms| (last_ms, max_ms)));
        match disorder {
            None => Ok(()),
            Some((last_ms, next_ms)) => Err(ChunkError::OutOfOrder { member, last_ms, next_ms }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::Samples;
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

    /// Merges members that hand over their chunks one at a time.
    fn merge(members: &[Vec<Chunk>]) -> (Vec<Chunk>, ChunkCounts) {
        let mut merge = ChunkMerge::new(members.len(), false);
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
        assert_eq!(counts, ChunkCounts { passed: 4, decoded: 0 });
    }

    #[test]
    fn identical_members_come_once() {
        let member = chunks(scraped(0, 400, 0));
        assert_eq!(merge(&[member.clone(), member.clone(), member.clone()]).0, member);
    }

    #[test]
    fn members_that_do_not_overlap_come_in_turn() {
        let (early, late) = (chunks(scraped(0, 240, 0)), chunks(scraped(240, 480, 0)));
        let merged = merge(&[late, early]).0;
        assert_eq!(samples(&merged), scraped(0, 480, 0));
    }

    #[test]
    fn of_jittered_members_one_is_followed_whatever_their_order() {
        let (a, b) = (chunks(scraped(0, 300, 0)), chunks(scraped(0, 300, 200)));
        for members in [[a.clone(), b.clone()], [b, a]] {
            assert_eq!(samples(&merge(&members).0), scraped(0, 300, 0));
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
        let mut merge = ChunkMerge::new(2, false);
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
        let error = ChunkMerge::new(1, false).supply(0, broken).unwrap_err();
        assert!(matches!(error, ChunkError::OutOfOrder { member: 0, .. }), "{error}");
    }

    /// A chunk whose samples are not where it says would break the order of what passes around it.
    #[test]
    fn a_chunk_must_hold_what_it_claims() {
        let mut lying = chunks(scraped(0, 100, 0));
        lying[0].max_ms -= 15_000;
        let mut merge = ChunkMerge::new(2, false);
        merge.supply(0, lying).unwrap();
        merge.supply(1, chunks(scraped(50, 150, 100))).unwrap();
        assert_eq!(merge.poll().unwrap_err().member(), 0);
    }
}
