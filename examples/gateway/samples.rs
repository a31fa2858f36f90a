//! Samples out of chunks, and chunks out of samples, of every kind: floats, histograms, float histograms.

use std::ops::Range;

use bytes::Bytes;
use promha_remote_proto::frame::{ChunkEncoding, ChunkView};
use promha_remote_proto::histogram::{self, HistogramEncoder, HistogramView, Histograms, Number, ResetHint};
use promha_remote_proto::xor;
use promha_remote_proto::{DecodeError, EncodeError};

use super::series::Chunk;

/// Samples in a chunk that is encoded here, as in Prometheus' head.
pub const SAMPLES_PER_CHUNK: usize = 120;

/// Why a chunk has no samples for us.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SamplesError {
    /// Its bytes are not what its encoding says.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// Its encoding is not one of those that are known here; such chunks can only pass as bytes.
    #[error("chunk encoding {0} is unknown here")]
    Encoding(i32),
}

/// The samples of one chunk, as columns. Memory is kept from one chunk to the next.
#[derive(Debug, Default)]
pub struct Samples {
    /// Which of the columns are in use.
    kind: Kind,
    timestamps_ms: Vec<i64>,
    values: Vec<f64>,
    histograms: Histograms<u64>,
    float_histograms: Histograms<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Floats,
    Histograms,
    FloatHistograms,
}

impl Samples {
    /// Replaces what is here by the samples of `chunk`; by nothing, if it cannot be read.
    ///
    /// # Errors
    /// [`SamplesError`].
    pub fn decode(&mut self, chunk: ChunkView<'_>) -> Result<(), SamplesError> {
        self.clear();
        match chunk.encoding {
            ChunkEncoding::Xor => xor::decode(chunk.data, &mut self.timestamps_ms, &mut self.values)?,
            ChunkEncoding::Histogram => {
                self.kind = Kind::Histograms;
                self.histograms.decode(chunk.data, histogram::DEFAULT_MAX_BUCKETS)?;
            }
            ChunkEncoding::FloatHistogram => {
                self.kind = Kind::FloatHistograms;
                self.float_histograms.decode(chunk.data, histogram::DEFAULT_MAX_BUCKETS)?;
            }
            ChunkEncoding::Other(number) => return Err(SamplesError::Encoding(number)),
        }
        Ok(())
    }

    /// Whether a stale marker is in `chunk`. What is here afterwards means nothing.
    ///
    /// # Errors
    /// [`SamplesError`].
    pub fn has_stale_marker(&mut self, chunk: ChunkView<'_>) -> Result<bool, SamplesError> {
        if chunk.encoding == ChunkEncoding::Xor {
            return Ok(xor::has_stale_marker(chunk.data)?);
        }
        self.decode(chunk)?;
        Ok(self.levels().any(xor::is_stale_nan))
    }

    /// Forgets all samples.
    pub fn clear(&mut self) {
        self.kind = Kind::Floats;
        self.timestamps_ms.clear();
        self.values.clear();
        self.histograms.clear();
        self.float_histograms.clear();
    }

    /// When the samples were taken.
    pub fn timestamps_ms(&self) -> &[i64] {
        match self.kind {
            Kind::Floats => &self.timestamps_ms,
            Kind::Histograms => self.histograms.timestamps_ms(),
            Kind::FloatHistograms => self.float_histograms.timestamps_ms(),
        }
    }

    /// Whether the samples are histograms: all or none.
    pub fn are_histograms(&self) -> bool {
        self.kind != Kind::Floats
    }

    /// Sample number `index`, if it is a histogram.
    pub fn histogram(&self, index: usize) -> Option<HistogramView<'_>> {
        match self.kind {
            Kind::Floats => None,
            Kind::Histograms => Some(self.histograms.view(index)),
            Kind::FloatHistograms => Some(self.float_histograms.view(index)),
        }
    }

    /// What a counter may not go back in: a float's value, a histogram's count. A stale marker is one for both.
    pub fn levels(&self) -> impl Iterator<Item = f64> {
        let counts = self.histograms.counts().iter().map(|&count| count as f64);
        let counts = counts.zip(self.histograms.sums());
        let float_counts = self.float_histograms.counts().iter().copied().zip(self.float_histograms.sums());
        let levels =
            counts.chain(float_counts).map(|(count, &sum)| if xor::is_stale_nan(sum) { sum } else { count });
        self.values.iter().copied().chain(levels)
    }

    /// The samples that are floats: all or none.
    pub fn floats(&self) -> impl Iterator<Item = (i64, f64)> {
        self.timestamps_ms.iter().copied().zip(self.values.iter().copied())
    }

    /// The samples that are histograms: all or none.
    pub fn histograms(&self) -> impl Iterator<Item = HistogramView<'_>> {
        self.histograms.views().chain(self.float_histograms.views())
    }
}

