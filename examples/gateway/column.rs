//! The decoded samples of one source, as a policy looks at them.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Range;

use promha_remote_proto::frame::ChunkView;
use promha_remote_proto::histogram::{Count, HistogramView, Span};

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

    /// A sample, if it is a histogram.
    fn histogram(&self, index: usize) -> Option<HistogramView<'_>> {
        let (samples, index) = self.locate(index)?;
        samples.histogram(index)
    }
}

/// Orders histograms by their content, in an order that means nothing. Neither when they were nor what came before them
/// counts.
fn compare_content(a: &HistogramView<'_>, b: &HistogramView<'_>) -> Ordering {
    let count = |count: Option<Count>| {
        count.map(|count| match count {
            Count::Int(count) => (false, count),
            Count::Float(count) => (true, count.to_bits()),
        })
    };
    let numbers = |view: &HistogramView<'_>| {
        let (sum, zero_threshold) = (view.sum.to_bits(), view.zero_threshold.to_bits());
        (count(view.count), count(view.zero_count), sum, view.schema, zero_threshold, view.start_ms)
    };
    let spans = |a: &[Span], b: &[Span]| {
        let parts = |span: &Span| (span.offset, span.length);
        a.iter().map(parts).cmp(b.iter().map(parts))
    };
    let floats = |a: &[f64], b: &[f64]| a.iter().map(|a| a.to_bits()).cmp(b.iter().map(|b| b.to_bits()));
    numbers(a)
        .cmp(&numbers(b))
        .then_with(|| spans(a.positive_spans, b.positive_spans))
        .then_with(|| spans(a.negative_spans, b.negative_spans))
        .then_with(|| a.positive_deltas.cmp(b.positive_deltas))
        .then_with(|| a.negative_deltas.cmp(b.negative_deltas))
        .then_with(|| floats(a.positive_counts, b.positive_counts))
        .then_with(|| floats(a.negative_counts, b.negative_counts))
        .then_with(|| floats(a.custom_values, b.custom_values))
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
        bits.then_with(|| match (self.histogram(index), other.histogram(other_index)) {
            (Some(a), Some(b)) => compare_content(&a, &b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        })
    }
}

#[cfg(test)]
mod tests {
    use promha_merge::Samples as _;

    use super::*;

    #[test]
    fn histograms_compare_by_content_alone() {
        let spans = [Span { offset: 0, length: 2 }];
        let view = |t_ms, positive_deltas| HistogramView {
            t_ms,
            count: Some(Count::Int(3)),
            positive_spans: &spans,
            positive_deltas,
            ..HistogramView::default()
        };
        let column = |view: HistogramView<'_>| {
            let (mut cutter, mut chunks, mut column) =
                (ChunkCutter::default(), Vec::new(), Column::default());
            cutter.push_histogram(&view, &mut chunks).unwrap();
            cutter.cut(&mut chunks);
            column.append(chunks[0].view()).unwrap();
            column
        };
        let (a, later, other) =
            (column(view(0, &[1, 1])), column(view(9, &[1, 1])), column(view(0, &[2, -1])));
        assert_eq!((&a).compare(0, &&later, 0), Ordering::Equal);
        let order = (&a).compare(0, &&other, 0);
        assert_ne!(order, Ordering::Equal);
        assert_eq!((&other).compare(0, &&a, 0), order.reverse());

        let mut float = Column::default();
        let mut chunks = Vec::new();
        let mut cutter = ChunkCutter::default();
        // The level of a histogram is its count.
        cutter.push_float(0, 3.0, &mut chunks);
        cutter.cut(&mut chunks);
        float.append(chunks[0].view()).unwrap();
        assert_eq!((&float).compare(0, &&a, 0), Ordering::Less);
    }
}
