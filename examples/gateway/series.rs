//! A series on its way through the gateway: parts of it, as upstreams send them.

use bytes::Bytes;
use promha_merge::labels::Labels;
use promha_remote_proto::frame::{ChunkEncoding, ChunkView, ChunkedSeriesView};
use promha_remote_proto::xor::XorEncoder;

/// A chunk whose bytes are shared with the frame it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Time of the first sample.
    pub min_ms: i64,
    /// Time of the last sample.
    pub max_ms: i64,
    /// How `data` is encoded.
    pub encoding: ChunkEncoding,
    /// The encoded samples.
    pub data: Bytes,
}

impl Chunk {
    /// The chunk as a frame takes it.
    pub fn view(&self) -> ChunkView<'_> {
        ChunkView { min_ms: self.min_ms, max_ms: self.max_ms, encoding: self.encoding, data: &self.data }
    }
}

/// A label set with some of its chunks, in time order: what one frame brings. A long series comes in several parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The labels, as they leave the gateway.
    pub labels: Labels,
    /// Chunks in time order.
    pub chunks: Vec<Chunk>,
}

impl Part {
    /// Copies a frame's chunks into one buffer of their own, so that the frame reader can go on.
    pub fn copy(labels: Labels, series: &ChunkedSeriesView<'_>) -> Self {
        let size_bytes = series.chunks().map(|chunk| chunk.data.len()).sum();
        let mut data = Vec::with_capacity(size_bytes);
        for chunk in series.chunks() {
            data.extend_from_slice(chunk.data);
        }
        let mut rest = Bytes::from(data);
        let chunks = series
            .chunks()
            .map(|chunk| Chunk {
                min_ms: chunk.min_ms,
                max_ms: chunk.max_ms,
                encoding: chunk.encoding,
                data: rest.split_to(chunk.data.len()),
            })
            .collect();
        Self { labels, chunks }
    }
}

/// Samples in a chunk that is encoded here, as in Prometheus' head.
pub const SAMPLES_PER_CHUNK: usize = 120;

/// Cuts samples into XOR chunks.
#[derive(Debug, Default)]
pub struct ChunkCutter {
    xor: XorEncoder,
    min_ms: i64,
    max_ms: i64,
}

impl ChunkCutter {
    /// Whether no sample waits for its chunk to end.
    pub fn is_empty(&self) -> bool {
        self.xor.is_empty()
    }

    /// Adds a sample; the chunk it fills goes to `chunks`.
    pub fn push(&mut self, t_ms: i64, value: f64, chunks: &mut impl Extend<Chunk>) {
        if self.is_empty() {
            self.min_ms = t_ms;
        }
        self.xor.push(t_ms, value);
        self.max_ms = t_ms;
        if self.xor.len() == SAMPLES_PER_CHUNK {
            self.cut(chunks);
        }
    }

    /// Ends the chunk under way, if there is one.
    pub fn cut(&mut self, chunks: &mut impl Extend<Chunk>) {
        if self.is_empty() {
            return;
        }
        let mut data = Vec::new();
        self.xor.finish(&mut data);
        let data = Bytes::from(data);
        chunks.extend([Chunk {
            min_ms: self.min_ms,
            max_ms: self.max_ms,
            encoding: ChunkEncoding::Xor,
            data,
        }]);
    }
}