/// A chunk as it is after a seam: what a histogram chunk's header says about the counter before it is void. That a
/// histogram is a gauge stays.
pub fn without_reset_hint(encoding: ChunkEncoding, data: Bytes) -> Bytes {
    /// The flags stand behind the number of samples; the upper two bits are the hint, both set for a gauge.
    const FLAGS_AT: usize = 2;
    const HINT: u8 = 0b1100_0000;
    let is_histogram = matches!(encoding, ChunkEncoding::Histogram | ChunkEncoding::FloatHistogram);
    match data.get(FLAGS_AT) {
        Some(flags) if is_histogram && !matches!(flags & HINT, 0 | HINT) => {
            let mut data = data.to_vec();
            data[FLAGS_AT] &= !HINT;
            Bytes::from(data)
        }
        _ => data,
    }
}

/// Cuts samples into chunks.
#[derive(Debug, Default)]
pub struct ChunkCutter {
    /// First and last time of the chunk under way, if there is one.
    span_ms: Option<(i64, i64)>,
    /// What the chunk under way holds.
    kind: Kind,
    floats: (Vec<i64>, Vec<f64>),
    histograms: Histograms<u64>,
    float_histograms: Histograms<f64>,
    encoder: HistogramEncoder,
    /// Where a chunk is encoded, as its length is not known before.
    encoded: Vec<u8>,
}

impl ChunkCutter {
    /// Whether no sample waits for its chunk to end.
    pub fn is_empty(&self) -> bool {
        self.span_ms.is_none()
    }

    /// Adds a float; the chunks that it ends or fills go to `chunks`.
    pub fn push_float(&mut self, t_ms: i64, value: f64, chunks: &mut impl Extend<Chunk>) {
        self.turn_to(Kind::Floats, chunks);
        self.floats.0.push(t_ms);
        self.floats.1.push(value);
        self.grow(t_ms, t_ms, chunks);
    }

    /// Adds a histogram; the chunks that it ends or fills go to `chunks`.
    ///
    /// # Errors
    /// [`EncodeError`] if its buckets do not fit its spans; it is left out then.
    pub fn push_histogram(
        &mut self,
        view: &HistogramView<'_>,
        chunks: &mut impl Extend<Chunk>,
    ) -> Result<(), EncodeError> {
        self.turn_to(if view.is_float() { Kind::FloatHistograms } else { Kind::Histograms }, chunks);
        if !self.try_histogram(view)? {
            self.cut(chunks);
            // The first one of a chunk always has a place.
            self.try_histogram(view)?;
        }
        self.grow(view.t_ms, view.t_ms, chunks);
        Ok(())
    }

    /// Adds a range of samples; the chunks that they end or fill go to `chunks`. Unless it `continues` what was added
    /// before, histograms begin a chunk that claims nothing about a counter reset.
    pub fn push(
        &mut self,
        samples: &Samples,
        mut range: Range<usize>,
        continues: bool,
        chunks: &mut impl Extend<Chunk>,
    ) {
        self.turn_to(samples.kind, chunks);
        let mut forget_hint = !continues && samples.are_histograms();
        if forget_hint {
            self.cut(chunks);
        }
        while !range.is_empty() {
            let room = range.start..range.end.min(range.start + SAMPLES_PER_CHUNK - self.len());
            let taken = match samples.kind {
                Kind::Floats => {
                    self.floats.0.extend_from_slice(&samples.timestamps_ms[room.clone()]);
                    self.floats.1.extend_from_slice(&samples.values[room.clone()]);
                    room.len()
                }
                Kind::Histograms => self.histograms.push_from(&samples.histograms, room),
                Kind::FloatHistograms => self.float_histograms.push_from(&samples.float_histograms, room),
            };
            if std::mem::take(&mut forget_hint) {
                self.histograms.set_reset_hint(ResetHint::Unknown);
                self.float_histograms.set_reset_hint(ResetHint::Unknown);
            }
            if let times_ms @ [first_ms, ..] = &samples.timestamps_ms()[range.start..range.start + taken] {
                self.grow(*first_ms, times_ms[taken - 1], chunks);
            }
            range.start += taken;
            if taken == 0 {
                // The next histogram has to begin a chunk.
                self.cut(chunks);
            }
        }
    }

