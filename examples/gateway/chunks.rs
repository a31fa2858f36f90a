//! The chunks of one series from several sources become one sequence of chunks.
//!
//! Chunks that are alone in their span pass as bytes, byte-identical ones collapse, and only where spans overlap are
//! samples decoded, chained by timestamp and encoded again. Works on whatever chunks are there and says which source
//! it needs more of, so the length of a series does not show in memory.

use std::collections::VecDeque;

use promha_merge::{Chain, ChainStep};

use super::samples::{ChunkCutter, Samples, SamplesError};
use super::series::Chunk;

/// What became of the chunks that came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkCounts {
    /// Handed on as bytes.
    pub passed: u64,
    /// Dropped as byte-identical to another source's.
    pub collapsed: u64,
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
    #[error("{next_ms} comes after {last_ms}: chunks and samples of a series must be in time order")]
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

/// Merges the chunks of one series, as a state machine.
#[derive(Debug)]
pub struct ChunkMerge {
    members: Vec<Member>,
    chain: Chain,
    cutter: ChunkCutter,
    ready: VecDeque<Chunk>,
    counts: ChunkCounts,
}

impl ChunkMerge {
    /// A merge of one series that `members` sources have.
    pub fn new(members: usize) -> Self {
        Self {
            members: (0..members).map(|_| Member::default()).collect(),
            chain: Chain::new(members),
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
                return Err(ChunkError::OutOfOrder {
                    member,
                    last_ms: state.last_ms.max(chunk.min_ms),
                    next_ms,
                });
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
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Step::Emit(chunk));
            }
            let members = &self.members;
            let step =
                self.chain.poll(|source| members[source].samples.timestamps_ms()).map_err(|error| {
                    ChunkError::OutOfOrder {
                        member: error.source,
                        last_ms: error.previous,
                        next_ms: error.next,
                    }
                })?;
            match step {
                ChainStep::Need(member) => {
                    if let Some(missing) = self.advance(member)? {
                        return Ok(Step::Need(missing));
                    }
                }
                ChainStep::Run { source, range } => {
                    let member = &mut self.members[source];
                    member.cursor = range.end;
                    self.cutter.push(&member.samples, range, &mut self.ready);
                }
                ChainStep::Done if self.cutter.is_empty() => return Ok(Step::Done),
                ChainStep::Done => self.cutter.cut(&mut self.ready),
            }
        }
    }

    /// The chain wants samples of `member`: passes on what needs no decoding, then decodes one chunk. Returns the
    /// member whose chunks must be known first.
    fn advance(&mut self, member: usize) -> Result<Option<usize>, ChunkError> {
        // Everything decoded of it is chained, or skipped as a repetition.
        self.members[member].cursor = self.members[member].samples.timestamps_ms().len();
        loop {
            if self.members[member].queue.is_empty() {
                if !self.members[member].exhausted {
                    return Ok(Some(member));
                }
                self.chain.exhaust(member);
                return Ok(None);
            }
            self.collapse(member);
            let mut others_ms = i64::MAX;
            for (index, other) in self.members.iter().enumerate().filter(|(index, _)| *index != member) {
                match other.next_ms() {
                    Some(next_ms) => others_ms = others_ms.min(next_ms),
                    None => return Ok(Some(index)),
                }
            }
            let Some(chunk) = self.members[member].queue.pop_front() else { continue };
            if chunk.max_ms < others_ms {
                self.cutter.cut(&mut self.ready);
                self.ready.push_back(chunk);
                self.counts.passed += 1;
                continue;
            }
            self.members[member].open(member, &chunk)?;
            self.counts.decoded += 1;
            if !self.members[member].is_closed() {
                self.chain.supply(member);
                return Ok(None);
            }
        }
    }

    /// Drops the chunks of other members that are the very bytes of this member's next chunk.
    fn collapse(&mut self, member: usize) {
        let (before, rest) = self.members.split_at_mut(member);
        let Some((this, after)) = rest.split_first_mut() else { return };
        let Some(chunk) = this.queue.front() else { return };
        for other in before.iter_mut().chain(after) {
            if other.is_closed() && other.queue.front() == Some(chunk) {
                other.queue.pop_front();
                self.counts.collapsed += 1;
            }
        }
    }
}

/// What one source has of the series.
#[derive(Debug)]
struct Member {
    queue: VecDeque<Chunk>,
    /// The decoded chunk.
    samples: Samples,
    /// The first decoded sample that has not been chained.
    cursor: usize,
    /// End of the last chunk that was supplied.
    last_ms: i64,
    exhausted: bool,
}

impl Default for Member {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            samples: Samples::default(),
            cursor: 0,
            last_ms: i64::MIN,
            exhausted: false,
        }
    }
}

impl Member {
    fn is_closed(&self) -> bool {
        self.cursor == self.samples.timestamps_ms().len()
    }

