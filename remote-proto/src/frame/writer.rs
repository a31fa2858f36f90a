//! From series to a stream of bytes.

use crate::frame::{CHECKSUM_BYTES, ChunkView, fields};
use crate::recycle::recycle;
use crate::wire;

/// The size at which a writer ends a frame unless told otherwise, as in Prometheus: 1 MiB.
pub const DEFAULT_MAX_WRITTEN_FRAME_BYTES: usize = 1 << 20;

/// Writes series as frames of a streamed answer, byte for byte as Prometheus does.
///
/// It keeps no more than the labels of one series and where the chunks of one frame are, and once that has
/// grown to what the series need it allocates nothing.
#[derive(Debug)]
pub struct FrameWriter {
    max_frame_bytes: usize,
    /// The labels of the series as they stand in each of its frames.
    labels: Vec<u8>,
    /// Memory for the chunks of one frame.
    chunks: Vec<ChunkView<'static>>,
}

impl Default for FrameWriter {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_WRITTEN_FRAME_BYTES)
    }
}

impl FrameWriter {
    /// A writer that begins another frame when the labels and chunks of one reach `max_frame_bytes`.
    ///
    /// The limit is soft: the chunk that reaches it still belongs to the frame, so each frame has at least
    /// one chunk and is larger than the limit by at most one.
    pub fn new(max_frame_bytes: usize) -> Self {
        Self { max_frame_bytes, labels: Vec::new(), chunks: Vec::new() }
    }

    /// Appends the frames of one series to `into`; a series without chunks has none.
    ///
    /// `query_index` is the number of the query in the request, counted from 0. `labels` should be sorted by
    /// name, and the series of a query by their labels; `chunks` by their start. None of that is checked.
    /// Takes time linear in the bytes written.
    pub fn write<'a>(
        &mut self,
        query_index: i64,
        labels: &[(&str, &str)],
        chunks: impl IntoIterator<Item = ChunkView<'a>>,
        into: &mut Vec<u8>,
    ) {
        self.labels.clear();
        let mut label_bytes = 0;
        for &(name, value) in labels {
            label_bytes += put_label(name, value, &mut self.labels);
        }
        let chunk_limit_bytes = self.max_frame_bytes.saturating_sub(label_bytes);

        let mut pending: Vec<ChunkView<'a>> = recycle(std::mem::take(&mut self.chunks));
        let mut pending_bytes = 0;
        for chunk in chunks {
            pending_bytes += chunk_bytes(&chunk);
            pending.push(chunk);
            if pending_bytes >= chunk_limit_bytes {
                put_frame(query_index, &self.labels, &pending, into);
                pending.clear();
                pending_bytes = 0;
            }
        }
        if !pending.is_empty() {
            put_frame(query_index, &self.labels, &pending, into);
        }
        self.chunks = recycle(pending);
    }
}

/// Appends a label as a field of `ChunkedSeries` and returns the size of the message, without key and length.
fn put_label(name: &str, value: &str, into: &mut Vec<u8>) -> usize {
    use fields::label::{NAME, VALUE};
    let length = wire::bytes_field_bytes(NAME, name.len()) + wire::bytes_field_bytes(VALUE, value.len());
    wire::put_message_header(fields::series::LABELS, length, into);
    wire::put_bytes_field(NAME, name.as_bytes(), into);
    wire::put_bytes_field(VALUE, value.as_bytes(), into);
    length
}

/// The size of the message `Chunk`, without key and length.
fn chunk_bytes(chunk: &ChunkView<'_>) -> usize {
    use fields::chunk::{DATA, MAX_TIME_MS, MIN_TIME_MS, TYPE};
    wire::varint_field_bytes(MIN_TIME_MS, chunk.min_ms as u64)
        + wire::varint_field_bytes(MAX_TIME_MS, chunk.max_ms as u64)
        + wire::varint_field_bytes(TYPE, encoding_varint(chunk))
        + wire::bytes_field_bytes(DATA, chunk.data.len())
}

fn put_chunk(chunk: &ChunkView<'_>, into: &mut Vec<u8>) {
    use fields::chunk::{DATA, MAX_TIME_MS, MIN_TIME_MS, TYPE};
    wire::put_message_header(fields::series::CHUNKS, chunk_bytes(chunk), into);
    wire::put_varint_field(MIN_TIME_MS, chunk.min_ms as u64, into);
    wire::put_varint_field(MAX_TIME_MS, chunk.max_ms as u64, into);
    wire::put_varint_field(TYPE, encoding_varint(chunk), into);
    wire::put_bytes_field(DATA, chunk.data, into);
}

/// Numbers of enums are signed, and negative ones fill all 64 bits.
fn encoding_varint(chunk: &ChunkView<'_>) -> u64 {
    i64::from(chunk.encoding.to_wire()) as u64
}

fn put_frame(query_index: i64, labels: &[u8], chunks: &[ChunkView<'_>], into: &mut Vec<u8>) {
    use fields::response::{CHUNKED_SERIES, QUERY_INDEX};
    let chunk_field_bytes = |chunk| wire::message_field_bytes(fields::series::CHUNKS, chunk_bytes(chunk));
    let series_bytes = labels.len() + chunks.iter().map(chunk_field_bytes).sum::<usize>();
    let payload_bytes = wire::message_field_bytes(CHUNKED_SERIES, series_bytes)
        + wire::varint_field_bytes(QUERY_INDEX, query_index as u64);

    into.reserve(wire::uvarint_bytes(payload_bytes as u64) + CHECKSUM_BYTES + payload_bytes);
    wire::put_uvarint(payload_bytes as u64, into);
    let checksum_at = into.len();
    into.extend_from_slice(&[0; CHECKSUM_BYTES]);
    let payload_at = into.len();
    wire::put_message_header(CHUNKED_SERIES, series_bytes, into);
    into.extend_from_slice(labels);
    chunks.iter().for_each(|chunk| put_chunk(chunk, into));
    wire::put_varint_field(QUERY_INDEX, query_index as u64, into);
    let checksum = crc32c::crc32c(&into[payload_at..]);
    into[checksum_at..payload_at].copy_from_slice(&checksum.to_be_bytes());
}