    /// Ends the chunk under way, if there is one.
    pub fn cut(&mut self, chunks: &mut impl Extend<Chunk>) {
        let Some((min_ms, max_ms)) = self.span_ms.take() else { return };
        self.encoded.clear();
        let encoding = match self.kind {
            Kind::Floats => {
                let (timestamps_ms, values) = &mut self.floats;
                // As with histograms, only more samples than we ever put into a chunk would be an error.
                let encoded = xor::encode(timestamps_ms, values, &mut self.encoded);
                debug_assert!(encoded.is_ok(), "{encoded:?}");
                timestamps_ms.clear();
                values.clear();
                ChunkEncoding::Xor
            }
            Kind::Histograms => {
                encode(&mut self.encoder, &mut self.histograms, &mut self.encoded);
                ChunkEncoding::Histogram
            }
            Kind::FloatHistograms => {
                encode(&mut self.encoder, &mut self.float_histograms, &mut self.encoded);
                ChunkEncoding::FloatHistogram
            }
        };
        let data = Bytes::copy_from_slice(&self.encoded);
        chunks.extend([Chunk { min_ms, max_ms, encoding, data }]);
    }

    fn try_histogram(&mut self, view: &HistogramView<'_>) -> Result<bool, EncodeError> {
        match self.kind {
            Kind::FloatHistograms => self.float_histograms.push(view),
            _ => self.histograms.push(view),
        }
    }

    /// A chunk holds one kind of samples.
    fn turn_to(&mut self, kind: Kind, chunks: &mut impl Extend<Chunk>) {
        if self.kind != kind {
            self.cut(chunks);
            self.kind = kind;
        }
    }

    fn grow(&mut self, first_ms: i64, last_ms: i64, chunks: &mut impl Extend<Chunk>) {
        let min_ms = self.span_ms.map_or(first_ms, |(min_ms, _)| min_ms);
        self.span_ms = Some((min_ms, last_ms));
        if self.len() >= SAMPLES_PER_CHUNK {
            self.cut(chunks);
        }
    }

    fn len(&self) -> usize {
        match self.kind {
            Kind::Floats => self.floats.0.len(),
            Kind::Histograms => self.histograms.len(),
            Kind::FloatHistograms => self.float_histograms.len(),
        }
    }
}

