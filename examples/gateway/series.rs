//! A series on its way through the gateway: parts of it, as upstreams send them.

use bytes::Bytes;
use promha_merge::labels::Labels;
use promha_remote_proto::frame::{ChunkEncoding, ChunkView, ChunkedSeriesView};

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
        // Cut once: the view cuts them anew each time it is asked.
        let views: Vec<_> = series.chunks().collect();
        let mut data = Vec::with_capacity(views.iter().map(|chunk| chunk.data.len()).sum());
        views.iter().for_each(|chunk| data.extend_from_slice(chunk.data));
        let mut rest = Bytes::from(data);
        let chunk = |view: ChunkView<'_>| {
            let ChunkView { min_ms, max_ms, encoding, data } = view;
            Chunk { min_ms, max_ms, encoding, data: rest.split_to(data.len()) }
        };
        let chunks = views.into_iter().map(chunk).collect();
        Self { labels, chunks }
    }
}