    /// The time before which this member has nothing more to say; `None` while that cannot be known.
    fn next_ms(&self) -> Option<i64> {
        match (self.samples.timestamps_ms().get(self.cursor), self.queue.front()) {
            (Some(&open_ms), _) => Some(open_ms),
            (None, Some(chunk)) => Some(chunk.min_ms),
            (None, None) => self.exhausted.then_some(i64::MAX),
        }
    }

    fn open(&mut self, member: usize, chunk: &Chunk) -> Result<(), ChunkError> {
        self.cursor = 0;
        let (min_ms, max_ms) = (chunk.min_ms, chunk.max_ms);
        let decoded = self.samples.decode(chunk.view());
        decoded.map_err(|source| ChunkError::Decode { member, min_ms, max_ms, source })?;
        // What passes around the chunk as bytes relies on its samples being in order and where it says they are.
        let column = self.samples.timestamps_ms();
        let disorder = (column.windows(2).find(|pair| pair[1] <= pair[0]).map(|pair| (pair[0], pair[1])))
            .or_else(|| {
                column.first().filter(|&&first_ms| first_ms < min_ms).map(|&first_ms| (min_ms, first_ms))
            })
            .or_else(|| column.last().filter(|&&last_ms| last_ms > max_ms).map(|&last_ms| (last_ms, max_ms)));
        if let Some((last_ms, next_ms)) = disorder {
            self.samples.clear();
            return Err(ChunkError::OutOfOrder { member, last_ms, next_ms });
        }
        Ok(())
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

    /// Merges members that hand over their chunks one at a time.
    fn merge(members: &[Vec<Chunk>]) -> (Vec<Chunk>, ChunkCounts) {
        let mut merge = ChunkMerge::new(members.len());
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
        assert_eq!(counts, ChunkCounts { passed: 4, ..ChunkCounts::default() });
    }

    #[test]
    fn identical_members_collapse_without_decoding() {
        let member = chunks(scraped(0, 400, 0));
        let (merged, counts) = merge(&[member.clone(), member.clone(), member.clone()]);
        assert_eq!(merged, member);
        assert_eq!(counts, ChunkCounts { passed: 4, collapsed: 8, decoded: 0 });
    }

    #[test]
    fn members_that_do_not_overlap_pass_in_turn() {
        let (early, late) = (chunks(scraped(0, 240, 0)), chunks(scraped(240, 480, 0)));
        let (merged, counts) = merge(&[late.clone(), early.clone()]);
        assert_eq!(merged, [early, late].concat());
        assert_eq!((counts.passed + counts.decoded, counts.collapsed), (4, 0));
    }

    #[test]
    fn jittered_members_are_a_union() {
        let (a, b) = (scraped(0, 300, 0), scraped(0, 300, 200));
        let (merged, counts) = merge(&[chunks(a.clone()), chunks(b.clone())]);
        let mut union = [a, b].concat();
        union.sort_by_key(|(t_ms, _)| *t_ms);
        assert_eq!(samples(&merged), union);
        assert_eq!(counts.passed, 0);
    }

    #[test]
    fn a_hole_is_filled_and_what_surrounds_it_passes() {
        let whole = chunks(scraped(0, 1_200, 0));
        let holed = [chunks(scraped(0, 200, 0)), chunks(scraped(800, 1_200, 0))].concat();
        for members in [[whole.clone(), holed.clone()], [holed, whole]] {
            let (merged, counts) = merge(&members);
            assert_eq!(samples(&merged), scraped(0, 1_200, 0));
            // The first chunks are the same bytes; chunks inside the hole are alone in their span.
            assert!(counts.collapsed == 1 && counts.passed >= 4, "{counts:?}");
        }
    }

    #[test]
    fn equal_timestamps_come_once_from_the_first_member() {
        let (a, b) = (scraped(0, 200, 0), scraped(0, 200, 0));
        let b: Vec<_> = b.into_iter().map(|(t_ms, value)| (t_ms, value + 0.5)).collect();
        assert_eq!(samples(&merge(&[chunks(a.clone()), chunks(b.clone())]).0), a);
        assert_eq!(samples(&merge(&[chunks(b.clone()), chunks(a)]).0), b);
    }

    #[test]
    fn broken_chunks_name_their_member_and_the_others_go_on() {
        let good = chunks(scraped(0, 240, 0));
        let mut broken = chunks(scraped(0, 240, 100));
        broken[0].data = broken[0].data.slice(..10);
        let mut merge = ChunkMerge::new(2);
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
        let error = ChunkMerge::new(1).supply(0, broken).unwrap_err();
        assert!(matches!(error, ChunkError::OutOfOrder { member: 0, .. }), "{error}");
    }

    /// A chunk whose samples are not where it says would break the order of what passes around it.
    #[test]
    fn a_chunk_must_hold_what_it_claims() {
        let mut lying = chunks(scraped(0, 100, 0));
        lying[0].max_ms -= 15_000;
        let mut merge = ChunkMerge::new(2);
        merge.supply(0, lying).unwrap();
        merge.supply(1, chunks(scraped(50, 150, 100))).unwrap();
        assert_eq!(merge.poll().unwrap_err().member(), 0);
    }
}