fn encode<N: Number>(encoder: &mut HistogramEncoder, histograms: &mut Histograms<N>, data: &mut Vec<u8>) {
    let all = 0..histograms.len();
    // Only more samples than we ever put into a chunk would be an error.
    let encoded = encoder.encode(histograms, all, data);
    debug_assert!(encoded.is_ok(), "{encoded:?}");
    histograms.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use promha_remote_proto::histogram::{Count, Span};

    fn histogram(t_ms: i64, observations: u64, float: bool) -> HistogramView<'static> {
        let count = if float { Count::Float(observations as f64) } else { Count::Int(observations) };
        HistogramView {
            t_ms,
            count: Some(count),
            sum: observations as f64 / 2.0,
            schema: 1,
            ..HistogramView::default()
        }
    }

    fn cut(push: impl FnOnce(&mut ChunkCutter, &mut Vec<Chunk>)) -> Vec<Chunk> {
        let (mut cutter, mut chunks) = (ChunkCutter::default(), Vec::new());
        push(&mut cutter, &mut chunks);
        cutter.cut(&mut chunks);
        assert!(cutter.is_empty());
        chunks
    }

    /// Encoding, first and last time, and number of samples.
    fn described(chunks: &[Chunk]) -> Vec<(ChunkEncoding, i64, i64, usize)> {
        let mut samples = Samples::default();
        let described = chunks.iter().map(|chunk| {
            samples.decode(chunk.view()).unwrap();
            (chunk.encoding, chunk.min_ms, chunk.max_ms, samples.timestamps_ms().len())
        });
        described.collect()
    }

    #[test]
    fn a_chunk_holds_one_kind_and_at_most_so_many() {
        let chunks = cut(|cutter, chunks| {
            (0..130).for_each(|n| cutter.push_float(n, 1.0, chunks));
            (130..135).for_each(|n| cutter.push_histogram(&histogram(n, n as u64, false), chunks).unwrap());
            (135..260).for_each(|n| cutter.push_histogram(&histogram(n, n as u64, true), chunks).unwrap());
            cutter.push_float(260, 1.0, chunks);
        });
        assert_eq!(
            described(&chunks),
            [
                (ChunkEncoding::Xor, 0, 119, 120),
                (ChunkEncoding::Xor, 120, 129, 10),
                (ChunkEncoding::Histogram, 130, 134, 5),
                (ChunkEncoding::FloatHistogram, 135, 254, 120),
                (ChunkEncoding::FloatHistogram, 255, 259, 5),
                (ChunkEncoding::Xor, 260, 260, 1),
            ]
        );
    }

    #[test]
    fn a_counter_that_goes_down_begins_a_chunk() {
        let chunks = cut(|cutter, chunks| {
            for (t_ms, observations) in [(0, 5), (1, 9), (2, 3), (3, 4)] {
                cutter.push_histogram(&histogram(t_ms, observations, false), chunks).unwrap();
            }
        });
        let counts: Vec<_> =
            described(&chunks).into_iter().map(|(_, min_ms, _, count)| (min_ms, count)).collect();
        assert_eq!(counts, [(0, 2), (2, 2)]);
        let mut samples = Samples::default();
        samples.decode(chunks[1].view()).unwrap();
        let hints: Vec<_> = samples.histograms().map(|view| view.reset_hint).collect();
        assert_eq!(
            hints,
            [ResetHint::Unknown, ResetHint::No],
            "whoever needs to know compares the first one"
        );
    }

    #[test]
    fn ranges_of_decoded_samples_are_cut_again() {
        let whole = cut(|cutter, chunks| {
            (0..100).for_each(|n| cutter.push_histogram(&histogram(n, n as u64, false), chunks).unwrap());
        });
        let mut samples = Samples::default();
        samples.decode(whole[0].view()).unwrap();
        let again = cut(|cutter, chunks| {
            cutter.push(&samples, 0..0, true, chunks);
            cutter.push(&samples, 0..60, true, chunks);
            cutter.push(&samples, 60..100, true, chunks);
        });
        assert_eq!(again, whole);

        let floats = cut(|cutter, chunks| (0..100).for_each(|n| cutter.push_float(n, n as f64, chunks)));
        samples.decode(floats[0].view()).unwrap();
        assert_eq!(samples.histograms().count(), 0, "nothing is left of what was there before");
        let twice = cut(|cutter, chunks| {
            cutter.push(&samples, 0..100, true, chunks);
            cutter.push(&samples, 0..100, true, chunks);
        });
        assert_eq!(described(&twice).iter().map(|(.., count)| *count).collect::<Vec<_>>(), [120, 80]);
    }

    #[test]
    fn broken_histograms_and_unknown_chunks_are_refused() {
        let span = [Span { offset: 0, length: 2 }];
        let broken = HistogramView { positive_spans: &span, positive_deltas: &[1], ..histogram(0, 1, false) };
        let chunks = cut(|cutter, chunks| {
            cutter.push_histogram(&broken, chunks).unwrap_err();
        });
        assert!(chunks.is_empty());

        let mut samples = Samples::default();
        let view = ChunkView { min_ms: 0, max_ms: 0, encoding: ChunkEncoding::Other(4), data: &[0, 1] };
        assert_eq!(samples.decode(view).unwrap_err().to_string(), "chunk encoding 4 is unknown here");
        let view = ChunkView { encoding: ChunkEncoding::Histogram, ..view };
        assert!(matches!(samples.decode(view), Err(SamplesError::Decode(_))));
        assert!(samples.timestamps_ms().is_empty());
    }
}
