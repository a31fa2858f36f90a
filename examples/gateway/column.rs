//! The decoded samples of one source, as a policy looks at them.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Range;

use promha_remote_proto::frame::ChunkView;
use prost::Message;

use super::samples::{ChunkCutter, Samples, SamplesError};
use super::series::Chunk;

/// Samples of one source in the order of time, whatever their kinds: chunks are added behind and dropped in front.
#[derive(Debug, Default)]
pub struct Column {
    at_ms: Vec<i64>,
    /// What a counter may not go back in: a float's value, a histogram's count; for both the stale marker.
    levels: Vec<f64>,
    chunks: VecDeque<Decoded>,
    /// Memory for further chunks.
    spare: Vec<Samples>,
}

/// A chunk whose samples stand in the column.
#[derive(Debug)]
struct Decoded {
    samples: Samples,
    /// Samples that have been dropped already.
    dropped: usize,
}

impl Decoded {
    fn len(&self) -> usize {
        self.samples.timestamps_ms().len() - self.dropped
    }
}

impl Column {
    /// Adds the samples of a chunk.
    ///
    /// # Errors
    /// [`SamplesError`]; nothing is added then.
    pub fn append(&mut self, chunk: ChunkView<'_>) -> Result<(), SamplesError> {
        let mut samples = self.spare.pop().unwrap_or_default();
        if let Err(error) = samples.decode(chunk) {
            self.spare.push(samples);
            return Err(error);
        }
        self.at_ms.extend_from_slice(samples.timestamps_ms());
        self.levels.extend(samples.levels());
        self.chunks.push_back(Decoded { samples, dropped: 0 });
        Ok(())
    }

    /// Drops all samples, and keeps the memory.
    pub fn clear(&mut self) {
        self.drop_before(self.at_ms.len());
    }

    /// Drops the samples before `index`, which becomes 0.
    pub fn drop_before(&mut self, mut index: usize) {
        self.at_ms.drain(..index);
        self.levels.drain(..index);
        while let Some(first) = self.chunks.front_mut() {
            if index < first.len() {
                first.dropped += index;
                return;
            }
            index -= first.len();
            self.spare.extend(self.chunks.pop_front().map(|decoded| decoded.samples));
        }
    }

    /// When the samples were taken.
    pub fn at_ms(&self) -> &[i64] {
        &self.at_ms
    }

    /// Adds a range of samples to what is cut into chunks. Unless it `continues` what was added before, nothing is
    /// claimed about counter resets at its start.
    pub fn push_to(
        &self,
        cutter: &mut ChunkCutter,
        mut range: Range<usize>,
        mut continues: bool,
        out: &mut impl Extend<Chunk>,
    ) {
        let mut start = 0;
        for decoded in &self.chunks {
            let end = start + decoded.len();
            let part = range.start..range.end.min(end);
            if !part.is_empty() {
                let offset = |index: usize| index - start + decoded.dropped;
                cutter.push(&decoded.samples, offset(part.start)..offset(part.end), continues, out);
                (range.start, continues) = (part.end, true);
            }
            start = end;
        }
    }

    /// The chunk in which a sample stands, and where.
    fn locate(&self, mut index: usize) -> Option<(&Samples, usize)> {
        for decoded in &self.chunks {
            if index < decoded.len() {
                return Some((&decoded.samples, index + decoded.dropped));
            }
            index -= decoded.len();
        }
        None
    }

    /// The content of a histogram, in an order that means nothing.
    fn content(&self, index: usize) -> Option<Vec<u8>> {
        let (samples, index) = self.locate(index)?;
        let mut message = samples.histogram(index)?.to_message();
        // Neither when it was nor what came before it.
        (message.timestamp, message.reset_hint) = (0, 0);
        Some(message.encode_to_vec())
    }
}

impl promha_merge::Samples for &Column {
    fn at_ms(&self) -> &[i64] {
        &self.at_ms
    }

    fn level(&self, index: usize) -> f64 {
        self.levels[index]
    }

    fn is_histogram(&self, index: usize) -> bool {
        self.locate(index).is_some_and(|(samples, _)| samples.are_histograms())
    }

    fn compare(&self, index: usize, other: &Self, other_index: usize) -> Ordering {
        let bits = self.levels[index].to_bits().cmp(&other.levels[other_index].to_bits());
        bits.then_with(|| self.content(index).cmp(&other.content(other_index)))
    }
}
